"""RouterService: wire to core."""

from typing import Any

import msgspec

from clarion.common.v1 import event_pb2
from clarion.router.v1 import router_pb2, router_pb2_grpc
from runtime import clock
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid, new_id
from services.router.catalog import Catalog
from services.router.route import route


class RouterServicer(router_pb2_grpc.RouterServiceServicer):
    """See proto/clarion/router/v1/router.proto."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def ExplainRoute(
        self, request: router_pb2.ExplainRouteRequest, context: Any
    ) -> router_pb2.ExplainRouteResponse:
        """Route an event without sending it; return the decision."""
        if not is_uuid(request.tenant_id) or not request.event_type:
            raise ClarionError(Code.INVALID, "tenant_id must be a UUID in lower case and event_type must not be empty.")
        event = event_pb2.Event(
            id=new_id(),
            tenant_id=request.tenant_id,
            event_type=request.event_type,
            recipient=request.recipient,
            channels=request.channels,
            payload_extra=msgspec.json.encode({"locale": request.locale} if request.locale else {}),
        )
        circumstances = await self._catalog.circumstances(request.tenant_id, request.event_type)
        plan = route(event, circumstances, clock.now_us(), self._catalog.suppression)
        return router_pb2.ExplainRouteResponse(route=plan.routed)
