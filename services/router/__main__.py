"""Starts the router: ``python -m services.router``."""

import asyncio
from dataclasses import dataclass

import asyncpg
from nats.aio.client import Client

from clarion.router.v1 import (
    catalogs_pb2_grpc,
    codes_pb2_grpc,
    endpoints_pb2_grpc,
    imports_pb2_grpc,
    portal_pb2_grpc,
    privacy_pb2_grpc,
    recipients_pb2_grpc,
    router_pb2_grpc,
    runs_pb2_grpc,
    schedules_pb2_grpc,
    segments_pb2_grpc,
    suppressions_pb2_grpc,
    usage_pb2_grpc,
    workflows_pb2_grpc,
)
from runtime import configuration, grpc, nats, postgres
from runtime.clock import Clock
from runtime.configuration import ConfigurationWatch
from runtime.database_clock import DatabaseClock
from runtime.egress import EgressGuard
from runtime.encryption import Vault
from runtime.errors import ClarionError, Code
from runtime.parts import OwnParts
from runtime.service import Process, run
from services.delivery.bodies import Bodies
from services.domain import erasures, pseudonym_keys, topology
from services.domain.broker_health import report_broker
from services.domain.cancellations import Cancellations
from services.domain.erasures import Erasures
from services.domain.pseudonyms import Pseudonyms
from services.domain.publishing import start_publishing
from services.domain.suppression_list import SuppressionList
from services.domain.trace import TraceWriter
from services.router import configuration_sources, policies
from services.router.catalog import OWNERS, PREFIXES, Catalog
from services.router.catalogs.applications.store import ApplicationStore
from services.router.catalogs.environments.store import EnvironmentStore
from services.router.catalogs.event_types.store import EventTypeStore
from services.router.catalogs.servicer import CATALOG_SERVICE, CatalogServicer, CatalogStores
from services.router.codes.servicer import CODE_SERVICE, CodeServicer
from services.router.codes.store import CodeStore
from services.router.consumer import RouterConsumer
from services.router.egress import webhook_guard
from services.router.endpoints.servicer import ENDPOINT_SERVICE, EndpointServicer
from services.router.endpoints.store import EndpointStore
from services.router.endpoints.subscriptions.store import SubscriptionStore
from services.router.endpoints.writing import TenantWrites
from services.router.filtering import Filtering
from services.router.groups.store import GroupStore
from services.router.imports.servicer import IMPORT_SERVICE, ImportServicer
from services.router.imports.store import ImportStore
from services.router.imports.worker import Imports
from services.router.kept_events import Asked, KeptEvents
from services.router.owners import ConfigurationOwners
from services.router.pace import Pace
from services.router.planner import CatalogPlanner, EventPlanner
from services.router.policies import Erased, Policies
from services.router.portal.servicer import PORTAL_SERVICE, PortalServicer
from services.router.portal.store import PortalStore
from services.router.recipients.identity import Identities
from services.router.recipients.people import PostgresRecipients
from services.router.recipients.servicer import RECIPIENT_SERVICE, RecipientServicer
from services.router.recipients.store import Pool, RecipientStore
from services.router.runs.people import PeopleInRuns
from services.router.runs.servicer import RUN_SERVICE, RunServicer
from services.router.runs.store import RunStore
from services.router.schedules.people import PeopleInSchedules
from services.router.schedules.runner import Schedules
from services.router.schedules.servicer import SCHEDULE_SERVICE, ScheduleServicer
from services.router.schedules.store import ScheduleStore
from services.router.search.store import StoredSearch
from services.router.segments.members import SegmentMembers
from services.router.segments.scan import Scan
from services.router.segments.servicer import SEGMENT_SERVICE, SegmentServicer
from services.router.segments.store import SegmentStore
from services.router.servicer import RouterServicer
from services.router.servicer_privacy import ROUTER_PRIVACY_SERVICE, RouterPrivacyServicer
from services.router.servicer_usage import NAME as USAGE_SERVICE
from services.router.servicer_usage import RouterUsageServicer
from services.router.settings import Settings
from services.router.suppressions.servicer import SUPPRESSION_SERVICE, SuppressionServicer
from services.router.suppressions.store import SuppressionStore
from services.router.suppressions.unkeyed_digests import unkeyed_digests
from services.router.workflow_runs.cooldowns import PostgresCooldowns
from services.router.workflow_runs.people import PeopleInWorkflowRuns
from services.router.workflow_runs.sends import CatalogSends
from services.router.workflow_runs.servicer import WorkflowAndRunServicer, WorkflowRunMethods
from services.router.workflow_runs.store import WorkflowRunStore
from services.router.workflow_runs.trial import DryRuns
from services.router.workflows.references import References
from services.router.workflows.servicer import WORKFLOW_SERVICE
from services.router.workflows.store import WorkflowStore

# Suppressions and recipients change rarely, and are read a page at a time; runs are worked off in batches.
_POSTGRES_CONNECTIONS, _RUNS_POSTGRES_CONNECTIONS = 4, 6
# Changes of endpoints and workflows have connections of their own: planning does not wait for them.
_ENDPOINTS_POSTGRES_CONNECTIONS = 3


@dataclass(frozen=True, slots=True)
class _Stores:
    """The router's tables."""

    suppressions: SuppressionStore
    recipients: RecipientStore
    imports: ImportStore
    groups: GroupStore
    runs: RunStore
    workflow_runs: WorkflowRunStore
    people_in_runs: PeopleInRuns
    people_in_workflow_runs: PeopleInWorkflowRuns
    schedules: ScheduleStore
    people_in_schedules: PeopleInSchedules
    portal: PortalStore
    usage: RouterUsageServicer
    codes: CodeStore


@dataclass(frozen=True, slots=True)
class _Configuration:
    """The copy of the configuration, and what in it speaks against sending."""

    watch: ConfigurationWatch
    policies: Policies
    erased: Erased


async def wire(settings: Settings, process: Process) -> grpc.GrpcServer:
    """Wire the service."""
    keyed = Pseudonyms(settings.pseudonym_key.reveal())
    vault, guard = _checked(settings)
    url = settings.postgres_url.reveal()
    pool = await _pool(process, url, _POSTGRES_CONNECTIONS)
    runs_pool = await _pool(process, url, _RUNS_POSTGRES_CONNECTIONS, bitmap_scans=False)
    endpoints_pool = await _pool(process, url, _ENDPOINTS_POSTGRES_CONNECTIONS)
    connection = await nats.connect(settings.nats_url.reveal(), name="router")
    process.on_close(connection.close)
    outbox = configuration.ConfigurationOutbox(pool, "router", connection)
    known = await _configuration(process, connection, pool, outbox, keyed)
    stores = _Stores(
        SuppressionStore(pool, outbox),
        RecipientStore(pool),
        ImportStore(pool),
        GroupStore(pool),
        RunStore(runs_pool, outbox),
        WorkflowRunStore(runs_pool),
        PeopleInRuns(runs_pool),
        PeopleInWorkflowRuns(runs_pool),
        ScheduleStore(runs_pool),
        PeopleInSchedules(runs_pool),
        PortalStore(pool),
        RouterUsageServicer(pool),
        CodeStore(pool, keyed),
    )
    process.start(stores.groups.keep_removing_deleted(), name="deleted groups")

    token = settings.service_token.reveal()
    channels = {
        "ingest": grpc.channel(settings.ingest_address),
        "render": grpc.channel(settings.render_address),
        "senders": grpc.channel(settings.senders_address),
    }
    for channel in channels.values():
        process.on_close(channel.close)
    own, caller, people, pace = OwnParts(), grpc.Caller(token), PostgresRecipients(pool), Pace()
    catalog = Catalog(known.watch, ConfigurationOwners(caller=caller, own=own, **channels))
    bodies = Bodies(connection, channels["ingest"], caller, own)
    filtering = Filtering(bodies)
    process.on_close(filtering.close)
    events = EventPlanner(known.policies, filtering)
    planner = CatalogPlanner(catalog, events, pace)
    clock = DatabaseClock(runs_pool)
    process.start(clock.run(), name="database clock")
    asked = Asked(
        connection,
        channels["ingest"],
        caller,
        own,
        catalog,
        bodies,
        people,
        known.policies,
        known.erased,
        pool,
        runs_pool,
        pace,
    )
    kept = KeptEvents(stores.runs, stores.workflow_runs, planner, asked, clock)
    kept.start(process)
    schedules = Schedules(stores.schedules, channels["ingest"], caller, catalog.is_inactive, now=clock)

    consumer = RouterConsumer(connection, catalog, events, people, kept.runs, erased=known.erased, own=own, pace=pace)
    working = (process.start(consumer.run(), name="consumer"), process.start(schedules.run(), name="schedules"))

    async def finish() -> None:
        await schedules.drain()
        await consumer.drain()
        await asyncio.gather(*working)
        await kept.drain()

    process.on_drain(finish)

    server = grpc.GrpcServer(settings.grpc_address, token=token)
    trace = TraceWriter(nats.StreamPublisher(connection))
    run_servicer = RunServicer(stores.runs, stores.workflow_runs, kept.wake, trace, now=clock)
    _add_codes(server, process, stores.codes)
    _add_recipient_services(server, process, pool, stores)
    _add_services(server, stores, RouterServicer(planner, people, StoredSearch(pool)), run_servicer, keyed)
    writes = TenantWrites(endpoints_pool, outbox)
    _add_endpoint_services(server, endpoints_pool, writes, vault, guard)
    run_methods = WorkflowRunMethods(stores.workflow_runs, pool, kept.wake, now=clock)
    _add_workflow_service(server, WorkflowStore(endpoints_pool, writes), asked, run_methods, clock)
    _add_schedule_service(server, ScheduleServicer(stores.schedules, schedules.wake, now=clock))
    await server.start()
    await report_broker(process, server, connection, (topology.DELIVERIES, topology.TRACE))
    return server


async def _pool(process: Process, url: str, size: int, *, bitmap_scans: bool = True) -> Pool:
    pool = await postgres.connect(url, name="router", size=size, bitmap_scans=bitmap_scans)
    process.on_close(pool.close)
    return pool


def _add_schedule_service(server: grpc.GrpcServer, servicer: ScheduleServicer) -> None:
    server.add(schedules_pb2_grpc.add_ScheduleServiceServicer_to_server, servicer, SCHEDULE_SERVICE)


def _checked(settings: Settings) -> tuple[Vault, EgressGuard]:
    """Return what needs more than a setting's type. Raises INVALID naming the variable that is wrong."""
    try:
        vault = Vault(*settings.encryption_keys.reveal().split(","))
    except ValueError as error:
        raise ClarionError(Code.INVALID, f"CLARION_ENCRYPTION_KEYS: {error}") from error
    try:
        return vault, webhook_guard(settings)
    except ValueError as error:
        raise ClarionError(Code.INVALID, str(error)) from error


async def _configuration(
    process: Process,
    connection: Client,
    pool: "asyncpg.Pool[asyncpg.Record]",
    outbox: configuration.ConfigurationOutbox,
    keyed: Pseudonyms,
) -> _Configuration:
    """Publish the router's part and watch the rest; return when all that speaks against sending is known."""
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
    erased, canceled = Erasures(keyed), Cancellations()

    def on_change(key: str, value: bytes | None) -> None:
        for follower in (erased, canceled):
            follower.on_change(key, value)

    watch = ConfigurationWatch(connection, (*PREFIXES, erasures.PREFIX, topology.CANCELED), on_change)
    process.start(watch.run(), name="configuration")
    await watch.ready()
    await watch.complete(*OWNERS)
    await migration.ready(watch)
    await pseudonym_keys.recognise(watch, keyed, "ingest")  # which names the erased
    suppressed = SuppressionList(watch.get, keyed).reason
    everything = policies.of_everything(suppressed, erased.refusal_of, canceled.covers)
    return _Configuration(watch, everything, erased.refusal_of)


def _add_services(
    server: grpc.GrpcServer, stores: _Stores, router: RouterServicer, runs: RunServicer, keyed: Pseudonyms
) -> None:
    server.add(router_pb2_grpc.add_RouterServiceServicer_to_server, router, "clarion.router.v1.RouterService")
    server.add(
        suppressions_pb2_grpc.add_SuppressionServiceServicer_to_server,
        SuppressionServicer(stores.suppressions, keyed),
        SUPPRESSION_SERVICE,
    )
    server.add(usage_pb2_grpc.add_RouterUsageServiceServicer_to_server, stores.usage, USAGE_SERVICE)
    server.add(
        privacy_pb2_grpc.add_RouterPrivacyServiceServicer_to_server,
        RouterPrivacyServicer(
            stores.recipients,
            stores.people_in_runs,
            stores.people_in_workflow_runs,
            stores.people_in_schedules,
            stores.imports,
            stores.codes,
        ),
        ROUTER_PRIVACY_SERVICE,
    )
    server.add(portal_pb2_grpc.add_PortalServiceServicer_to_server, PortalServicer(stores.portal), PORTAL_SERVICE)
    server.add(runs_pb2_grpc.add_RunServiceServicer_to_server, runs, RUN_SERVICE)


def _add_recipient_services(server: grpc.GrpcServer, process: Process, pool: Pool, stores: _Stores) -> None:
    scan, imports = Scan(pool), Imports(pool)
    process.start(imports.run(), name="imports")
    process.start(imports.sweep(), name="old imports")
    server.add(
        recipients_pb2_grpc.add_RecipientServiceServicer_to_server,
        RecipientServicer(pool, stores.recipients, stores.groups, scan),
        RECIPIENT_SERVICE,
    )
    server.add(
        segments_pb2_grpc.add_SegmentServiceServicer_to_server,
        SegmentServicer(SegmentStore(pool), scan, stores.recipients),
        SEGMENT_SERVICE,
    )
    server.add(
        imports_pb2_grpc.add_ImportServiceServicer_to_server,
        ImportServicer(stores.imports, imports.wake),
        IMPORT_SERVICE,
    )


def _add_endpoint_services(
    server: grpc.GrpcServer,
    pool: "asyncpg.Pool[asyncpg.Record]",
    writes: TenantWrites,
    vault: Vault,
    guard: EgressGuard,
) -> None:
    environments = EnvironmentStore(pool, writes)
    server.add(
        endpoints_pb2_grpc.add_EndpointServiceServicer_to_server,
        EndpointServicer(EndpointStore(pool, writes, environments, vault), SubscriptionStore(pool, writes), guard),
        ENDPOINT_SERVICE,
    )
    stores = CatalogStores(EventTypeStore(pool, writes), environments, ApplicationStore(pool, writes))
    server.add(catalogs_pb2_grpc.add_CatalogServiceServicer_to_server, CatalogServicer(stores), CATALOG_SERVICE)


def _add_codes(server: grpc.GrpcServer, process: Process, codes: CodeStore) -> None:
    process.start(codes.keep_deleting_old(), name="old codes")
    server.add(codes_pb2_grpc.add_CodeServiceServicer_to_server, CodeServicer(codes), CODE_SERVICE)


def _add_workflow_service(
    server: grpc.GrpcServer, store: WorkflowStore, asked: Asked, runs: WorkflowRunMethods, now: Clock
) -> None:
    dry_runs = DryRuns(
        store,
        asked.people,
        Identities(asked.pool),
        SegmentMembers(asked.pool),
        PostgresCooldowns(asked.runs_pool),
        CatalogSends(asked.catalog),
        asked.policies,
        erased=asked.erased,
        now=now,
    )
    servicer = WorkflowAndRunServicer(store, References(store, SegmentStore(asked.pool), asked.catalog), runs, dry_runs)
    server.add(workflows_pb2_grpc.add_WorkflowServiceServicer_to_server, servicer, WORKFLOW_SERVICE)


if __name__ == "__main__":
    run("router", Settings, wire)
