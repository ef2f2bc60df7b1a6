"""Starts the ingest service: ``python -m services.ingest``."""

import asyncpg
from nats.aio.client import Client

from clarion.ingest.v1 import (
    audit_pb2_grpc,
    claims_pb2_grpc,
    ingest_pb2_grpc,
    keys_pb2_grpc,
    ledger_pb2_grpc,
    tenants_pb2_grpc,
)
from runtime import grpc, nats, postgres
from runtime.configuration import ConfigurationOutbox, ConfigurationWatch, marker_key
from runtime.encryption import Vault
from runtime.errors import ClarionError, Code
from runtime.service import Process, run
from services.domain import pseudonyms, topology
from services.domain.broker_health import report_broker
from services.domain.endpoints import MAX_ANSWER_BYTES
from services.domain.erasures import PREFIX, Erasures
from services.domain.pseudonyms import Pseudonyms
from services.domain.publishing import start_publishing
from services.domain.trace import TraceWriter
from services.ingest import configuration_sources, operator_services
from services.ingest.accept import Acceptor
from services.ingest.activity.feed import NatsChangeFeed
from services.ingest.admission import PostgresAdmission
from services.ingest.audit.servicer import AuditServicer
from services.ingest.audit.store import AuditStore
from services.ingest.authenticate import Authenticator
from services.ingest.claims import servicer as claims_servicer
from services.ingest.claims.store import ClaimStore
from services.ingest.endpoints.directory import EndpointDirectory
from services.ingest.endpoints.router_endpoints import OWNER as ROUTER
from services.ingest.endpoints.router_endpoints import RouterEndpoints
from services.ingest.event_log import JetStreamEventLog
from services.ingest.fingerprint import Fingerprints
from services.ingest.janitor import Janitor
from services.ingest.keys.servicer import KeyServicer
from services.ingest.keys.store import KeyStore
from services.ingest.ledger.consumer import LedgerConsumer
from services.ingest.ledger.cursor import Cursors
from services.ingest.ledger.reader import LedgerReader
from services.ingest.ledger.search import EventFinder
from services.ingest.ledger.servicer import LedgerServicer
from services.ingest.ledger.store import LedgerStore
from services.ingest.pressure import Pressure
from services.ingest.privacy.unkeyed_digests import unkeyed_digests
from services.ingest.repeats import RepeatNotes
from services.ingest.retries.store import RetryStore
from services.ingest.servicer import IngestServicer
from services.ingest.settings import Settings
from services.ingest.tenant_settings import TenantSettingsCache
from services.ingest.tenants.servicer import TenantServicer
from services.ingest.tenants.store import TenantStore
from services.ingest.workflows.directory import WorkflowDirectory


async def wire(settings: Settings, process: Process) -> grpc.GrpcServer:
    """Wire the service."""
    vault, keyed = _vault(settings), Pseudonyms(settings.pseudonym_key.reveal())
    connection = await nats.connect(settings.nats_url.reveal(), name="ingest")
    process.on_close(connection.close)
    url = settings.postgres_url.reveal()
    durable = await postgres.connect(url, name="ingest", size=4)
    # Admission's tables can be rebuilt from EVENTS, so their commits do not wait for the disk.
    fast = await postgres.connect(
        url, name="ingest-admission", size=4, deadline=settings.admission_deadline_s, durable=False
    )
    process.on_close(durable.close)
    process.on_close(fast.close)

    erasures = Erasures(keyed)
    watch, outbox = await _configuration(process, connection, durable, keyed, erasures)

    tenants = TenantStore(durable, outbox, vault, most=settings.tenants_per_account)
    known = TenantSettingsCache(watch, tenants)
    event_log = JetStreamEventLog(connection)
    pressure = Pressure()
    fingerprints = Fingerprints(vault.tags("ingest/fingerprint"))
    acceptor = Acceptor(
        PostgresAdmission(fast, known.cached_or_default, pressure),
        event_log,
        known,
        fingerprints,
        _endpoints(settings, process, watch, vault),
        WorkflowDirectory(watch, marker=marker_key(ROUTER)),
    )
    repeats = RepeatNotes(TraceWriter(nats.StreamPublisher(connection)))
    ledger = LedgerStore(durable, fast)
    feed = NatsChangeFeed(connection)
    consumer = LedgerConsumer(connection, ledger, erasures, tell=feed.publish)
    reading = process.start(consumer.run(), name="ledger")
    janitor = Janitor(connection, ledger, pressure)
    process.start(janitor.run(), name="janitor")
    audit = AuditStore(durable, retention_days=settings.audit_retention_days)
    process.start(audit.keep_swept(), name="audit retention")

    claims = ClaimStore(durable)
    process.start(claims.keep_swept(), name="retention of claims")

    async def finish_ledger() -> None:
        await consumer.drain()
        await reading

    process.on_drain(event_log.drain)
    process.on_drain(repeats.drain)
    process.on_drain(finish_ledger)

    keys = KeyStore(durable, outbox)
    authenticator = Authenticator(watch, keys, tenants, vault)
    server = grpc.GrpcServer(
        settings.grpc_address,
        token=settings.service_token.reveal(),
        open_methods=dict.fromkeys(IngestServicer.OPEN_METHODS, authenticator.identify),
        max_answer_bytes=MAX_ANSWER_BYTES,
    )
    server.add(
        ingest_pb2_grpc.add_IngestServiceServicer_to_server,
        IngestServicer(acceptor, authenticator, repeats),
        "clarion.ingest.v1.IngestService",
    )
    server.add(
        tenants_pb2_grpc.add_TenantServiceServicer_to_server,
        TenantServicer(tenants),
        "clarion.ingest.v1.TenantService",
    )
    server.add(keys_pb2_grpc.add_KeyServiceServicer_to_server, KeyServicer(keys), "clarion.ingest.v1.KeyService")
    server.add(
        ledger_pb2_grpc.add_LedgerServiceServicer_to_server,
        LedgerServicer(
            RetryStore(durable, fast), LedgerReader(durable), EventFinder(durable), connection, Cursors(vault.tags)
        ),
        "clarion.ingest.v1.LedgerService",
    )
    server.add(
        claims_pb2_grpc.add_ClaimServiceServicer_to_server,
        claims_servicer.ClaimServicer(claims, connection),
        claims_servicer.NAME,
    )
    server.add(
        audit_pb2_grpc.add_AuditServiceServicer_to_server, AuditServicer(audit), "clarion.ingest.v1.AuditService"
    )
    operator_services.add_services(
        server,
        process,
        settings,
        connection=connection,
        durable=durable,
        fast=fast,
        outbox=outbox,
        janitor=janitor,
        keyed=keyed,
        feed=feed,
        vault=vault,
    )
    await server.start()

    async def database_answers() -> bool:
        return await postgres.is_alive(durable)

    # All of them, so that the gateway learns of each whichever other service is away.
    await report_broker(process, server, connection, topology.STORES)
    process.start(server.watch("postgres", database_answers), name="health of PostgreSQL")
    return server


async def _configuration(
    process: Process, connection: Client, durable: "asyncpg.Pool[asyncpg.Record]", keyed: Pseudonyms, erasures: Erasures
) -> tuple[ConfigurationWatch, ConfigurationOutbox]:
    """Start to watch and to publish the configuration; return when the erasures are known."""
    prefixes = ["tenants", "keys", PREFIX, pseudonyms.PREFIX]
    prefixes += [topology.ENDPOINTS, topology.SUBSCRIBERS, topology.ENDPOINT_STATES, topology.WORKFLOWS]
    watch = ConfigurationWatch(connection, prefixes, erasures.on_change)
    process.start(watch.run(), name="configuration")
    await watch.ready()
    outbox = ConfigurationOutbox(durable, "ingest", connection)
    migration = start_publishing(
        process,
        durable,
        connection,
        outbox,
        keyed,
        unkeyed_digests(durable, keyed),
        owner=configuration_sources.OWNER,
        sources=configuration_sources.SOURCES,
    )
    await watch.complete(configuration_sources.OWNER)
    await migration.ready(watch)
    return watch, outbox


def _endpoints(settings: Settings, process: Process, watch: ConfigurationWatch, vault: Vault) -> EndpointDirectory:
    router = grpc.channel(settings.router_address) if settings.router_address else None
    if router is not None:
        process.on_close(router.close)
    owner = RouterEndpoints(router, grpc.Caller(settings.service_token.reveal()))
    return EndpointDirectory(watch, owner, vault, marker=marker_key(ROUTER))


def _vault(settings: Settings) -> Vault:
    try:
        return Vault(*settings.encryption_keys.reveal().split(","))
    except ValueError as error:
        raise ClarionError(Code.INVALID, f"CLARION_ENCRYPTION_KEYS: {error}") from error


if __name__ == "__main__":
    run("ingest", Settings, wire)
