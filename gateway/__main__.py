"""Wiring of the gateway process."""

from gateway.app import create_app
from gateway.clients import Clients
from gateway.server import HttpServer
from gateway.settings import Settings
from runtime import logs, service

log = logs.get(__name__)


async def wire(settings: Settings, process: service.Process) -> service.ProcessServer:
    """Connect to the services and listen."""
    if settings.trusted_proxies and not settings.public_url:
        # Behind a proxy that provides TLS, browsers name another origin than the one that the gateway sees.
        log.warning("public_url_missing", setting="CLARION_PUBLIC_URL", refused="forms of the portal behind TLS")
    clients = Clients(settings)
    process.on_close(clients.close)
    server = HttpServer(settings.http_address, create_app(settings, clients))
    await server.start()
    return server


if __name__ == "__main__":
    service.run("gateway", Settings, wire)
