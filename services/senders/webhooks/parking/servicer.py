"""ParkingService: between protobuf and rows, states and polling."""

import asyncio
import base64
import binascii
import struct
from collections.abc import Callable, Sequence
from typing import Any

import grpc.aio

from clarion.common.v1 import trace_pb2
from clarion.senders.v1 import endpoints_pb2, endpoints_pb2_grpc
from runtime import clock, logs
from services.delivery import records
from services.domain.checks import check_id, invalid
from services.domain.paging import page_limit
from services.domain.reasons import Reason
from services.senders.webhooks.parking import breaker
from services.senders.webhooks.parking.breaker import Observation, Seen
from services.senders.webhooks.parking.polling import Poller
from services.senders.webhooks.parking.ports import Ended, EndpointKey, EndpointState, Row, Rows, States, Trace

PARKING_SERVICE = "clarion.senders.v1.ParkingService"

MAX_POLLED = 250
_MAX_SKIPPED = 100
_MAX_STATES = 100
_CHUNK = 250
_NEVER_US = 2**62
# The place of a row: due_us, sequence.
_CURSOR = struct.Struct(">qq")

Context = grpc.aio.ServicerContext[Any, Any]

log = logs.get(__name__)


class ParkingServicer(endpoints_pb2_grpc.ParkingServiceServicer):
    """See proto/clarion/senders/v1/endpoints.proto. wake: makes this process look at endpoints."""

    def __init__(
        self,
        rows: Rows,
        states: States,
        poller: Poller,
        trace: Trace,
        wake: Callable[[set[EndpointKey]], None],
        *,
        now: clock.Clock,
    ) -> None:
        self._rows = rows
        self._states = states
        self._poller = poller
        self._trace = trace
        self._wake = wake
        self._now = now

    async def GetEndpointState(
        self, request: endpoints_pb2.GetEndpointStateRequest, _: Context
    ) -> endpoints_pb2.GetEndpointStateResponse:
        """Return how an endpoint is doing."""
        key = _key(request)
        state = await self._states.read(key)
        return _state(state, oldest_us=await self._rows.oldest_us(key) if state.parked else 0)

    async def ListEndpointStates(
        self, request: endpoints_pb2.ListEndpointStatesRequest, _: Context
    ) -> endpoints_pb2.ListEndpointStatesResponse:
        """Return how some endpoints are doing: those that are not well, or that something waits for."""
        check_id("tenant_id", request.tenant_id)
        if len(request.endpoint_ids) > _MAX_STATES:
            raise invalid("endpoint_ids", f"must be at most {_MAX_STATES}")
        for id_ in request.endpoint_ids:
            check_id("endpoint_ids", id_)
        states = await self._states.read_all([EndpointKey(request.tenant_id, id_) for id_ in request.endpoint_ids])
        return endpoints_pb2.ListEndpointStatesResponse(
            states=[
                endpoints_pb2.NamedEndpointState(endpoint_id=one.key.endpoint_id, state=_state(one)) for one in states
            ]
        )

    async def ListParked(
        self, request: endpoints_pb2.ListParkedRequest, _: Context
    ) -> endpoints_pb2.ListParkedResponse:
        """Return a page of what waits, the next ones first."""
        key, limit = _key(request), page_limit(request.limit)
        rows = await self._rows.due(key, _NEVER_US, after=_opened(request.cursor), limit=limit)
        more = _closed(rows[-1]) if len(rows) == limit else ""
        return endpoints_pb2.ListParkedResponse(deliveries=map(_listed, rows), next_cursor=more)

    async def SkipParked(
        self, request: endpoints_pb2.SkipParkedRequest, _: Context
    ) -> endpoints_pb2.SkipParkedResponse:
        """End what waits as skipped."""
        key = _key(request)
        if bool(request.delivery_ids) + request.first + request.all != 1:
            raise invalid("delivery_ids", "or first or all must be set, and only one of them")
        if len(request.delivery_ids) > _MAX_SKIPPED:
            raise invalid("delivery_ids", f"must be at most {_MAX_SKIPPED}")
        for id_ in request.delivery_ids:
            check_id("delivery_ids", id_)
        skipped = 0
        if request.delivery_ids:
            skipped = await self._skip(await self._rows.some(key, list(request.delivery_ids)))
        elif request.first:
            skipped = await self._skip(await self._rows.due(key, _NEVER_US, limit=1))
        else:
            while rows := await self._rows.due(key, _NEVER_US, limit=_CHUNK):
                skipped += await self._skip(rows)
        await self._states.observe(key, Observation(Seen.PROBE_WANTED))
        self._wake({key})
        log.info("parked_skipped", tenant_id=key.tenant_id, endpoint_id=key.endpoint_id, skipped=skipped)
        return endpoints_pb2.SkipParkedResponse(skipped=skipped)

    async def ProbeEndpoint(
        self, request: endpoints_pb2.ProbeEndpointRequest, _: Context
    ) -> endpoints_pb2.ProbeEndpointResponse:
        """Attempt what waits, now."""
        key = _key(request)
        await self._states.observe(key, Observation(Seen.PROBE_WANTED))
        self._wake({key})
        return endpoints_pb2.ProbeEndpointResponse()

    async def Poll(self, request: endpoints_pb2.PollRequest, _: Context) -> endpoints_pb2.PollResponse:
        """Return the next deliveries of a POLLED endpoint."""
        limit = page_limit(request.limit, largest=MAX_POLLED)
        page = await self._poller.poll(_key(request), request.cursor, limit)
        return endpoints_pb2.PollResponse(
            deliveries=[
                endpoints_pb2.PolledDelivery(delivery=row.delivery, body=letter.body, headers=letter.headers)
                for row, letter in page.deliveries
            ],
            cursor=page.cursor,
            done=page.is_last,
        )

    async def _skip(self, rows: Sequence[Row]) -> int:
        now, skipped = self._now(), trace_pb2.DELIVERY_STATUS_SKIPPED
        await self._trace.write_all(
            [records.ended_unsent(row.delivery, skipped, Reason.SKIPPED_BY_HAND, now) for row in rows]
        )
        await asyncio.gather(*[self._rows.settle(Ended(row)) for row in rows])
        return len(rows)


def _key(request: Any) -> EndpointKey:
    """Return the endpoint of a request. Raises INVALID."""
    check_id("tenant_id", request.tenant_id)
    check_id("endpoint_id", request.endpoint_id)
    return EndpointKey(request.tenant_id, request.endpoint_id)


def _state(state: EndpointState, *, oldest_us: int = 0) -> endpoints_pb2.GetEndpointStateResponse:
    health = state.health
    return endpoints_pb2.GetEndpointStateResponse(
        state=endpoints_pb2.BreakerState.ValueType(health.state),
        since_us=health.since_us,
        next_probe_at_us=health.next_probe_us if health.state == breaker.OPEN else 0,
        failing_since_us=health.failing_since_us or health.first_failure_us,
        parked=state.parked,
        oldest_us=oldest_us,
    )


def _listed(row: Row) -> endpoints_pb2.ParkedDelivery:
    is_timed = row.reason in {Reason.RETRY, Reason.ENDPOINT_BUSY}
    return endpoints_pb2.ParkedDelivery(
        delivery_id=row.delivery.id,
        event_id=row.delivery.event_id,
        event_type=row.delivery.event_type,
        reason=row.reason,
        attempt=row.delivery.attempt,
        parked_at_us=row.parked_us,
        due_at_us=row.due_us if is_timed else 0,
    )


def _closed(row: Row) -> str:
    return base64.urlsafe_b64encode(_CURSOR.pack(row.due_us, row.sequence)).decode()


def _opened(cursor: str) -> tuple[int, int]:
    if not cursor:
        return -1, 0
    try:
        due_us, sequence = _CURSOR.unpack(base64.b64decode(cursor, altchars=b"-_", validate=True))
    except (binascii.Error, struct.error) as error:
        raise invalid("cursor", "must be that of an earlier answer") from error
    return due_us, sequence
