"""Starts the router: ``python -m services.router``."""

from clarion.router.v1 import router_pb2_grpc
from runtime import grpc, nats
from runtime.configuration import Watch
from runtime.service import Process, run
from services.router.catalog import PREFIXES, Catalog
from services.router.consumer import RouterConsumer
from services.router.servicer import RouterServicer
from services.router.settings import Settings


async def wire(settings: Settings, process: Process) -> grpc.Server:
    """Put the service together."""
    connection = await nats.connect(settings.nats_url.reveal(), name="router")
    process.on_close(connection.close)
    watch = Watch(connection, PREFIXES)
    process.start(watch.run(), name="configuration")
    await watch.ready()

    token = settings.service_token.reveal()
    channels = {
        "ingest": grpc.channel(settings.ingest_address),
        "render": grpc.channel(settings.render_address),
        "senders": grpc.channel(settings.senders_address),
    }
    for channel in channels.values():
        process.on_close(channel.close)
    catalog = Catalog(watch, caller=grpc.Caller(token), **channels)

    consumer = RouterConsumer(connection, catalog)
    routing = process.start(consumer.run(), name="consumer")

    async def finish() -> None:
        await consumer.drain()
        await routing

    process.on_drain(finish)

    server = grpc.Server(settings.grpc_address, token=token)
    server.add(
        router_pb2_grpc.add_RouterServiceServicer_to_server, RouterServicer(catalog), "clarion.router.v1.RouterService"
    )
    await server.start()
    return server


if __name__ == "__main__":
    run("router", Settings, wire)
