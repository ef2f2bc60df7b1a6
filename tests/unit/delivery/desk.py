"""A worker on a broker, a render, a ledger and a far side in memory."""

import asyncio
from collections.abc import Callable
from typing import Any

from clarion.common.v1 import event_pb2, trace_pb2
from runtime.parts import RENDER, OwnParts
from services.delivery.bodies import Bodies
from services.delivery.claims import LedgerClaims
from services.delivery.ports import Details, Prepared, SendResult, Verdict
from services.delivery.render_client import RenderClient
from services.delivery.rendered import RenderingAttempter
from services.delivery.worker import DeliveryWorker
from services.domain import topology
from tests.fakes.delivery import SMS, FarSide, Neighbours, delivery
from tests.fakes.grpc import MemoryCaller, MemoryChannel
from tests.fakes.nats import MemoryBroker, StoredMessage
from tests.waiting import eventually

QUEUED, RETRYING = trace_pb2.DELIVERY_STATUS_QUEUED, trace_pb2.DELIVERY_STATUS_RETRYING
SENT, SKIPPED = trace_pb2.DELIVERY_STATUS_SENT, trace_pb2.DELIVERY_STATUS_SKIPPED
FAILED, DEAD = trace_pb2.DELIVERY_STATUS_FAILED, trace_pb2.DELIVERY_STATUS_DEAD
YES = SendResult(Verdict.SENT, "test", provider_message_id="m1")
BUSY = SendResult(Verdict.TRANSIENT, "test", "provider_timeout", "no answer")
RENDER_SERVICE, LEDGER_SERVICE = "clarion.render.v1.RenderService", "clarion.ingest.v1.LedgerService"
CLAIMS_SERVICE = "clarion.ingest.v1.ClaimService"
NOW_US = 1_750_000_000_000_000
# The age up to which the broker's memory and the longest attempt leave no room for a second copy.
YOUNG_US = (topology.DUPLICATE_WINDOW_S - 30) * 1_000_000


class Desk:
    """A worker for text messages and its world, with a clock that stands still."""

    def __init__(self) -> None:
        self.broker = MemoryBroker()
        self.neighbours = Neighbours()  # type: ignore[abstract]  # the other methods are never called
        self.caller = MemoryCaller(dict.fromkeys((RENDER_SERVICE, LEDGER_SERVICE, CLAIMS_SERVICE), self.neighbours))
        self.far_side = FarSide([YES])
        self.now_us = NOW_US
        self.worker: DeliveryWorker
        self._task: asyncio.Task[None]

    def start(self, *answers: SendResult | Exception, **options: Any) -> None:
        """Start the worker, at a far side with these answers."""
        self.far_side.answers = answers or self.far_side.answers
        connection: Any = self.broker
        channel: Any = MemoryChannel()
        caller: Any = self.caller
        own = options.setdefault("own", OwnParts())
        self.worker = DeliveryWorker(
            connection,
            [SMS],
            options.pop("attempter", None)
            or RenderingAttempter(
                self.far_side, Bodies(connection, channel, caller, own), RenderClient(channel, caller), own
            ),
            LedgerClaims(channel, caller),
            needs=[RENDER],
            now=lambda: self.now_us,
            **options,
        )
        self._task = asyncio.create_task(self.worker.run())

    async def take(self, one: event_pb2.Delivery, *, due: bool = False, deliveries: int = 0) -> StoredMessage:
        """Let the broker have a delivery, as routed or as fallen due."""
        subject = topology.due_subject(SMS, one.tenant_id) if due else topology.delivery_subject(SMS, one.tenant_id)
        return await self.broker.put(subject, one.SerializeToString(), deliveries=deliveries)

    async def see(self, one: event_pb2.Delivery, **options: Any) -> StoredMessage:
        """Let the broker have a delivery, and wait until it is acknowledged."""
        message = await self.take(one, **options)
        await eventually(lambda: message.acked, every=0)
        return message

    @property
    def steps(self) -> list[trace_pb2.Attempted]:
        """What is recorded, oldest first."""
        batches = [trace_pb2.TraceBatch.FromString(one.payload) for one in self.broker.messages(topology.TRACE)]
        return [record.attempted for batch in batches for record in batch.records]

    @property
    def timers(self) -> list[event_pb2.Delivery]:
        """What waits for its time."""
        set_ = [one for one in self.broker.messages(topology.TIMERS) if one.subject.startswith("timers.wait.")]
        return [event_pb2.Delivery.FromString(one.payload) for one in set_]

    @property
    def endings(self) -> list[tuple[int, str]]:
        """How the recorded attempts ended, and why."""
        return [(step.status, step.reason) for step in self.steps]

    async def stop(self) -> None:
        """Drain the worker."""
        self.far_side.free.set()
        await self.worker.drain()
        await self._task


def a_delivery(**fields: Any) -> event_pb2.Delivery:
    """Return a delivery of an event that was accepted just now. fields: to change."""
    times = {"accepted_at_us": NOW_US - 5_000, "planned_at_us": NOW_US - 3_000}
    return delivery(**{**times, **fields})


class Signer:
    """Implements services.delivery.ports.Attempter: sends bytes that nobody rendered."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.prepared: Callable[[], None] = lambda: None

    def slot(self, delivery: event_pb2.Delivery) -> str:
        """One for each event type."""
        return delivery.event_type

    async def prepare(self, delivery: event_pb2.Delivery) -> Prepared[bytes]:
        """Sign the data."""
        self.prepared()
        return Prepared(b"signed " + delivery.variables, Details(sms_segments=2, sms_encoding="UCS-2"))

    async def send(self, _: event_pb2.Delivery, message: bytes) -> SendResult:
        """Note what is sent."""
        self.sent.append(message)
        return YES


def crash(_: event_pb2.Delivery) -> str:
    """Stand for an own fault."""
    raise KeyError("a fault of ours")
