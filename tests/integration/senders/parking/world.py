"""Sender processes without their gRPC server: worker, rows, breakers and drain, at scripted endpoints."""

import asyncio
import dataclasses
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import msgspec
from nats.aio.client import Client

from clarion.common.v1 import event_pb2, trace_pb2
from runtime import bucket_keys, clock, configuration, nats
from runtime.bucket import ConfigurationBucket
from runtime.encryption import Vault
from runtime.errors import ClarionError, Code
from runtime.ids import derived_id, new_id
from runtime.parts import OwnParts
from services.delivery.ports import Claim, ClaimAnswer, Parking, Prepared, SendResult, Verdict
from services.delivery.worker import DeliveryWorker
from services.domain import topology
from services.domain.cancellations import Cancellations
from services.domain.endpoints import Endpoint
from services.domain.reasons import Reason
from services.senders.webhooks.directory import PublishedEndpoints
from services.senders.webhooks.parking import wiring
from services.senders.webhooks.parking.book import PREFIXES
from services.senders.webhooks.parking.breaker import BreakerPolicy
from services.senders.webhooks.parking.drain import Drain
from services.senders.webhooks.wiring import WebhookConfiguration
from tests.fakes.claims import MemoryClaims
from tests.fakes.webhooks import MemoryEndpointOwner
from tests.integration.outboxes import PatientOutbox
from tests.streams import Streams
from tests.unit.senders.builders import TENANT, encryption_key
from tests.waiting import end, eventually

WEBHOOK = event_pb2.CHANNEL_WEBHOOK
OK = SendResult(Verdict.SENT, "webhook")
DOWN = SendResult(Verdict.TRANSIENT, "webhook", Reason.ENDPOINT_UNREACHABLE, "refused")
GONE = SendResult(Verdict.PERMANENT, "webhook", Reason.ENDPOINT_ANSWERED_GONE, "410")
# Probes come fast, and the breaker opens as usual.
FAST = BreakerPolicy(probe_s=0.1, longest_probe_s=0.4)


@dataclass
class Receivers:
    """The endpoints' far side. answers: what each says; without an entry OK. calls: endpoint, delivery, attempt."""

    answers: dict[str, Callable[[event_pb2.Delivery], SendResult]] = field(default_factory=dict)
    calls: list[tuple[str, str, int]] = field(default_factory=list)
    # Endpoints that answer only when this is set.
    hung: dict[str, asyncio.Event] = field(default_factory=dict)
    under_way: Counter[str] = field(default_factory=Counter)
    most_under_way: Counter[str] = field(default_factory=Counter)

    def answer(self, endpoint_id: str, *results: SendResult) -> None:
        """Let an endpoint give these answers in turn, the last one for ever."""
        left = list(results)
        self.answers[endpoint_id] = lambda _: left.pop(0) if len(left) > 1 else left[0]

    def delivered(self, endpoint_id: str) -> list[str]:
        """The deliveries that an endpoint was sent, in order."""
        return [delivery_id for endpoint, delivery_id, _ in self.calls if endpoint == endpoint_id]

    async def call(self, delivery: event_pb2.Delivery) -> SendResult:
        """Take a call."""
        endpoint_id = delivery.webhook.endpoint_id
        self.calls.append((endpoint_id, delivery.id, delivery.attempt))
        self.under_way[endpoint_id] += 1
        self.most_under_way[endpoint_id] = max(self.most_under_way[endpoint_id], self.under_way[endpoint_id])
        try:
            if (hung := self.hung.get(endpoint_id)) is not None:
                await hung.wait()
            answer = self.answers.get(endpoint_id)
            return answer(delivery) if answer is not None else OK
        finally:
            self.under_way[endpoint_id] -= 1


class ScriptedAttempter:
    """Implements services.delivery.ports.Attempter: what the attempter of webhooks says of endpoints, and no HTTP."""

    def __init__(self, receivers: Receivers, published: PublishedEndpoints) -> None:
        self._receivers = receivers
        self._published = published

    def slot(self, delivery: event_pb2.Delivery) -> str:
        """One for each endpoint."""
        return delivery.webhook.endpoint_id

    async def prepare(self, delivery: event_pb2.Delivery) -> Prepared[bytes] | SendResult:
        """Return the body."""
        opened = await self._published.endpoint(delivery.tenant_id, delivery.webhook.endpoint_id)
        if opened is None:
            return SendResult(Verdict.SKIPPED, "", Reason.ENDPOINT_GONE)
        if not opened.endpoint.active:
            return SendResult(Verdict.PARKED, "", Reason.ENDPOINT_DISABLED)
        return Prepared(delivery.variables)

    async def send(self, delivery: event_pb2.Delivery, message: bytes) -> SendResult:
        """Call the endpoint."""
        return await self._receivers.call(delivery)


class TraceClaims:
    """Implements services.delivery.ports.Claims, of the records on TRACE and the claims so far."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.asked: list[Claim] = []

    async def claim(self, claim: Claim) -> ClaimAnswer:
        """Claim a delivery."""
        self.asked.append(claim)
        steps = [step for step in await self._world.attempts() if step.delivery_id == claim.delivery_id]
        claims = self._world.claims
        if steps:
            claims.known[claim.delivery_id] = (max(step.status for step in steps), steps[-1].replay)
        [answer] = await claims.claim([claim])  # type: ignore[list-item]
        return ClaimAnswer(trace_pb2.DeliveryStatus.ValueType(answer.status), answer.is_held_by_another)


class Halting:
    """A Parking that hangs for ever at a point: "before" or "after" a row is stored.

    "lost": it stores the first row and loses the answer, and does not hang.
    """

    def __init__(self, parking: Parking, point: str) -> None:
        self._parking = parking
        self._point = point
        self.is_reached = asyncio.Event()
        self.must_wait = parking.must_wait
        self.find = parking.find

    async def park(self, parked: Any, *, is_claimed: bool = False) -> bool:
        """Store a row, or not."""
        if self._point == "lost" and self.is_reached.is_set():
            return await self._parking.park(parked, is_claimed=is_claimed)
        if self._point in {"after", "lost"}:
            await self._parking.park(parked, is_claimed=is_claimed)
        self.is_reached.set()
        if self._point == "lost":
            raise ClarionError(Code.UNAVAILABLE, "The database does not answer.")
        await asyncio.Event().wait()
        return True


@dataclass
class SenderProcess:
    """What runs in one sender process. kill() ends it without a chance to store anything."""

    worker: DeliveryWorker
    drain: Drain
    parking: wiring.Parking
    followed: WebhookConfiguration
    claims: TraceClaims
    tasks: list["asyncio.Task[None]"]
    connection: Client
    halting: Halting | None = None
    has_ended: bool = False

    async def kill(self) -> None:
        """End it at once."""
        self.has_ended = True
        for task in [*self.tasks, *self.worker._tasks, *self.drain._tasks, *self.drain._calls]:
            await end(task)
        await self.connection.close()

    async def stop(self) -> None:
        """End it in good order."""
        self.has_ended = True
        await asyncio.gather(self.worker.drain(), self.drain.drain())
        await asyncio.wait(self.tasks[1:3], timeout=60)
        await self.parking.watcher.drain()
        for task in self.tasks:
            await end(task)
        await self.connection.close()


@dataclass
class World:
    """PostgreSQL, NATS, the router's endpoints, and the processes."""

    pool: "asyncpg.Pool[asyncpg.Record]"
    connection: Client
    nats_url: str
    streams: Streams
    receivers: Receivers = field(default_factory=Receivers)
    owner: MemoryEndpointOwner = field(default_factory=MemoryEndpointOwner)
    claims: MemoryClaims = field(default_factory=MemoryClaims)
    processes: list[SenderProcess] = field(default_factory=list)
    vault: Vault = field(default_factory=lambda: Vault(encryption_key()))
    # By endpoint, as published.
    endpoints: dict[str, Endpoint] = field(default_factory=dict)

    async def start(
        self,
        *,
        policy: BreakerPolicy = FAST,
        halts: str = "",
        slot_limit: int = 8,
        per_s: float = 2_000.0,
        lease_s: float | None = None,
        attempt_s: float = 5.0,
        keep_s: float = 86_400.0,
        **options: Any,
    ) -> SenderProcess:
        """Start a process, and wait until it follows the configuration."""
        connection = await nats.connect(self.nats_url, name="process")
        own = OwnParts()

        def get(key: str) -> bytes | None:
            return watch.get(key)

        published = PublishedEndpoints(get, self.vault, self.owner, own)
        followed = WebhookConfiguration(published)
        canceled = Cancellations()

        def on_change(key: str, value: bytes | None) -> None:
            followed.on_change(key, value)
            canceled.on_change(key, value)

        watch = configuration.ConfigurationWatch(connection, (*PREFIXES, topology.CANCELED), on_change)
        outbox = PatientOutbox(self.pool, "senders", connection)
        parking = wiring.open_parking(
            self.pool,
            outbox,
            connection,
            followed.book,
            followed.canceled,
            own,
            policy,
            at_once=8,
            per_s=per_s,
            attempt_s=attempt_s,
            keep_s=keep_s,
            now=clock.now_us,
        )
        if lease_s is not None:
            limits = dataclasses.replace(parking.limits, lease_s=lease_s)
            parking = dataclasses.replace(parking, limits=limits)
            parking.states._lease_us = int(lease_s * 1_000_000)
        claims = TraceClaims(self)
        halting = Halting(parking.parked, halts) if halts else None
        worker = DeliveryWorker(
            connection,
            [WEBHOOK],
            ScriptedAttempter(self.receivers, published),
            claims,
            own=own,
            slot_limit=slot_limit,
            attempt_deadline_s=attempt_s,
            observe=parking.watcher.observe,
            parking=halting or parking.parked,
            refusals=[canceled.refusal],
            **options,
        )
        drain = wiring.make_drain(parking, worker.attempts.through(ScriptedAttempter(self.receivers, published)))
        tasks = [
            asyncio.create_task(watch.run()),
            asyncio.create_task(worker.run()),
            asyncio.create_task(drain.run()),
            asyncio.create_task(parking.canceled.run()),
        ]
        await watch.ready()
        process = SenderProcess(worker, drain, parking, followed, claims, tasks, connection, halting)
        self.processes.append(process)
        await eventually(lambda: all(published.known(TENANT, id_) for id_ in self.endpoints))
        return process

    async def endpoint(self, **fields: Any) -> str:
        """Publish an endpoint; return its id."""
        id_ = str(fields.pop("id", new_id()))
        known = self.endpoints.get(id_, Endpoint(id=id_, environment_id=new_id(), url="https://hooks.example.org/in"))
        await self.publish(msgspec.structs.replace(known, **fields))
        return id_

    async def publish(self, endpoint: Endpoint) -> None:
        """Publish an endpoint, as the router does, and wait until all processes know it."""
        self.endpoints[endpoint.id] = endpoint
        self.owner.endpoints.add((TENANT, endpoint.id))
        await self.put(topology.endpoint_key(TENANT, endpoint.id), msgspec.json.encode(endpoint))

        def is_known() -> bool:
            directories = [process.followed.published for process in self.processes if not process.has_ended]
            found = [one.known(TENANT, endpoint.id) for one in directories]
            return all(one is not None and one.endpoint == endpoint for one in found)

        await eventually(is_known)

    async def delete(self, endpoint_id: str) -> None:
        """Delete an endpoint, as the router does."""
        del self.endpoints[endpoint_id]
        self.owner.endpoints.discard((TENANT, endpoint_id))
        bucket = await self.connection.jetstream(timeout=60).key_value(bucket_keys.BUCKET)
        await bucket.delete(topology.endpoint_key(TENANT, endpoint_id))

    async def put(self, key: str, value: bytes) -> None:
        """Publish a configuration key."""
        bucket = await self.connection.jetstream(timeout=60).key_value(bucket_keys.BUCKET)
        await bucket.put(key, value)

    async def deliver(self, endpoint_id: str, count: int = 1, **fields: Any) -> list[event_pb2.Delivery]:
        """Publish new deliveries to an endpoint, as the router does."""
        made = [delivery(endpoint_id, **fields) for _ in range(count)]
        await self.streams.publish(*map(queued, made))
        return made

    async def records(self) -> list[trace_pb2.TraceRecord]:
        """Everything on TRACE."""
        batches = [trace_pb2.TraceBatch.FromString(data) for data in await self.streams.messages(topology.TRACE)]
        return [record for batch in batches for record in batch.records]

    async def attempts(self, delivery_id: str = "") -> list[trace_pb2.Attempted]:
        """The recorded attempts, of one delivery or of all."""
        steps = [record.attempted for record in await self.records() if record.HasField("attempted")]
        return [step for step in steps if delivery_id in {"", step.delivery_id}]

    async def parked(self) -> list[trace_pb2.Parked]:
        """The records of deliveries that wait."""
        return [record.parked for record in await self.records() if record.HasField("parked")]

    async def statuses(self) -> dict[str, list[trace_pb2.DeliveryStatus.ValueType]]:
        """How the attempts at each delivery ended."""
        found: dict[str, list[trace_pb2.DeliveryStatus.ValueType]] = defaultdict(list)
        for step in await self.attempts():
            found[step.delivery_id].append(step.status)
        return found

    async def rows(self, endpoint_id: str) -> list[asyncpg.Record]:
        """The rows of an endpoint."""
        return await self.pool.fetch(
            "SELECT * FROM senders.parked WHERE endpoint_id = $1 ORDER BY due_us, sequence", endpoint_id
        )

    async def state(self, endpoint_id: str) -> Any:
        """The state of an endpoint; None: nothing is stored."""
        return await self.pool.fetchrow("SELECT * FROM senders.endpoint_states WHERE endpoint_id = $1", endpoint_id)

    async def is_counted_right(self) -> bool:
        """Whether each endpoint's count is that of its rows."""
        wrong = await self.pool.fetch(
            "SELECT s.endpoint_id FROM senders.endpoint_states s"
            " WHERE s.parked <> (SELECT count(*) FROM senders.parked p WHERE p.endpoint_id = s.endpoint_id)"
        )
        return not wrong

    async def all_acked(self) -> bool:
        """Whether no message is left in DELIVERIES."""
        jetstream = self.connection.jetstream(timeout=60)
        infos = [await jetstream.consumer_info(one.stream, one.name) for one in topology.delivery_consumers(WEBHOOK)]
        return not sum((info.num_pending or 0) + (info.num_ack_pending or 0) for info in infos)

    async def has_rows(self, endpoint_id: str, deliveries: Sequence[event_pb2.Delivery]) -> bool:
        """Whether all of these deliveries have rows."""
        return {one.id for one in deliveries} <= {str(row["delivery_id"]) for row in await self.rows(endpoint_id)}

    async def is_forgotten(self, endpoint_id: str) -> bool:
        """Whether nothing waits, and nothing is wrong."""
        return not await self.rows(endpoint_id) and await self.state(endpoint_id) is None

    async def are_sent(self, deliveries: Sequence[event_pb2.Delivery]) -> bool:
        """Whether all of these deliveries are recorded as sent."""
        statuses = await self.statuses()
        return all(trace_pb2.DELIVERY_STATUS_SENT in statuses[one.id] for one in deliveries)

    async def is_published(self, endpoint_id: str, state: str) -> bool:
        """Whether this state of the endpoint is published."""
        return f'"{state}"'.encode() in (await self.published_state(endpoint_id) or b"")

    async def published_state(self, endpoint_id: str) -> bytes | None:
        """What is published of an endpoint's state."""
        bucket = ConfigurationBucket(self.connection)
        return (await bucket.newest(topology.endpoint_state_key(TENANT, endpoint_id))).value


def delivery(endpoint_id: str, **fields: Any) -> event_pb2.Delivery:
    """A delivery as the router makes it, just now."""
    event_id, now_us = new_id(), clock.now_us()
    defaults: dict[str, Any] = {
        "id": derived_id(event_id, endpoint_id),
        "event_id": event_id,
        "tenant_id": TENANT,
        "event_type": "order.paid",
        "channel": WEBHOOK,
        "webhook": event_pb2.Webhook(endpoint_id=endpoint_id),
        "variables": b'{"order":7}',
        "accepted_at_us": now_us,
        "planned_at_us": now_us,
        "attempt": 1,
    }
    return event_pb2.Delivery(**{**defaults, **fields})


def queued(one: event_pb2.Delivery) -> nats.Outgoing:
    """Its message."""
    return nats.Outgoing(topology.delivery_subject(WEBHOOK, one.tenant_id), one.SerializeToString(), one.id)
