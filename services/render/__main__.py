"""Wiring of the render service."""

from clarion.render.v1 import (
    locales_pb2_grpc,
    parts_pb2_grpc,
    render_pb2_grpc,
    samples_pb2_grpc,
    templates_pb2_grpc,
)
from runtime import configuration, grpc, nats, postgres, reconcile, service
from services.render import configuration_sources, platform_templates, telemetry
from services.render.applying import PartRollout
from services.render.frames import WorkerLimits
from services.render.part_store import PostgresParts
from services.render.parts import PartLibrary
from services.render.pool import WorkerPool
from services.render.render import TemplateRenderer
from services.render.samples.samples import SampleLibrary
from services.render.samples.servicer import SAMPLE_SERVICE, SampleServicer
from services.render.samples.store import PostgresSamples
from services.render.servicer import RENDER_SERVICE, RenderServicer
from services.render.servicer_parts import PART_SERVICE, PartServicer
from services.render.servicer_templates import LOCALE_SERVICE, TEMPLATE_SERVICE, LocaleServicer, TemplateServicer
from services.render.settings import Settings
from services.render.sources import CachedTemplateSources
from services.render.store import PostgresTemplates
from services.render.templates import TemplateLibrary

_POSTGRES_CONNECTIONS = 4
_MIB = 1024 * 1024


async def wire(settings: Settings, process: service.Process) -> grpc.GrpcServer:
    """Create the parts of the service, connect them and start the loops."""
    pool = await postgres.connect(settings.postgres_url.reveal(), name="render", size=_POSTGRES_CONNECTIONS)
    connection = await nats.connect(settings.nats_url.reveal(), name="render")
    process.on_close(pool.close)
    process.on_close(connection.close)

    outbox = configuration.ConfigurationOutbox(pool, "render", connection)
    store = PostgresTemplates(pool, outbox)
    limits = WorkerLimits(
        settings.render_cpu_s,
        settings.render_output,
        settings.render_memory_mib * _MIB,
        settings.template_engine,
        settings.render_compile_s,
    )
    workers = WorkerPool(limits, workers=settings.render_workers, on_restart=telemetry.count_restart)
    renderer = TemplateRenderer(workers, CachedTemplateSources(store, connection))
    process.start(workers.serve(), name="workers")
    process.start(outbox.run(), name="config-outbox")
    reconciler = reconcile.Reconciler(pool, connection, configuration_sources.OWNER, configuration_sources.SOURCES)
    process.start(reconciler.run(), name="reconciler")
    process.start(platform_templates.ensure(store), name="platform-templates")
    await workers.ready()

    server = grpc.GrpcServer(settings.grpc_address, token=settings.service_token.reveal())
    add_services(server, renderer, store, PostgresParts(pool), PostgresSamples(pool))
    await server.start()
    return server


def add_services(
    server: grpc.GrpcServer,
    renderer: TemplateRenderer,
    store: PostgresTemplates,
    kept: PostgresParts,
    samples: PostgresSamples,
) -> None:
    """Add the gRPC services to the server."""
    parts = PartLibrary(kept, renderer)
    templates = TemplateLibrary(store, renderer, parts)
    server.add(render_pb2_grpc.add_RenderServiceServicer_to_server, RenderServicer(renderer, templates), RENDER_SERVICE)
    server.add(
        templates_pb2_grpc.add_TemplateServiceServicer_to_server, TemplateServicer(templates, store), TEMPLATE_SERVICE
    )
    server.add(
        parts_pb2_grpc.add_PartServiceServicer_to_server,
        PartServicer(parts, kept, PartRollout(kept, templates)),
        PART_SERVICE,
    )
    server.add(
        samples_pb2_grpc.add_SampleServiceServicer_to_server,
        SampleServicer(SampleLibrary(samples), samples),
        SAMPLE_SERVICE,
    )
    server.add(locales_pb2_grpc.add_LocaleServiceServicer_to_server, LocaleServicer(store), LOCALE_SERVICE)


if __name__ == "__main__":
    service.run("render", Settings, wire)
