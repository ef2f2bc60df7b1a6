"""Wiring of the senders."""

import asyncio
from collections.abc import Callable

import grpc.aio as grpc_aio
from nats.aio.client import Client

from clarion.common.v1 import event_pb2
from clarion.senders.v1 import privacy_pb2_grpc, reports_pb2_grpc, senders_pb2_grpc
from runtime import configuration, grpc, nats, parts, postgres, reconcile, service
from runtime.egress import AddressNotAllowed, Guard
from runtime.encryption import Vault
from runtime.errors import ClarionError, Code
from services.delivery.bodies import Bodies
from services.delivery.renderer import Renderer
from services.delivery.states import LedgerStates
from services.delivery.worker import DeliveryWorker
from services.domain import erasures, pseudonyms, retention, topology
from services.domain.broker_health import report_broker
from services.domain.pseudonyms import Pseudonyms
from services.domain.suppression_list import SuppressionList
from services.senders import configuration_sources, directory, egress, registry, send
from services.senders.breaker import Policy
from services.senders.http import HttpClient, parse_urls
from services.senders.outbox import Outbox
from services.senders.ports import Resources
from services.senders.privacy import PrivacyStore
from services.senders.reports.links import Links, check_public_url
from services.senders.reports.servicer import REPORT_SERVICE
from services.senders.reports.unsubscribe import Offer
from services.senders.reports.wiring import make_servicer
from services.senders.send import ProviderSender
from services.senders.sent import SentLog
from services.senders.servicer import OUTBOX_SERVICE, PROVIDER_SERVICE, OutboxServicer, ProviderServicer
from services.senders.servicer_privacy import NAME as PRIVACY_SERVICE
from services.senders.servicer_privacy import SendersPrivacyServicer
from services.senders.settings import Settings
from services.senders.store import ProviderStore, SecretBox

_POSTGRES_CONNECTIONS = 8
_MAX_HELD = 512
# Those whose keys nobody is asked for when the copy lacks them: tenants, retention and erasures; suppressions.
_OWNERS = ("ingest", "router")


async def wire(settings: Settings, process: service.Process) -> grpc.Server:
    """Put the parts together and start the loops."""
    vault, guards = _vault(settings), _egress(settings)
    keyed = Pseudonyms(settings.pseudonym_key.reveal())
    box, links, urls = SecretBox(vault), _links(settings, vault), _urls(settings, guards.web)
    pool = await postgres.connect(settings.postgres_url.reveal(), name="senders", size=_POSTGRES_CONNECTIONS)
    connection = await nats.connect(settings.nats_url.reveal(), name="senders")
    process.on_close(pool.close)
    process.on_close(connection.close)

    config_outbox = configuration.Outbox(pool, "senders", connection)
    store = ProviderStore(pool, config_outbox, box)
    own = parts.Parts()
    outbox = Outbox(pool, own)
    known = directory.ConfiguredDirectory(store, own)
    http, sent = HttpClient(guards.web, proxy=guards.proxy), SentLog(pool)
    sender = ProviderSender(
        known,
        Resources(recorder=outbox, http=http, mail_guard=guards.mail, urls=urls),
        box.open_record,
        notes=sent,
        policy=Policy(settings.breaker_failures, settings.breaker_rest_s),
        offer=Offer(links),
    )
    process.on_close(http.close)
    known.follow(sender.forget)
    erased, policies, privacy = erasures.Erasures(keyed), retention.RetentionPolicies(), PrivacyStore(pool)

    def on_change(key: str, value: bytes | None) -> None:
        for follower in (known, erased, policies):
            follower.on_change(key, value)

    prefixes = (*directory.PREFIXES, topology.SUPPRESSIONS, erasures.PREFIX, retention.PREFIX, pseudonyms.PREFIX)
    watch = configuration.Watch(connection, prefixes, on_change)
    _publish(process, pool, connection, config_outbox)
    process.start(sent.purge(settings.sent_keep_days), name="sent-purge")
    process.start(watch.run(), name="config-watch")
    await _know(watch, keyed)
    process.start(privacy.keep_expiring(settings.outbox_keep_hours, policies), name="retention")

    caller = grpc.Caller(settings.service_token.reveal())
    render, ledger = grpc.channel(settings.render_address), grpc.channel(settings.ingest_address)
    router = grpc.channel(settings.router_address)
    process.on_close(router.close)
    suppressions = SuppressionList(watch.get, keyed)

    def refuse(delivery: event_pb2.Delivery) -> str:
        return erased.refusal(delivery) or suppressions.of_delivery(delivery)

    workers = _workers(settings, connection, sender, caller, render=render, ledger=ledger, refuse=refuse, own=own)
    for worker in workers:
        process.start(worker.run(), name="deliveries")

    async def drain_workers() -> None:
        """All at once: one that waits for a hung mail server must not leave the other taking more."""
        await asyncio.gather(*[worker.drain() for worker in workers])

    process.on_drain(drain_workers)
    process.on_drain(outbox.drain)
    process.on_drain(sent.drain)
    process.on_drain(sender.close)

    server = grpc.Server(settings.grpc_address, token=settings.service_token.reveal())
    server.add(
        senders_pb2_grpc.add_ProviderServiceServicer_to_server, ProviderServicer(store, guards.mail), PROVIDER_SERVICE
    )
    server.add(senders_pb2_grpc.add_OutboxServiceServicer_to_server, OutboxServicer(outbox), OUTBOX_SERVICE)
    reports = make_servicer(
        pool=pool,
        connection=connection,
        box=box,
        directory=known,
        sent=sent,
        links=links,
        router=router,
        caller=caller,
    )
    server.add(reports_pb2_grpc.add_ReportServiceServicer_to_server, reports, REPORT_SERVICE)
    server.add(
        privacy_pb2_grpc.add_SendersPrivacyServiceServicer_to_server, SendersPrivacyServicer(privacy), PRIVACY_SERVICE
    )
    await server.start()
    await report_broker(process, server, connection, (topology.TIMERS, topology.TRACE))
    return server


async def _know(watch: configuration.Watch, keyed: Pseudonyms) -> None:
    """Wait for who is erased or suppressed, and how long what is kept: nothing may be sent or deleted before that."""
    await watch.ready()
    await watch.complete(*_OWNERS)
    await pseudonyms.recognise(watch, keyed, *_OWNERS)


def _workers(
    settings: Settings,
    connection: Client,
    sender: ProviderSender,
    caller: grpc.Caller,
    *,
    render: grpc_aio.Channel,
    ledger: grpc_aio.Channel,
    refuse: Callable[[event_pb2.Delivery], str],
    own: parts.Parts,
) -> list[DeliveryWorker]:
    """Return a worker for each channel: a flood of one leaves the other's slots alone."""
    return [
        DeliveryWorker(
            connection,
            [channel],
            sender,
            Renderer(render, caller),
            LedgerStates(ledger, caller),
            Bodies(connection, ledger, caller, own),
            delays_s=settings.retry_delays_s,
            max_held=_MAX_HELD,
            slot_limit=slots,
            attempt_deadline_s=send.DEADLINE_S,
            refuse=refuse,
            own=own,
        )
        for channel, slots in (
            (event_pb2.CHANNEL_EMAIL, settings.email_slots),
            (event_pb2.CHANNEL_SMS, settings.sms_slots),
        )
    ]


def _publish(process: service.Process, pool: postgres.Pool, connection: Client, outbox: configuration.Outbox) -> None:
    process.start(outbox.run(), name="config-outbox")
    reconciler = reconcile.Reconciler(pool, connection, configuration_sources.OWNER, configuration_sources.SOURCES)
    process.start(reconciler.run(), name="reconciler")


def _vault(settings: Settings) -> Vault:
    try:
        return Vault(*settings.encryption_keys.reveal().split(","))
    except ValueError as error:
        raise ClarionError(Code.INVALID, f"CLARION_ENCRYPTION_KEYS: {error}") from error


def _links(settings: Settings, vault: Vault) -> Links:
    try:
        return Links(vault, check_public_url(settings.public_url))
    except ValueError as error:
        raise ClarionError(Code.INVALID, f"CLARION_PUBLIC_URL: {error}") from error


def _egress(settings: Settings) -> egress.Egress:
    try:
        return egress.read(settings)
    except ValueError as error:
        raise ClarionError(Code.INVALID, str(error)) from error


def _urls(settings: Settings, guard: Guard) -> dict[str, str]:
    try:
        urls = parse_urls(settings.provider_urls)
        if urls:
            from runtime.egress import web  # aiohttp is loaded only where it is used

            for url in urls.values():
                web.check_url(guard, url)
    except (AddressNotAllowed, ValueError) as error:
        raise ClarionError(Code.INVALID, f"CLARION_PROVIDER_URLS: {error}") from error
    # A misspelt one would leave its provider's messages to go where they were not meant to.
    if urls and (unknown := urls.keys() - {kind for _, kind in registry.kinds()}):
        raise ClarionError(Code.INVALID, f"CLARION_PROVIDER_URLS: there is no kind {', '.join(sorted(unknown))}")
    return urls


if __name__ == "__main__":
    service.run("senders", Settings, wire)
