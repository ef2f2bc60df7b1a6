"""Starts the render service: ``python -m services.render``."""

from prometheus_client import Counter

from clarion.render.v1 import render_pb2_grpc, templates_pb2_grpc
from runtime import nats, postgres
from runtime.configuration import Outbox
from runtime.grpc import Server
from runtime.service import Process, run
from services.render import platform_templates
from services.render.frames import Limits
from services.render.pool import Pool
from services.render.render import Renderer
from services.render.servicer import RenderServicer, TemplateServicer
from services.render.settings import Settings
from services.render.sources import CachedSources
from services.render.store import TemplateStore

_RESTARTS = Counter("clarion_render_worker_restarts_total", "Deaths of render workers.", ["reason"])


async def wire(settings: Settings, process: Process) -> Server:
    """Put the service together."""
    connection = await nats.connect(settings.nats_url.reveal(), name="render")
    process.on_close(connection.close)
    pool = await postgres.connect(settings.postgres_url.reveal(), name="render", size=4)
    process.on_close(pool.close)
    outbox = Outbox(pool, "render", connection)
    process.start(outbox.run(), name="outbox")

    store = TemplateStore(pool, outbox)
    workers = Pool(
        Limits(settings.render_cpu_s, settings.render_output, settings.render_memory),
        workers=settings.render_workers,
        on_restart=lambda reason: _RESTARTS.labels(reason).inc(),
    )
    process.start(workers.serve(), name="workers")
    renderer = Renderer(workers, CachedSources(store, connection))
    await platform_templates.install(store)

    server = Server(settings.grpc_address, token=settings.service_token.reveal())
    server.add(
        render_pb2_grpc.add_RenderServiceServicer_to_server,
        RenderServicer(renderer),
        "clarion.render.v1.RenderService",
    )
    server.add(
        templates_pb2_grpc.add_TemplateServiceServicer_to_server,
        TemplateServicer(store, renderer),
        "clarion.render.v1.TemplateService",
    )
    await server.start()
    return server


if __name__ == "__main__":
    run("render", Settings, wire)
