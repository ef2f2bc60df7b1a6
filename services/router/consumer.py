"""Takes events from EVENTS, and leaves deliveries and the record of the decision behind before it acks."""

import asyncio
from collections import Counter as Tally

from google.protobuf.message import DecodeError
from nats.aio.client import Client
from prometheus_client import Counter

from clarion.common.v1 import event_pb2, trace_pb2
from runtime import clock, logs, nats
from runtime.errors import ClarionError
from services import topology
from services.router.catalog import Catalog
from services.router.route import Plan, route
from services.trace import TraceWriter

_MAX_HELD = 512

_ROUTED = Counter("clarion_routed_total", "Deliveries planned, by channel and decision.", ["channel", "decision"])

log = logs.get(__name__)


class RouterConsumer:
    """One process's share of the events. Routing twice is harmless: the deliveries have the same ids."""

    def __init__(self, connection: Client, catalog: Catalog, *, now: clock.Clock = clock.now_us) -> None:
        self._catalog = catalog
        self._deliveries = nats.Publisher(connection)
        self._trace = TraceWriter(nats.Publisher(connection))
        self._now = now
        self._tasks: set[asyncio.Task[None]] = set()
        self._pullers = [
            nats.Puller(connection, consumer.stream, consumer.name, max_held=_MAX_HELD, ack_wait=topology.ACK_WAIT_S)
            for consumer in topology.router_consumers()
        ]

    async def run(self) -> None:
        """Work until drain()."""
        async with asyncio.TaskGroup() as group:
            for puller in self._pullers:
                group.create_task(self._consume(puller))

    async def drain(self) -> None:
        """Take no more; run() ends when what is in hand has been routed."""
        for puller in self._pullers:
            puller.stop()

    async def _consume(self, puller: nats.Puller) -> None:
        async for batch in puller.batches():
            for held in batch:  # each on its own: an owner that is slow to answer must not hold up the rest
                task = asyncio.create_task(self._handle(held))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _handle(self, held: nats.Held) -> None:
        started = self._now()
        try:
            event = event_pb2.Event.FromString(held.data)
        except DecodeError:
            log.error("event_unreadable", sequence=held.sequence, subject=held.subject)
            await held.ack()
            return
        try:
            circumstances = await self._catalog.circumstances(event.tenant_id, event.event_type)
            plan = route(event, circumstances, self._now())
            await self._store(event, plan, started)
        except ClarionError as error:
            # An owner or the broker is away: what was not stored is not acked, and comes again.
            log.warning("event_left", event_id=event.id, error=error.detail, code=error.code.name)
            held.release()
            return
        await held.ack()
        self._report(event, plan, started)

    async def _store(self, event: event_pb2.Event, plan: Plan, started: int) -> None:
        ended = self._now()
        record = trace_pb2.TraceRecord(
            event_id=event.id,
            tenant_id=event.tenant_id,
            at_us=ended,
            duration_us=ended - started,
            routed=plan.routed,
        )
        messages = [
            nats.Outgoing(
                topology.delivery_subject(delivery.channel, delivery.tenant_id),
                delivery.SerializeToString(),
                msg_id=delivery.id,
            )
            for delivery in plan.deliveries
        ]
        await asyncio.gather(self._deliveries.publish_all(messages), self._trace.write(record))

    def _report(self, event: event_pb2.Event, plan: Plan, started: int) -> None:
        decisions = {
            topology.CHANNELS[planned.channel]: planned.reason or "queued" for planned in plan.routed.deliveries
        }
        for (channel, decision), count in Tally(decisions.items()).items():
            _ROUTED.labels(channel, decision).inc(count)
        log.info(
            "routed",
            event_id=event.id,
            tenant_id=event.tenant_id,
            event_type=event.event_type,
            trace_id=event.trace_id,
            reason=plan.routed.reason,
            wait_ms=(started - event.accepted_at_us) / 1000,
            ms=(self._now() - started) / 1000,
            **decisions,
        )
