"""The demo's paths, and who answers them."""

from aiohttp import web

from gateway.clients import Clients
from gateway.demo.outbox import DemoOutboxRoutes
from gateway.demo.page import DemoPageRoutes
from gateway.settings import Settings


def add_routes(app: web.Application, clients: Clients, settings: Settings) -> None:
    """Serve the demo of the tenant that the settings name; without one, a 404 that says so."""
    if not settings.demo_tenant_id:
        for path in ("/demo", "/demo/{rest:.*}"):
            app.router.add_route("*", path, _nothing)
        return
    page = DemoPageRoutes(clients, settings.demo_tenant_id, settings.demo_user_id)
    outbox = DemoOutboxRoutes(clients, settings.demo_tenant_id)
    router = app.router
    router.add_get("/demo", page.index)
    router.add_post("/demo/session", page.open_session)
    router.add_get("/demo/outbox", outbox.list_page)
    router.add_get("/demo/outbox.json", outbox.list_json)
    router.add_get("/demo/outbox/{id}", outbox.message_page)
    router.add_get("/demo/outbox/{id}/html", outbox.message_html)
    router.add_get(r"/demo/{name:[a-z]+\.[a-z]+}", page.static)


async def _nothing(_request: web.Request) -> web.Response:
    return web.Response(status=404, text="There is no demo here: CLARION_DEMO_TENANT_ID is not set.\n")
