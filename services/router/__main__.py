"""Starts the router: ``python -m services.router``."""

from clarion.router.v1 import (
    privacy_pb2_grpc,
    recipients_pb2_grpc,
    router_pb2_grpc,
    runs_pb2_grpc,
    suppressions_pb2_grpc,
)
from runtime import configuration, grpc, nats, postgres
from runtime.configuration import ConfigurationWatch
from runtime.parts import OwnParts
from runtime.service import Process, run
from services.domain import topology
from services.domain.broker_health import report_broker
from services.domain.pseudonyms import Pseudonyms
from services.domain.publishing import start_publishing
from services.domain.suppression_list import SuppressionList
from services.domain.trace import TraceWriter
from services.router import configuration_sources, policies
from services.router.catalog import OWNERS, PREFIXES, Catalog
from services.router.consumer import RouterConsumer
from services.router.groups.store import GroupStore
from services.router.missing import NoProgress
from services.router.owners import ConfigurationOwners
from services.router.planner import CatalogPlanner
from services.router.recipients.people import PostgresRecipients
from services.router.recipients.servicer import (
    RECIPIENT_SERVICE,
    ROUTER_PRIVACY_SERVICE,
    RecipientServicer,
    RouterPrivacyServicer,
)
from services.router.recipients.store import RecipientStore
from services.router.runs.database_clock import DatabaseClock
from services.router.runs.runner import Runs
from services.router.runs.servicer import RUN_SERVICE, RunServicer
from services.router.runs.store import RunStore
from services.router.servicer import RouterServicer
from services.router.settings import Settings
from services.router.suppressions.servicer import SUPPRESSION_SERVICE, SuppressionServicer
from services.router.suppressions.store import SuppressionStore
from services.router.suppressions.unkeyed_digests import unkeyed_digests

# Suppressions and recipients change rarely, and are read a page at a time; runs are worked off in batches.
_POSTGRES_CONNECTIONS, _RUNS_POSTGRES_CONNECTIONS = 4, 6


async def wire(settings: Settings, process: Process) -> grpc.GrpcServer:
    """Wire the service."""
    keyed = Pseudonyms(settings.pseudonym_key.reveal())
    pool = await postgres.connect(settings.postgres_url.reveal(), name="router", size=_POSTGRES_CONNECTIONS)
    process.on_close(pool.close)
    connection = await nats.connect(settings.nats_url.reveal(), name="router")
    process.on_close(connection.close)
    runs_pool = await postgres.connect(
        settings.postgres_url.reveal(), name="router", size=_RUNS_POSTGRES_CONNECTIONS, bitmap_scans=False
    )
    process.on_close(runs_pool.close)
    outbox = configuration.ConfigurationOutbox(pool, "router", connection)
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
    watch = ConfigurationWatch(connection, PREFIXES)
    process.start(watch.run(), name="configuration")
    await watch.ready()
    # Nothing may be sent before the suppressions are known.
    await watch.complete(*OWNERS)
    await migration.ready(watch)
    suppressions = SuppressionStore(pool, outbox)
    recipients, groups = RecipientStore(pool), GroupStore(pool)
    process.start(groups.keep_removing_deleted(), name="deleted groups")

    token = settings.service_token.reveal()
    channels = {
        "ingest": grpc.channel(settings.ingest_address),
        "render": grpc.channel(settings.render_address),
        "senders": grpc.channel(settings.senders_address),
    }
    for channel in channels.values():
        process.on_close(channel.close)
    own = OwnParts()
    catalog = Catalog(watch, ConfigurationOwners(caller=grpc.Caller(token), own=own, **channels))
    ordered = policies.ordered(SuppressionList(watch.get, keyed).reason)
    people = PostgresRecipients(pool)

    planner = CatalogPlanner(catalog, ordered)
    run_store, clock = RunStore(runs_pool, outbox), DatabaseClock(runs_pool)
    process.start(clock.run(), name="database clock")
    runs = Runs(connection, run_store, planner, people, NoProgress(), now=clock)
    working = process.start(runs.run(), name="runs")

    consumer = RouterConsumer(connection, catalog, ordered, people, runs, own=own)
    routing = process.start(consumer.run(), name="consumer")

    async def finish() -> None:
        await consumer.drain()
        await routing
        await runs.drain()
        await working

    process.on_drain(finish)

    server = grpc.GrpcServer(settings.grpc_address, token=token)
    server.add(
        router_pb2_grpc.add_RouterServiceServicer_to_server,
        RouterServicer(planner, people),
        "clarion.router.v1.RouterService",
    )
    server.add(
        suppressions_pb2_grpc.add_SuppressionServiceServicer_to_server,
        SuppressionServicer(suppressions, keyed),
        SUPPRESSION_SERVICE,
    )
    server.add(
        recipients_pb2_grpc.add_RecipientServiceServicer_to_server,
        RecipientServicer(recipients, groups),
        RECIPIENT_SERVICE,
    )
    server.add(
        privacy_pb2_grpc.add_RouterPrivacyServiceServicer_to_server,
        RouterPrivacyServicer(recipients),
        ROUTER_PRIVACY_SERVICE,
    )
    trace = TraceWriter(nats.StreamPublisher(connection))
    server.add(
        runs_pb2_grpc.add_RunServiceServicer_to_server,
        RunServicer(run_store, runs.wake, trace, now=clock),
        RUN_SERVICE,
    )
    await server.start()
    await report_broker(process, server, connection, (topology.DELIVERIES, topology.TRACE))
    return server


if __name__ == "__main__":
    run("router", Settings, wire)
