"""The aiohttp application of the gateway, with all its routes."""

from aiohttp import web

from clarion.ingest.v1 import ingest_pb2
from gateway import (
    admin,
    callbacks,
    console,
    demo,
    dialects,
    health,
    inbox,
    openapi,
    polling,
    portal,
    shared_paths,
    websocket,
)
from gateway.accepting import TriggerBatcher
from gateway.access.oidc import OidcClient
from gateway.access.sessions import ConsoleSessions
from gateway.addresses import PROXIES, FailedAttempts, Proxies
from gateway.authentication import CachedAuthenticator
from gateway.browser_sessions import PublicAddress
from gateway.clients import Clients
from gateway.connections import CONNECTIONS, Connections
from gateway.cursors import CURSORS, Cursors
from gateway.life import LIFE, Life
from gateway.observing import observe
from gateway.operators import Operators
from gateway.portal import routes as portal_routes
from gateway.refusals.counting import Refusals
from gateway.refusals.reporting import REFUSALS, keep_reporting
from gateway.revisions import REVISIONS, Revisions
from gateway.settings import Settings
from runtime import clock

# The largest body of any route. Most handlers have a lower limit.
MAX_BODY_BYTES = 2 * 1024 * 1024


def create_app(settings: Settings, clients: Clients, *, now: clock.Clock = clock.now_us) -> web.Application:
    """Return the application. It does not read the environment, so that tests can choose all settings.

    now: what the times in requests are compared with.
    """
    app = web.Application(middlewares=[observe], client_max_size=MAX_BODY_BYTES)
    app[LIFE] = Life()

    async def ask(key: str) -> ingest_pb2.AuthenticateResponse:
        wire = ingest_pb2.AuthenticateRequest(api_key=key, reads_disabled=True)
        return await clients.call(clients.ingest.Authenticate, wire)

    proxies = app[PROXIES] = Proxies(settings.trusted_proxies, warnings=app[LIFE].warnings)
    app[CONNECTIONS] = Connections(
        proxies, limit=settings.connections, per_address=settings.max_connections_per_address
    )
    app[REFUSALS] = Refusals()
    app.cleanup_ctx.append(keep_reporting(clients))
    attempts = FailedAttempts(settings.auth_failures_per_minute, proxies)
    authenticator = CachedAuthenticator(ask, attempts)
    revisions = app[REVISIONS] = Revisions()
    acceptor = TriggerBatcher(clients, max_waiting_bytes=settings.max_waiting_bytes, revisions=revisions)
    health.add_routes(app, clients)
    openapi.add_routes(app)
    address = PublicAddress(settings.public_url)
    portal_links = portal.PortalLinks(clients, address)
    cursors = app[CURSORS] = Cursors(settings.service_token.reveal())
    backend = dialects.Backend(clients, authenticator, acceptor, revisions, portal_links, cursors, now)
    for dialect in dialects.installed():
        dialect.add_routes(app, backend)
    shared_paths.add_routes(app, backend)
    sessions = ConsoleSessions(clients, address)
    sign_ins = FailedAttempts(settings.sign_in_failures_per_minute, proxies)
    oidc = OidcClient(settings) if settings.oidc_issuer else None
    if oidc is not None:
        app.on_cleanup.append(oidc.close)
    admin_backend = admin.AdminBackend(clients, authenticator, revisions, portal_links, sessions, sign_ins, oidc)
    admin.add_routes(app, admin_backend, Operators(settings.admin_token, settings.admin_tokens))
    inbox.add_routes(app, clients, authenticator, cursors)
    polling.add_routes(app, clients, authenticator)
    portal_routes.add_routes(app, clients, authenticator, revisions, address)
    callbacks.add_routes(app, clients, proxies)
    demo.add_routes(app, clients, acceptor, settings)
    console.add_routes(app)
    websocket.add_routes(app, clients, proxies, settings)
    return app
