"""Callbacks: delivery reports of providers, and unsubscriptions by recipients."""

from aiohttp import web

from gateway.addresses import Proxies
from gateway.callbacks.reports import ReportRoutes
from gateway.callbacks.unsubscribe import UnsubscribeRoutes
from gateway.clients import Clients


def add_routes(app: web.Application, clients: Clients, proxies: Proxies) -> None:
    """Serve both. Each path contains a secret, so no key or token is needed."""
    reports, unsubscriptions = ReportRoutes(clients, proxies), UnsubscribeRoutes(clients)
    app.router.add_post("/callbacks/{id}/{secret}", reports.receive)
    app.router.add_get("/unsubscribe/{token}", unsubscriptions.show)
    app.router.add_post("/unsubscribe/{token}", unsubscriptions.unsubscribe)
