"""GET /api/v1/poll/{endpoint_id}: the next events of an endpoint, for a key that is only for reading them."""

from aiohttp import web

from clarion.senders.v1 import endpoints_pb2
from gateway import problems, queries
from gateway.authentication import CachedAuthenticator
from gateway.clients import Clients
from gateway.observing import TENANT_ID
from gateway.polling.shown import shown_page
from gateway.replies import json_reply
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid

PATH = "/api/v1/poll/{endpoint_id}"
# The kind of the keys that this API takes.
POLL_KEY = "poll"
DEFAULT_ITEMS, MAX_ITEMS = 50, 250

_NOT_FOUND = "There is no such endpoint that this key may read."


def add_routes(app: web.Application, clients: Clients, authenticator: CachedAuthenticator) -> None:
    """Serve the polling API."""
    routes = PollingRoutes(clients, authenticator)
    app.router.add_route("GET", PATH, problems.answering(routes.poll, name="polling"))
    app.router.add_route("*", "/api/v1/poll/{rest:.*}", problems.answering(_nothing, name="polling"))


async def _nothing(_request: web.Request) -> web.StreamResponse:
    raise ClarionError(Code.NOT_FOUND, "Use GET /api/v1/poll/{endpoint_id}.")


class PollingRoutes:
    """The handler, which asks the senders' ParkingService."""

    def __init__(self, clients: Clients, authenticator: CachedAuthenticator) -> None:
        self._clients = clients
        self._authenticator = authenticator

    async def poll(self, request: web.Request) -> web.Response:
        """Return the next events after a cursor. Those before it count as received."""
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        tenant = await self._authenticator.tenant(request, key.strip() if scheme.lower() == "bearer" else "", POLL_KEY)
        request[TENANT_ID] = tenant.id
        queries.check(request, ("limit", "cursor"))
        (limit,) = queries.numbers(request, limit=queries.Bounds(DEFAULT_ITEMS, 1, MAX_ITEMS))
        endpoint_id: str = request.match_info["endpoint_id"]
        # A key without endpoints would read those of the whole tenant.
        if not is_uuid(endpoint_id) or endpoint_id not in tenant.endpoint_ids:
            raise ClarionError(Code.NOT_FOUND, _NOT_FOUND)
        wire = endpoints_pb2.PollRequest(
            tenant_id=tenant.id, endpoint_id=endpoint_id, cursor=request.query.get("cursor", ""), limit=limit
        )
        answer = await self._clients.call(self._clients.parking.Poll, wire)
        return json_reply(shown_page(answer))
