"""The admin API's paths, and who answers them."""

from aiohttp import web

from gateway.admin.events import Events
from gateway.admin.problems import RequestHandler, guard
from gateway.admin.providers import Providers
from gateway.admin.templates import Templates
from gateway.admin.tenants import Tenants
from gateway.authentication import Authenticator
from gateway.clients import Clients
from runtime.errors import ClarionError, Code
from runtime.settings import Secret

_BASE = "/api/v1/admin"


def add_routes(app: web.Application, clients: Clients, authenticator: Authenticator, token: Secret) -> None:
    """Serve the operator's API."""
    protect = guard(token)
    for method, path, handler in _routes(clients, authenticator):
        app.router.add_route(method, _BASE + path, protect(handler))
    app.router.add_route("*", _BASE + "/{rest:.*}", protect(_nothing))


async def _nothing(request: web.Request) -> web.StreamResponse:
    raise ClarionError(Code.NOT_FOUND, f"The admin API has no {request.method} at this path.")


def _routes(clients: Clients, authenticator: Authenticator) -> list[tuple[str, str, RequestHandler]]:
    tenants = Tenants(clients, authenticator)
    providers = Providers(clients)
    templates = Templates(clients)
    events = Events(clients)
    return [
        ("POST", "/tenants", tenants.create),
        ("GET", "/tenants", tenants.list_all),
        ("GET", "/tenants/{id}", tenants.get),
        ("PATCH", "/tenants/{id}", tenants.change),
        ("DELETE", "/tenants/{id}", tenants.deactivate),
        ("POST", "/tenants/{id}/rotate-key", tenants.rotate_key),
        ("POST", "/tenants/{id}/revoke-tokens", tenants.revoke_tokens),
        ("POST", "/providers", providers.create),
        ("GET", "/providers", providers.list_all),
        ("DELETE", "/providers/{id}", providers.delete),
        ("POST", "/templates", templates.create),
        ("GET", "/templates", templates.list_all),
        ("POST", "/templates/preview", templates.preview),
        ("GET", "/templates/{id}", templates.get),
        ("POST", "/templates/{id}/activate", templates.activate),
        ("POST", "/templates/{id}/deactivate", templates.deactivate),
        ("GET", "/events", events.search),
        ("GET", "/events/{id}", events.get),
        ("GET", "/dead-letters", events.dead_letters),
        ("POST", "/dead-letters/{id}/replay", events.replay),
        ("GET", "/route-explain", events.explain),
    ]
