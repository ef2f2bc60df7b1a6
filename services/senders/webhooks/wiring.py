"""Builds the senders' part for webhooks: the worker, and what waits in rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg
import grpc.aio
from nats.aio.client import Client

from clarion.common.v1 import event_pb2
from runtime.configuration import ConfigurationOutbox
from runtime.database_clock import DatabaseClock
from runtime.encryption import Vault
from runtime.grpc import Caller
from runtime.parts import POSTGRES, OwnParts
from services.delivery.bodies import Bodies
from services.delivery.claims import LedgerClaims
from services.delivery.ports import Refusal, SendResult
from services.delivery.worker import DeliveryWorker
from services.senders.contents.ports import ContentRecorder
from services.senders.egress import Egress
from services.senders.settings import Settings
from services.senders.webhooks.attempter import WebhookAttempter
from services.senders.webhooks.bounds import Limits
from services.senders.webhooks.calls import MOST_WAITING
from services.senders.webhooks.client import WebhookClient
from services.senders.webhooks.directory import PublishedEndpoints
from services.senders.webhooks.parking import wiring as parking_wiring
from services.senders.webhooks.parking.book import EndpointBook
from services.senders.webhooks.parking.breaker import BreakerPolicy
from services.senders.webhooks.parking.cancel import CanceledEvents
from services.senders.webhooks.parking.drain import Drain
from services.senders.webhooks.parking.notices import EndpointOutages, Notices
from services.senders.webhooks.parking.ports import Letter
from services.senders.webhooks.parking.servicer import ParkingServicer
from services.senders.webhooks.parking.wiring import Parking
from services.senders.webhooks.ports import NotPublished, OpenEndpoint

# Deliveries in hand of one consumer, at least.
_LEAST_HELD = 256
# An attempt may take longer than its call: the body is read, and the lookup of the endpoint may wait.
_BESIDE_CALL_S = 5.0
# Attempts of rows that are under way at one endpoint, at most.
_AT_ONCE = 16


def most_held(calls: int) -> int:
    """Return how many deliveries each consumer of the worker may have in hand. calls: the most that are under way.

    Even if all calls are those of one consumer's tenants, and all that may wait for one do, it has room to take what
    others send, and to put what may not be sent now into rows.
    """
    return max(_LEAST_HELD, calls + calls // 3) + MOST_WAITING


class WebhookConfiguration:
    """The published endpoints and canceled events, as this process follows them. on_change: of a ConfigurationWatch."""

    def __init__(self, published: PublishedEndpoints) -> None:
        self.published = published
        self.book = EndpointBook(_Existing(published))
        self.canceled = CanceledEvents()

    def on_change(self, key: str, value: bytes | None) -> None:
        """Apply one change of the configuration."""
        self.published.on_change(key, value)
        self.book.on_change(key, value)
        self.canceled.on_change(key, value)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The connections of this process. pool: without bitmap scans."""

    pool: "asyncpg.Pool[asyncpg.Record]"
    nats: Client
    ingest: grpc.aio.Channel
    router: grpc.aio.Channel
    caller: Caller


@dataclass(frozen=True, slots=True)
class Webhooks:
    """The parts that run."""

    parking: Parking
    worker: DeliveryWorker
    drain: Drain
    notices: Notices
    clock: DatabaseClock
    client: WebhookClient
    servicer: ParkingServicer


def make_webhooks(
    settings: Settings,
    neighbours: Neighbours,
    outbox: ConfigurationOutbox,
    followed: WebhookConfiguration,
    own: OwnParts,
    egress: Egress,
    vault: Vault,
    refusals: Sequence[Refusal],
    outages: EndpointOutages | None = None,
    contents: ContentRecorder | None = None,
) -> Webhooks:
    """Return the parts of webhooks."""
    ingest, caller, connection = neighbours.ingest, neighbours.caller, neighbours.nats
    client = WebhookClient(
        egress.webhooks,
        proxy=egress.proxy,
        timeout_s=settings.webhook_timeout_s,
        limits=Limits(settings.webhook_calls, settings.webhook_tenant_calls, settings.webhook_slots),
    )
    now = DatabaseClock(neighbours.pool)
    attempter = WebhookAttempter(followed.published, Bodies(connection, ingest, caller, own), client, contents=contents)
    attempt_s = settings.webhook_timeout_s + _BESIDE_CALL_S
    parking = parking_wiring.open_parking(
        neighbours.pool,
        outbox,
        connection,
        followed.book,
        followed.canceled,
        own,
        _policy(settings),
        at_once=min(_AT_ONCE, settings.webhook_slots),
        per_s=settings.webhook_drain_per_s,
        attempt_s=attempt_s,
        keep_s=settings.webhook_keep_days * 86_400 * settings.webhook_time_scale,
        now=now,
    )
    worker = DeliveryWorker(
        connection,
        [event_pb2.CHANNEL_WEBHOOK],
        attempter,
        LedgerClaims(ingest, caller),
        delays_s=settings.retry_delays_s or None,
        delays=attempter.retry_delays_s,
        retry_scale=settings.webhook_time_scale,
        max_held=most_held(settings.webhook_calls),
        slot_limit=settings.webhook_slots,
        attempt_deadline_s=attempt_s,
        refusals=refusals,
        own=own,
        observe=parking.watcher.observe,
        parking=parking.parked,
        may_defer=[POSTGRES],
    )
    drain = parking_wiring.make_drain(parking, worker.attempts.through(attempter.of_drain()))
    notices = parking_wiring.make_notices(
        parking, neighbours.pool, connection, ingest, neighbours.router, caller, outages
    )
    servicer = parking_wiring.make_servicer(parking, drain, _AttempterLetters(attempter), vault, refusals)
    return Webhooks(parking, worker, drain, notices, now, client, servicer)


def _policy(settings: Settings) -> BreakerPolicy:
    return BreakerPolicy(
        failures=settings.webhook_breaker_failures,
        probe_s=settings.webhook_probe_s,
        longest_probe_s=settings.webhook_longest_probe_s,
        disable_after_s=settings.webhook_disable_after_s,
    ).scaled(settings.webhook_time_scale)


class _Existing:
    """Implements parking.book.PublishedEndpoints."""

    def __init__(self, published: PublishedEndpoints) -> None:
        self._published = published

    def known(self, tenant_id: str, endpoint_id: str) -> OpenEndpoint | None:
        return self._published.known(tenant_id, endpoint_id)

    async def exists(self, tenant_id: str, endpoint_id: str) -> bool:
        try:
            return await self._published.endpoint(tenant_id, endpoint_id) is not None
        except NotPublished:
            return True


class _AttempterLetters:
    """Implements parking.ports.Letters."""

    def __init__(self, attempter: WebhookAttempter) -> None:
        self._attempter = attempter

    async def letter(self, delivery: event_pb2.Delivery) -> Letter | SendResult:
        prepared = await self._attempter.polled(delivery)
        if isinstance(prepared, SendResult):
            return prepared
        return Letter(prepared.message.body, {"content-type": "application/json", **prepared.message.signed})
