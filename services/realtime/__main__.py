"""Starts the realtime service: reads the settings, creates its parts and connects them."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeAlias

from nats.aio.client import Client

from clarion.common.v1 import event_pb2
from clarion.realtime.v1 import privacy_pb2_grpc, realtime_pb2_grpc
from runtime import configuration, logs, nats, parts, postgres, service
from runtime.grpc import Caller, channel
from services.delivery.bodies import Bodies
from services.delivery.claims import LedgerClaims
from services.delivery.ports import Refusal
from services.delivery.render_client import RenderClient
from services.delivery.rendered import RenderingAttempter
from services.delivery.worker import DeliveryWorker
from services.domain import cancellations, erasures, pseudonym_keys, pseudonyms, retention, topology
from services.domain.broker_health import report_broker
from services.domain.pseudonyms import Pseudonyms
from services.domain.publishing import start_publishing
from services.realtime import configuration_sources
from services.realtime.directory import EpochDirectory
from services.realtime.guard import HubGuard
from services.realtime.hub import CentrifugoHub
from services.realtime.namespaces import Namespaces
from services.realtime.principal import Principals
from services.realtime.privacy import PrivacyStore
from services.realtime.probe import probe
from services.realtime.push import Push
from services.realtime.revoke import Revoker
from services.realtime.server import GuardedServer
from services.realtime.servicer import NAME, RealtimeServicer
from services.realtime.servicer_privacy import NAME as PRIVACY_NAME
from services.realtime.servicer_privacy import RealtimePrivacyServicer
from services.realtime.settings import Settings
from services.realtime.store import EpochStore, InboxStore
from services.realtime.tokens import Tokens
from services.realtime.unkeyed_digests import unkeyed_digests

POOL_SIZE = 8
# Owners whose keys are never asked for individually, so their part of the configuration must be complete: tenants,
# retention and erasures (ingest), the namespaces of templates (render), and canceled events (router).
_OWNERS = ("ingest", "render", "router")
# The keys that are followed.
_PREFIXES = (
    "tenants",
    "templates",
    topology.REVOCATIONS,
    topology.CANCELED,
    erasures.PREFIX,
    retention.PREFIX,
    pseudonyms.PREFIX,
)

# What applies a change of the configuration: a key, and its value or None.
OnChange: TypeAlias = Callable[[str, bytes | None], None]

log = logs.get(__name__)


async def wire(settings: Settings, process: service.Process) -> GuardedServer:
    """Create the parts, connect them and start their background tasks."""
    keyed = Pseudonyms(settings.pseudonym_key.reveal())
    pool = await postgres.connect(settings.postgres_url.reveal(), name="realtime", size=POOL_SIZE)
    process.on_close(pool.close)
    connection = await nats.connect(settings.nats_url.reveal(), name="realtime")
    process.on_close(connection.close)

    outbox = configuration.ConfigurationOutbox(pool, "realtime", connection)
    inbox, epochs = InboxStore(pool), EpochStore(pool, outbox)
    principals = Principals(settings.principal_secret.reveal())
    directory = EpochDirectory(principals, epochs.find, keyed, note_use=epochs.note_use)
    namespaces, policies = Namespaces(), retention.RetentionPolicies()
    erased, canceled = erasures.Erasures(keyed), cancellations.Cancellations()
    watch = configuration.ConfigurationWatch(
        connection,
        _PREFIXES,
        _followed_by(namespaces, directory, [erased.on_change, canceled.on_change, policies.on_change]),
    )

    secret = settings.centrifugo_token_secret.reveal()
    guard = HubGuard(lambda: probe(settings.centrifugo_url, secret))
    hub = CentrifugoHub(settings.centrifugo_url, settings.centrifugo_api_key.reveal(), guard)
    process.on_close(hub.close)

    privacy = PrivacyStore(pool)
    revoker = Revoker(
        epochs=epochs,
        directory=directory,
        principals=principals,
        namespaces=namespaces,
        hub=hub,
        privacy=privacy,
        keyed=keyed,
    )
    server = GuardedServer(
        settings.grpc_address, token=settings.service_token.reveal(), may_serve=lambda: guard.may_serve
    )
    guard.on_change(server.reassess)
    server.add(
        realtime_pb2_grpc.add_RealtimeServiceServicer_to_server,
        RealtimeServicer(
            inbox=inbox,
            directory=directory,
            tokens=Tokens(secret, lifetime_s=settings.token_lifetime_s),
            namespaces=namespaces,
            revoker=revoker,
            guard=guard,
            configuration=watch.get,
        ),
        NAME,
    )
    server.add(
        privacy_pb2_grpc.add_RealtimePrivacyServiceServicer_to_server,
        RealtimePrivacyServicer(privacy, revoker, settings.inbox_keep_days),
        PRIVACY_NAME,
    )

    migration = start_publishing(
        process,
        pool,
        connection,
        outbox,
        keyed,
        unkeyed_digests(pool, keyed),
        owner=configuration_sources.OWNER,
        sources=configuration_sources.SOURCES,
    )
    process.start(watch.run(), name="watch")
    await asyncio.gather(watch.ready(), guard.check())
    # Nothing is pushed or deleted before erasures, canceled events, namespaces and retention are known.
    await watch.complete(*_OWNERS)
    await pseudonym_keys.recognise(watch, keyed, "ingest")
    await migration.ready(watch)
    process.start(guard.run(), name="guard")
    process.start(privacy.keep_expiring(settings.inbox_keep_days, policies), name="retention")
    process.start(epochs.keep_expiring(), name="retention of revocations")
    own = parts.OwnParts()
    push = Push(inbox, directory, hub, own=own)
    worker = _worker(settings, process, connection, push, [erased.refusal, canceled.refusal], own)
    process.on_drain(worker.drain)
    process.on_drain(inbox.drain)
    process.start(worker.run(), name="worker")
    await server.start()
    await report_broker(process, server, connection, (topology.TIMERS, topology.TRACE))
    return server


def _worker(
    settings: Settings,
    process: service.Process,
    connection: Client,
    push: Push,
    refusals: Sequence[Refusal],
    own: parts.OwnParts,
) -> DeliveryWorker:
    caller = Caller(settings.service_token.reveal())
    render, ingest = channel(settings.render_address), channel(settings.ingest_address)
    process.on_close(render.close)
    process.on_close(ingest.close)
    return DeliveryWorker(
        connection,
        [event_pb2.CHANNEL_PUSH],
        RenderingAttempter(push, Bodies(connection, ingest, caller, own), RenderClient(render, caller), own),
        LedgerClaims(ingest, caller),
        delays_s=settings.retry_delays_s or None,
        refusals=refusals,
        own=own,
        needs=[parts.POSTGRES, parts.RENDER],
        # The inbox comes first: while the hub is away, later notifications must still be stored.
        may_defer=[parts.HUB],
    )


def _followed_by(namespaces: Namespaces, directory: EpochDirectory, others: Sequence[OnChange]) -> OnChange:
    def apply(key: str, value: bytes | None) -> None:
        for follower in others:
            follower(key, value)
        if key.startswith(f"{topology.REVOCATIONS}."):
            directory.forget(key)
        elif key.startswith("templates."):
            try:
                namespaces.apply(key, value)
            except ValueError as error:  # one bad value must not end the watch
                log.error("template_configuration_unreadable", key=key, error=str(error))

    return apply


if __name__ == "__main__":
    service.run("realtime", Settings, wire)
