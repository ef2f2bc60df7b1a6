"""POST /callbacks/{provider}/{secret}: a provider's delivery reports, handed on as they came."""

from collections.abc import Mapping

from aiohttp import web

from clarion.senders.v1 import reports_pb2
from gateway.admin.problems import from_error, problem
from gateway.clients import Clients
from gateway.replies import BodyError, read_bytes
from runtime.errors import ClarionError, Code

MAX_BODY_BYTES = 1024 * 1024
# A report may wait for the row of a message that was sent a moment ago, seconds.
DEADLINE_S = 9.0

# Callbacks under way at a time: so much memory can their bodies take, whoever sends them.
MAX_UNDER_WAY = 128

# Nobody's business but ours and a proxy's.
_KEPT_BACK = frozenset({"authorization", "cookie", "proxy-authorization"})
_FAULTS = {408: "too-slow", 413: "too-large", 415: "unsupported-media-type"}


class Reports:
    """Answers from senders' ReportService: 204 for whatever was understood, also about unknown messages."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._under_way = 0

    async def receive(self, request: web.Request) -> web.Response:
        """Take in a callback. 403 and 404 say nothing about which part was wrong."""
        if self._under_way >= MAX_UNDER_WAY:
            return from_error(ClarionError(Code.OVERLOADED, "Too many callbacks are under way.", retry_after=1))
        self._under_way += 1
        try:
            return await self._hand_on(request)
        finally:
            self._under_way -= 1

    async def _hand_on(self, request: web.Request) -> web.Response:
        try:
            body = await read_bytes(request, limit=MAX_BODY_BYTES)
            wire = reports_pb2.ReceiveReportRequest(
                provider_id=_text(request.match_info["id"]),
                secret=_text(request.match_info["secret"]),
                url=_text(f"{request.scheme}://{request.host}{request.raw_path}"),
                headers=_headers(request.headers),
                body=body,
            )
            await self._clients.call(self._clients.reports.ReceiveReport, wire, deadline=DEADLINE_S)
        except BodyError as fault:
            return problem(fault.status, _FAULTS[fault.status], "The report cannot be taken", fault.detail)
        except ClarionError as error:
            return from_error(error)
        return web.Response(status=204)


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): _text(value) for name, value in headers.items() if name.lower() not in _KEPT_BACK}


def _text(value: str) -> str:
    """Return what gRPC can carry of bytes that need not be text."""
    return value.encode("utf-8", "replace").decode()
