"""Wiring of the gateway process."""

from gateway.app import create_app
from gateway.clients import Clients
from gateway.server import HttpServer
from gateway.settings import Settings
from runtime import service


async def wire(settings: Settings, process: service.Process) -> service.ProcessServer:
    """Connect to the services and listen."""
    clients = Clients(settings)
    process.on_close(clients.close)
    server = HttpServer(settings.http_address, create_app(settings, clients))
    await server.start()
    return server


if __name__ == "__main__":
    service.run("gateway", Settings, wire)
