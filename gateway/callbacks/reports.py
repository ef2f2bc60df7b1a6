"""POST /callbacks/{id}/{secret}: delivery reports of a provider, passed to senders unchanged."""

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping

from aiohttp import web

from clarion.senders.v1 import reports_pb2
from gateway.addresses import Proxies
from gateway.clients import Clients
from gateway.problems import from_error, problem
from gateway.replies import BodyError, read_bytes
from runtime.errors import ClarionError, Code

MAX_BODY_BYTES = 1024 * 1024
# A report may wait for the row of a message that was sent a moment ago, seconds.
DEADLINE_S = 9.0

# Whole callbacks that senders are asked about, at a time. Nobody waits here for a body, so nobody holds a place by
# sending one slowly.
MAX_UNDER_WAY = 128
# A body of this many bytes waits in its connection's own buffers, and costs no more than any connection.
SMALL_BYTES = 64 * 1024
# Larger bodies on their way at a time, of one address and of all: so many MiB can they take.
MAX_ARRIVING_OF_ONE = 8
MAX_ARRIVING = 128

# Headers that are only for us or a proxy.
_KEPT_BACK = frozenset({"authorization", "cookie", "proxy-authorization"})
_FAULTS = {408: "too-slow", 413: "too-large", 415: "unsupported-media-type"}


class ReportRoutes:
    """The handler that passes reports to senders' ReportService. It answers 204 also for unknown messages."""

    def __init__(self, clients: Clients, proxies: Proxies) -> None:
        self._clients = clients
        self._arriving = _Arriving(proxies)
        self._under_way = 0

    async def receive(self, request: web.Request) -> web.Response:
        """Receive a report. 403 and 404 do not tell which part was wrong."""
        try:
            with self._arriving.receiving(request):
                body = await read_bytes(request, limit=MAX_BODY_BYTES)
            await self._hand_on(request, body)
        except BodyError as fault:
            return problem(fault.status, _FAULTS[fault.status], "Report refused", fault.detail)
        except ClarionError as error:
            return from_error(error)
        return web.Response(status=204)

    async def _hand_on(self, request: web.Request, body: bytes) -> None:
        if self._under_way >= MAX_UNDER_WAY:
            raise _too_many()
        wire = reports_pb2.ReceiveReportRequest(
            provider_id=_text(request.match_info["id"]),
            secret=_text(request.match_info["secret"]),
            url=_text(f"{request.scheme}://{request.host}{request.raw_path}"),
            headers=_headers(request.headers),
            body=body,
        )
        self._under_way += 1
        try:
            await self._clients.call(self._clients.reports.ReceiveReport, wire, deadline=DEADLINE_S)
        finally:
            self._under_way -= 1


class _Arriving:
    """Limits large bodies that are still arriving: their sender is known only afterwards."""

    def __init__(self, proxies: Proxies) -> None:
        self._proxies = proxies
        self._of: Counter[str] = Counter()

    @contextlib.contextmanager
    def receiving(self, request: web.Request) -> Iterator[None]:
        """Count a large body while it arrives. Raises OVERLOADED if there are too many."""
        if (request.content_length if request.content_length is not None else MAX_BODY_BYTES) <= SMALL_BYTES:
            yield
            return
        address = self._proxies.client_of(request)
        if self._of[address] >= MAX_ARRIVING_OF_ONE or self._of.total() >= MAX_ARRIVING:
            raise _too_many()
        self._of[address] += 1
        try:
            yield
        finally:
            self._of[address] -= 1
            if not self._of[address]:
                del self._of[address]


def _too_many() -> ClarionError:
    return ClarionError(
        Code.OVERLOADED, "Too many callbacks are under way. Send the report again shortly.", retry_after=1
    )


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): _text(value) for name, value in headers.items() if name.lower() not in _KEPT_BACK}


def _text(value: str) -> str:
    """Return the value with invalid characters replaced, as gRPC needs it."""
    return value.encode("utf-8", "replace").decode()
