"""Clients of the router, which disables endpoints, and of ingest, which accepts operational events."""

import grpc.aio
import nats.errors
import nats.js.errors
from nats.aio.client import Client

from clarion.ingest.v1 import ingest_pb2, ingest_pb2_grpc
from clarion.router.v1 import endpoints_pb2, endpoints_pb2_grpc
from runtime import logs
from runtime.bucket import ConfigurationBucket
from runtime.errors import ClarionError, Code
from runtime.grpc import Caller
from services.domain import topology
from services.senders.webhooks.parking.notices import OperationalEvent
from services.senders.webhooks.parking.ports import EndpointKey

_DEADLINE_S = 5.0
# A repeat of an event comes within this time, seconds.
_REMEMBERED_S = 7 * 86_400

log = logs.get(__name__)


class RouterEndpointOwner:
    """Implements notices.EndpointOwner."""

    def __init__(self, connection: grpc.aio.Channel, caller: Caller) -> None:
        self._stub = endpoints_pb2_grpc.EndpointServiceStub(connection)
        self._caller = caller

    async def disable(self, key: EndpointKey, revision: int, reason: str) -> bool:
        """See notices.EndpointOwner. An earlier call may have done it, without its answer having arrived."""
        request = endpoints_pb2.DisableEndpointRequest(
            tenant_id=key.tenant_id, endpoint_id=key.endpoint_id, revision=revision, reason=reason
        )
        try:
            if (await self._caller(self._stub.DisableEndpoint, request, deadline=_DEADLINE_S)).disabled:
                return True
            read = endpoints_pb2.GetEndpointRequest(tenant_id=key.tenant_id, endpoint_id=key.endpoint_id)
            found = await self._caller(self._stub.GetEndpoint, read, deadline=_DEADLINE_S)
        except ClarionError as error:
            if error.code is Code.NOT_FOUND:
                return False
            raise
        return not found.endpoint.active and found.endpoint.disabled_reason == reason


class IngestAcceptor:
    """Implements notices.EventAcceptor. An event for nobody is not sent: the tenant would see it among its own."""

    def __init__(self, connection: grpc.aio.Channel, caller: Caller, broker: Client) -> None:
        self._stub = ingest_pb2_grpc.IngestServiceStub(connection)
        self._caller = caller
        self._bucket = ConfigurationBucket(broker)

    async def accept(self, event: OperationalEvent) -> None:
        """See notices.EventAcceptor."""
        if not await self._has_subscribers(event):
            return
        new = ingest_pb2.NewEvent(
            event_type=event.event_type,
            variables=event.variables,
            scope=event.scope,
            to_endpoints=ingest_pb2.ToEndpoints(subscribers=ingest_pb2.Subscribers()),
            dedupe=ingest_pb2.Dedupe(
                kind=ingest_pb2.DEDUPE_KIND_KEY, key=event.key, scope="endpoints", ttl_s=_REMEMBERED_S
            ),
        )
        request = ingest_pb2.AcceptEventsRequest(items=[ingest_pb2.AcceptItem(tenant_id=event.tenant_id, event=new)])
        answer = await self._caller(self._stub.AcceptEvents, request, deadline=_DEADLINE_S)
        result = answer.results[0]
        if result.HasField("error"):
            error = ClarionError.from_proto(result.error)
            if error.code in {Code.UNAVAILABLE, Code.OVERLOADED, Code.INTERNAL}:
                raise error
            # The tenant is not active any more, or over its limits: it does without this event.
            log.warning("operational_event_refused", event_type=event.event_type, error=error.detail)

    async def _has_subscribers(self, event: OperationalEvent) -> bool:
        key = topology.subscribers_key(event.tenant_id, event.event_type)
        try:
            return (await self._bucket.newest(key)).value is not None
        except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
            raise ClarionError(Code.UNAVAILABLE, "The configuration bucket does not answer.") from error
