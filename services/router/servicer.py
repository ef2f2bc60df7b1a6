"""RouterService: wire to core."""

from typing import Any

from clarion.common.v1 import event_pb2
from clarion.router.v1 import router_pb2, router_pb2_grpc
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid, new_id
from services.domain import audience, delivery_ids, locales
from services.domain.searching import check_search
from services.router import messages, people
from services.router.planner import CatalogPlanner
from services.router.ports import StoredRecipients
from services.router.search.store import StoredSearch


class RouterServicer(router_pb2_grpc.RouterServiceServicer):
    """See proto/clarion/router/v1/router.proto."""

    def __init__(self, planner: CatalogPlanner, recipients: StoredRecipients, search: StoredSearch) -> None:
        self._planner = planner
        self._recipients = recipients
        self._search = search

    async def ExplainRoute(
        self, request: router_pb2.ExplainRouteRequest, context: Any
    ) -> router_pb2.ExplainRouteResponse:
        """Plan an event without sending it; return the decision."""
        if not is_uuid(request.tenant_id) or not request.event_type:
            raise ClarionError(Code.INVALID, "tenant_id must be a UUID in lower case and event_type must not be empty.")
        event = _event(request)
        if audience.needs_expansion(event) or len(event.audience) > audience.MAX_TARGETS:
            message = f"audience must have at most {audience.MAX_TARGETS} recipients, and no groups."
            raise ClarionError(Code.INVALID, message)
        wanted = people.named_ids(event)
        found = await self._recipients.find(wanted) if wanted else {}
        planned = await self._planner.explain(event, people.named_directly(event, found))
        return router_pb2.ExplainRouteResponse(route=messages.routed(planned))

    async def Search(self, request: router_pb2.SearchRequest, context: Any) -> router_pb2.SearchResponse:
        """Look for a workflow, a segment, a schedule or an import."""
        return router_pb2.SearchResponse(hits=await self._search.find(*check_search(request)))


def _event(request: router_pb2.ExplainRouteRequest) -> event_pb2.Event:
    event = event_pb2.Event(
        id=new_id(),
        tenant_id=request.tenant_id,
        event_type=request.event_type,
        recipient=None if request.audience else request.recipient,
        channels=request.channels,
        audience=request.audience,
        id_scheme=delivery_ids.CURRENT_SCHEME,
    )
    if request.locale and not request.audience and not event.recipient.locale:
        event.recipient.locale = locales.normal(request.locale)
    return event
