"""Wires what operators and the console call: privacy, replays, refused requests, usage, activity, users."""

import asyncpg
from nats.aio.client import Client

from clarion.ingest.v1 import (
    activity_pb2_grpc,
    console_users_pb2_grpc,
    privacy_pb2_grpc,
    refusals_pb2_grpc,
    replays_pb2_grpc,
    usage_pb2_grpc,
)
from runtime.configuration import ConfigurationOutbox
from runtime.encryption import Vault
from runtime.grpc import Caller, GrpcServer, channel
from runtime.service import Process
from services.domain.pseudonyms import Pseudonyms
from services.domain.retention import RetentionPolicy
from services.ingest.activity import servicer as activity
from services.ingest.activity.feed import NatsChangeFeed
from services.ingest.activity.search import SearchReader
from services.ingest.activity.store import ActivityStore
from services.ingest.activity.tail import Tail
from services.ingest.console_users import servicer as console_users
from services.ingest.console_users.passwords import Passwords
from services.ingest.janitor import Janitor
from services.ingest.ledger.reader import LedgerReader
from services.ingest.privacy import servicer as privacy
from services.ingest.privacy.clearing import Clearing
from services.ingest.privacy.retention import RetentionWorker
from services.ingest.privacy.store import LedgerPrivacyStore
from services.ingest.refused.servicer import NAME as REFUSALS
from services.ingest.refused.servicer import RefusalServicer
from services.ingest.refused.store import RefusalStore
from services.ingest.replays import servicer as replays
from services.ingest.replays.runner import ReplayPublisher, ReplayRunner
from services.ingest.replays.store import ReplayStore
from services.ingest.replays.subscriptions import RouterSubscriptions
from services.ingest.retries.publisher import DeliveryPublisher
from services.ingest.settings import Settings
from services.ingest.usage import servicer as usage


def add_services(
    server: GrpcServer,
    process: Process,
    settings: Settings,
    *,
    connection: Client,
    durable: "asyncpg.Pool[asyncpg.Record]",
    fast: "asyncpg.Pool[asyncpg.Record]",
    outbox: ConfigurationOutbox,
    janitor: Janitor,
    keyed: Pseudonyms,
    feed: NatsChangeFeed,
    vault: Vault,
) -> None:
    """Add the services, and start their background loops."""
    keeper = RetentionWorker(
        durable, outbox, events_days=settings.events_keep_days, payload_days=settings.payloads_keep_days
    )
    process.start(keeper.run(), name="retention")
    process.start(Clearing(durable, connection, janitor.spent).run(), name="clearing")
    store, publisher = ReplayStore(durable, fast), ReplayPublisher(connection)
    runner = ReplayRunner(store, publisher, DeliveryPublisher(connection))
    process.start(runner.run(), name="replays")
    counts = ActivityStore(durable, events_days=settings.events_keep_days)
    process.start(counts.keep_rolled_up(), name="activity")
    server.add(
        privacy_pb2_grpc.add_PrivacyServiceServicer_to_server,
        privacy.PrivacyServicer(
            LedgerPrivacyStore(durable, outbox, LedgerReader(durable), keyed),
            installation=RetentionPolicy(
                events_days=settings.events_keep_days, payload_days=settings.payloads_keep_days
            ),
        ),
        privacy.NAME,
    )
    server.add(
        replays_pb2_grpc.add_ReplayServiceServicer_to_server,
        replays.ReplayServicer(store, publisher, runner, _subscriptions(process, settings)),
        replays.NAME,
    )
    server.add(
        activity_pb2_grpc.add_ActivityServiceServicer_to_server,
        activity.ActivityServicer(counts, SearchReader(durable), LedgerReader(durable), Tail(feed)),
        activity.NAME,
    )
    server.add(
        console_users_pb2_grpc.add_ConsoleUserServiceServicer_to_server,
        console_users.ConsoleUserServicer(durable, Passwords()),
        console_users.NAME,
    )
    refused = RefusalStore(durable, vault.tags("ingest/refusals")[0])
    process.start(refused.keep_swept(), name="retention of refused requests")
    server.add(refusals_pb2_grpc.add_RefusalServiceServicer_to_server, RefusalServicer(refused), REFUSALS)
    server.add(usage_pb2_grpc.add_UsageServiceServicer_to_server, usage.UsageServicer(durable), usage.NAME)


def _subscriptions(process: Process, settings: Settings) -> RouterSubscriptions | None:
    if not settings.router_address:
        return None
    router = channel(settings.router_address)
    process.on_close(router.close)
    return RouterSubscriptions(router, Caller(settings.service_token.reveal()))
