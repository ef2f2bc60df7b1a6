"""The paths of the demo and their handlers."""

from aiohttp import web

from gateway.accepting import TriggerBatcher
from gateway.clients import Clients
from gateway.demo.orders import DemoOrderRoutes
from gateway.demo.outbox import DemoOutboxRoutes
from gateway.demo.page import DemoPageRoutes
from gateway.settings import Settings


def add_routes(app: web.Application, clients: Clients, acceptor: TriggerBatcher, settings: Settings) -> None:
    """Serve the demo of the tenant in the settings. Without one, answer 404 and say so."""
    if not settings.demo_tenant_id:
        for path in ("/demo", "/demo/{rest:.*}"):
            app.router.add_route("*", path, _not_configured)
        return
    page = DemoPageRoutes(clients, settings.demo_tenant_id, settings.demo_user_id)
    orders = DemoOrderRoutes(acceptor, settings.demo_tenant_id, settings.demo_user_id)
    outbox = DemoOutboxRoutes(clients, settings.demo_tenant_id)
    router = app.router
    router.add_get("/demo", page.index)
    router.add_post("/demo/session", page.open_session)
    router.add_post("/demo/orders", orders.order)
    router.add_get("/demo/outbox", outbox.list_page)
    router.add_get("/demo/outbox.json", outbox.list_json)
    router.add_get("/demo/outbox/{id}", outbox.message_page)
    router.add_get("/demo/outbox/{id}/html", outbox.message_html)
    router.add_get(r"/demo/{name:[a-z]+\.[a-z]+}", page.static)


async def _not_configured(_request: web.Request) -> web.Response:
    return web.Response(status=404, text="There is no demo on this server. To have one, set CLARION_DEMO_TENANT_ID.\n")
