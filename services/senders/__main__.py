"""Wiring of the senders: connections, the parts built on them, the loops, the gRPC server."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import grpc.aio as grpc_aio
from nats.aio.client import Client

from clarion.common.v1 import event_pb2
from clarion.senders.v1 import (
    alerts_pb2_grpc,
    contents_pb2_grpc,
    endpoints_pb2_grpc,
    health_pb2_grpc,
    privacy_pb2_grpc,
    reports_pb2_grpc,
    senders_pb2_grpc,
    usage_pb2_grpc,
)
from runtime import configuration, grpc, nats, parts, postgres, reconcile, service
from runtime.ids import new_id
from services.delivery.bodies import Bodies
from services.delivery.claims import LedgerClaims
from services.delivery.ports import Refusal
from services.delivery.render_client import RenderClient
from services.delivery.rendered import RenderingAttempter
from services.delivery.worker import DeliveryWorker
from services.domain import cancellations, channels, erasures, pseudonym_keys, pseudonyms, retention, topology
from services.domain.broker_health import report_broker
from services.domain.suppression_list import SuppressionList
from services.senders import checked_settings, configuration_sources, directory, send
from services.senders.alerts.endpoints import EndpointWatch
from services.senders.alerts.servicer import NAME as ALERT_SERVICE
from services.senders.alerts.wiring import Alerts, make_alerts
from services.senders.breaker import BreakerPolicy
from services.senders.checked_settings import CheckedSettings
from services.senders.contents.servicer import CONTENT_SERVICE, ContentServicer
from services.senders.contents.store import ContentStore
from services.senders.contents.writer import ContentWriter
from services.senders.health.recorder import HealthRecorder
from services.senders.health.servicer import PROVIDER_HEALTH_SERVICE, ProviderHealthServicer
from services.senders.health.store import ProviderHealthStore
from services.senders.health.testing import ProviderTester
from services.senders.http import HttpClient
from services.senders.outbox import SandboxOutbox
from services.senders.ports import Resources
from services.senders.privacy import SendersPrivacyStore
from services.senders.reports.servicer import REPORT_SERVICE
from services.senders.reports.unsubscribe import UnsubscribeLinkAdder
from services.senders.reports.wiring import make_servicer
from services.senders.send import ProviderSender
from services.senders.sent import SentLog
from services.senders.servicer import OUTBOX_SERVICE, PROVIDER_SERVICE, OutboxServicer, ProviderServicer
from services.senders.servicer_privacy import NAME as PRIVACY_SERVICE
from services.senders.servicer_privacy import SendersPrivacyServicer
from services.senders.servicer_usage import NAME as USAGE_SERVICE
from services.senders.servicer_usage import SendersUsageServicer
from services.senders.settings import Settings
from services.senders.store import ProviderStore, SecretBox
from services.senders.webhooks.directory import PublishedEndpoints
from services.senders.webhooks.parking.book import PREFIXES as ENDPOINT_PREFIXES
from services.senders.webhooks.parking.servicer import PARKING_SERVICE
from services.senders.webhooks.router import RouterEndpoints
from services.senders.webhooks.wiring import Neighbours, WebhookConfiguration, Webhooks, make_webhooks

_POSTGRES_CONNECTIONS, _ROWS_POSTGRES_CONNECTIONS, _FAST_POSTGRES_CONNECTIONS = 8, 8, 1
_MAX_HELD = 512
# Their keys are complete before the first delivery: tenants, retention and erasures; suppressions and canceled events.
_OWNERS = ("ingest", "router")
# The keys that are followed.
_PREFIXES = (
    *dict.fromkeys((*directory.PREFIXES, *ENDPOINT_PREFIXES)),
    topology.SUPPRESSIONS,
    topology.CANCELED,
    erasures.PREFIX,
    retention.PREFIX,
    pseudonyms.PREFIX,
)


@dataclass(frozen=True)
class _Connections:
    pool: postgres.Pool
    # Of the rows of deliveries that wait.
    rows_pool: postgres.Pool
    # Of what may be lost: its commits do not wait for the disk.
    fast_pool: postgres.Pool
    nats: Client
    render: grpc_aio.Channel
    ingest: grpc_aio.Channel
    router: grpc_aio.Channel
    caller: grpc.Caller


@dataclass(frozen=True)
class _Stores:
    """What the senders keep in PostgreSQL. away: which parts of Clarion do not answer."""

    config_outbox: configuration.ConfigurationOutbox
    providers: ProviderStore
    secrets: SecretBox
    sandbox: SandboxOutbox
    sent: SentLog
    contents: ContentStore
    privacy: SendersPrivacyStore
    health: ProviderHealthStore
    away: parts.OwnParts


@dataclass(frozen=True)
class _Observers:
    """What takes note of attempts: the health of providers, outages, and what was sent."""

    health: HealthRecorder
    alerts: Alerts
    contents: ContentWriter


@dataclass(frozen=True)
class _Configuration:
    """The published configuration, as this process follows it. refusals: why a delivery is not sent after all."""

    watch: configuration.ConfigurationWatch
    directory: directory.ConfiguredDirectory
    webhooks: WebhookConfiguration
    retention: retention.RetentionPolicies
    refusals: Sequence[Refusal]


async def wire(settings: Settings, process: service.Process) -> grpc.GrpcServer:
    """Connect, build the parts, start the loops; return the serving gRPC server."""
    checked = checked_settings.check(settings)
    connections = await _connect(settings, process)
    stores = _open_stores(connections, checked)
    followed = _follow_configuration(connections, stores, checked)
    observers = _make_observers(settings, connections, stores, followed)
    resources = _make_resources(process, stores, checked)
    sender = _make_sender(settings, resources, stores, followed, checked, observers)
    _start_publishing(process, connections, stores)
    process.start(stores.sent.purge(settings.sent_keep_days), name="sent-purge")
    process.start(followed.watch.run(), name="config-watch")
    await _wait_for_configuration(followed.watch, checked)
    content_days = settings.payloads_keep_days if settings.keep_content else 0
    process.start(
        stores.privacy.keep_expiring(settings.outbox_keep_hours, content_days, followed.retention), name="retention"
    )
    webhooks = _make_webhooks(settings, connections, stores, followed, checked, observers)
    process.on_close(webhooks.client.close)
    _start_workers(process, _make_workers(settings, connections, sender, followed, stores.away), webhooks)
    process.start(observers.health.run(), name="provider health")
    observers.alerts.start(process)
    ending = (stores.sandbox.drain, stores.sent.drain, observers.contents.drain, sender.close, observers.health.drain)
    for drain in ending:
        process.on_drain(drain)
    tester = ProviderTester(
        stores.providers, resources, followed.directory.tenant, stores.health, observers.health, followed.refusals
    )
    server = _make_server(settings, connections, stores, followed, checked, webhooks)
    server.add(
        health_pb2_grpc.add_ProviderHealthServiceServicer_to_server,
        ProviderHealthServicer(stores.providers, stores.health, tester),
        PROVIDER_HEALTH_SERVICE,
    )
    server.add(alerts_pb2_grpc.add_AlertServiceServicer_to_server, observers.alerts.servicer, ALERT_SERVICE)
    server.add(
        usage_pb2_grpc.add_SendersUsageServiceServicer_to_server, SendersUsageServicer(connections.pool), USAGE_SERVICE
    )
    await server.start()
    await report_broker(process, server, connections.nats, (topology.TIMERS, topology.TRACE))
    return server


async def _connect(settings: Settings, process: service.Process) -> _Connections:
    pool = await postgres.connect(settings.postgres_url.reveal(), name="senders", size=_POSTGRES_CONNECTIONS)
    process.on_close(pool.close)
    rows_pool = await postgres.connect(
        settings.postgres_url.reveal(), name="senders", size=_ROWS_POSTGRES_CONNECTIONS, bitmap_scans=False
    )
    process.on_close(rows_pool.close)
    fast_pool = await postgres.connect(
        settings.postgres_url.reveal(), name="senders", size=_FAST_POSTGRES_CONNECTIONS, durable=False
    )
    process.on_close(fast_pool.close)
    connection = await nats.connect(settings.nats_url.reveal(), name="senders")
    process.on_close(connection.close)
    connections = _Connections(
        pool=pool,
        rows_pool=rows_pool,
        fast_pool=fast_pool,
        nats=connection,
        render=grpc.channel(settings.render_address),
        ingest=grpc.channel(settings.ingest_address),
        router=grpc.channel(settings.router_address),
        caller=grpc.Caller(settings.service_token.reveal()),
    )
    process.on_close(connections.router.close)
    return connections


def _open_stores(connections: _Connections, checked: CheckedSettings) -> _Stores:
    pool = connections.pool
    config_outbox = configuration.ConfigurationOutbox(pool, "senders", connections.nats)
    secrets, away = SecretBox(checked.vault), parts.OwnParts()
    return _Stores(
        config_outbox=config_outbox,
        providers=ProviderStore(pool, config_outbox, secrets),
        secrets=secrets,
        sandbox=SandboxOutbox(pool, away),
        sent=SentLog(pool),
        contents=ContentStore(pool, connections.fast_pool),
        privacy=SendersPrivacyStore(pool),
        health=ProviderHealthStore(pool),
        away=away,
    )


def _follow_configuration(connections: _Connections, stores: _Stores, checked: CheckedSettings) -> _Configuration:
    known = directory.ConfiguredDirectory(stores.providers, stores.away)
    policies = retention.RetentionPolicies()
    erased, canceled = erasures.Erasures(checked.pseudonyms), cancellations.Cancellations()

    def get(key: str) -> bytes | None:
        return watch.get(key)

    owner = RouterEndpoints(connections.router, connections.caller)
    webhooks = WebhookConfiguration(PublishedEndpoints(get, checked.vault, owner, stores.away))

    def on_change(key: str, value: bytes | None) -> None:
        for follower in (known, webhooks, policies, erased, canceled):
            follower.on_change(key, value)

    watch = configuration.ConfigurationWatch(connections.nats, _PREFIXES, on_change)
    suppressed = SuppressionList(watch.get, checked.pseudonyms)
    refusals = (erased.refusal, canceled.refusal, suppressed.of_delivery)
    return _Configuration(watch, known, webhooks, policies, refusals)


async def _wait_for_configuration(watch: configuration.ConfigurationWatch, checked: CheckedSettings) -> None:
    """Wait until all refusals and retention are known: nothing may be sent or deleted before."""
    await watch.ready()
    await watch.complete(*_OWNERS)
    await pseudonym_keys.recognise(watch, checked.pseudonyms, *_OWNERS)


def _make_observers(
    settings: Settings, connections: _Connections, stores: _Stores, followed: _Configuration
) -> _Observers:
    def tenant_name(tenant_id: str) -> str:
        known = followed.directory.tenant(tenant_id)
        return known.name if known is not None else ""

    def keeps(tenant_id: str) -> bool:
        return settings.keep_content and followed.retention.keeps_content(tenant_id)

    alerts = make_alerts(
        connections.pool, connections.ingest, connections.caller, tenant_name, public_url=settings.public_url
    )
    return _Observers(HealthRecorder(stores.health, new_id()), alerts, ContentWriter(stores.contents, keeps))


def _make_resources(process: service.Process, stores: _Stores, checked: CheckedSettings) -> Resources:
    guards = checked.egress
    http = HttpClient(guards.web, proxy=guards.proxy)
    process.on_close(http.close)
    return Resources(recorder=stores.sandbox, http=http, mail_guard=guards.mail, urls=checked.provider_urls)


def _make_sender(
    settings: Settings,
    resources: Resources,
    stores: _Stores,
    followed: _Configuration,
    checked: CheckedSettings,
    observers: _Observers,
) -> ProviderSender:
    sender = ProviderSender(
        followed.directory,
        resources,
        stores.secrets.open_record,
        sent_log=stores.sent,
        contents=observers.contents,
        policy=BreakerPolicy(settings.breaker_failures, settings.breaker_rest_s),
        add_unsubscribe_link=UnsubscribeLinkAdder(checked.links),
        observer=observers.health,
        watch=observers.alerts.watch,
    )
    followed.directory.follow(sender.forget)
    return sender


def _start_publishing(process: service.Process, connections: _Connections, stores: _Stores) -> None:
    process.start(stores.config_outbox.run(), name="config-outbox")
    reconciler = reconcile.Reconciler(
        connections.pool, connections.nats, configuration_sources.OWNER, configuration_sources.SOURCES
    )
    process.start(reconciler.run(), name="reconciler")


def _make_workers(
    settings: Settings,
    connections: _Connections,
    sender: ProviderSender,
    followed: _Configuration,
    away: parts.OwnParts,
) -> list[DeliveryWorker]:
    """Return a worker for each channel, so that a flood of one leaves the other's slots alone."""
    ingest, caller = connections.ingest, connections.caller
    slots = {event_pb2.CHANNEL_EMAIL: settings.email_slots, event_pb2.CHANNEL_SMS: settings.sms_slots}
    return [
        DeliveryWorker(
            connections.nats,
            [channel],
            RenderingAttempter(
                sender,
                Bodies(connections.nats, ingest, caller, away),
                RenderClient(connections.render, caller),
                away,
            ),
            LedgerClaims(ingest, caller),
            delays_s=settings.retry_delays_s or None,
            max_held=_MAX_HELD,
            slot_limit=slots[channel],
            attempt_deadline_s=send.DEADLINE_S,
            refusals=followed.refusals,
            own=away,
            needs=[parts.RENDER],
        )
        for channel in channels.of_service("senders")
        if channel in channels.FOR_PEOPLE
    ]


def _make_webhooks(
    settings: Settings,
    connections: _Connections,
    stores: _Stores,
    followed: _Configuration,
    checked: CheckedSettings,
    observers: _Observers,
) -> Webhooks:
    neighbours = Neighbours(
        connections.rows_pool, connections.nats, connections.ingest, connections.router, connections.caller
    )
    return make_webhooks(
        settings,
        neighbours,
        stores.config_outbox,
        followed.webhooks,
        stores.away,
        checked.egress,
        checked.vault,
        followed.refusals,
        EndpointWatch(observers.alerts.store),
        observers.contents,
    )


def _start_workers(process: service.Process, workers: list[DeliveryWorker], webhooks: Webhooks) -> None:
    workers = [*workers, webhooks.worker]
    for worker in workers:
        process.start(worker.run(), name="deliveries")
    process.start(webhooks.clock.run(), name="database clock")
    process.start(webhooks.notices.run(), name="endpoint notices")
    process.start(webhooks.parking.canceled.run(), name="canceled deliveries")
    draining = process.start(webhooks.drain.run(), name="parked deliveries")

    async def drain() -> None:
        """Drain all at once: one that waits for a hung mail server must not leave the other taking more."""
        await asyncio.gather(*[worker.drain() for worker in workers], webhooks.drain.drain())
        await draining
        await webhooks.parking.watcher.drain()

    process.on_drain(drain)


def _make_server(
    settings: Settings,
    connections: _Connections,
    stores: _Stores,
    followed: _Configuration,
    checked: CheckedSettings,
    webhooks: Webhooks,
) -> grpc.GrpcServer:
    reports = make_servicer(
        pool=connections.pool,
        connection=connections.nats,
        box=stores.secrets,
        directory=followed.directory,
        sent=stores.sent,
        links=checked.links,
        router=connections.router,
        caller=connections.caller,
    )
    server = grpc.GrpcServer(settings.grpc_address, token=settings.service_token.reveal())
    server.add(
        senders_pb2_grpc.add_ProviderServiceServicer_to_server,
        ProviderServicer(stores.providers, checked.egress.mail),
        PROVIDER_SERVICE,
    )
    server.add(senders_pb2_grpc.add_OutboxServiceServicer_to_server, OutboxServicer(stores.sandbox), OUTBOX_SERVICE)
    server.add(reports_pb2_grpc.add_ReportServiceServicer_to_server, reports, REPORT_SERVICE)
    server.add(endpoints_pb2_grpc.add_ParkingServiceServicer_to_server, webhooks.servicer, PARKING_SERVICE)
    server.add(
        contents_pb2_grpc.add_ContentServiceServicer_to_server,
        ContentServicer(
            stores.contents, followed.retention, settings.payloads_keep_days if settings.keep_content else 0
        ),
        CONTENT_SERVICE,
    )
    server.add(
        privacy_pb2_grpc.add_SendersPrivacyServiceServicer_to_server,
        SendersPrivacyServicer(
            stores.privacy, webhooks.parking.eraser, stores.contents, outbox_hours=settings.outbox_keep_hours
        ),
        PRIVACY_SERVICE,
    )
    return server


if __name__ == "__main__":
    service.run("senders", Settings, wire)
