"""The paths of the admin API and their handlers."""

import functools
from dataclasses import dataclass

from aiohttp import web

from gateway import queries
from gateway.access.enforce import Enforcer
from gateway.access.oidc import OidcClient
from gateway.access.owners import Owners
from gateway.access.roles import Role
from gateway.access.rules import Place, rule
from gateway.access.sessions import ConsoleSessions
from gateway.access.table import rule_of
from gateway.addresses import FailedAttempts
from gateway.admin import reasons
from gateway.admin.activity import ActivityRoutes
from gateway.admin.alerts import AlertRoutes
from gateway.admin.applications import ApplicationRoutes
from gateway.admin.audit import AuditRoutes
from gateway.admin.bodies import BodyRoutes
from gateway.admin.contents import ContentRoutes
from gateway.admin.dead_letters import DeadLetterRoutes
from gateway.admin.drafts import DraftRoutes
from gateway.admin.encryption import EncryptionRoutes
from gateway.admin.endpoint_deliveries import EndpointDeliveryRoutes
from gateway.admin.endpoints import EndpointRoutes
from gateway.admin.environments import EnvironmentRoutes
from gateway.admin.event_types import EventTypeRoutes
from gateway.admin.events import EventRoutes
from gateway.admin.guard import Guard
from gateway.admin.keys import KeyRoutes
from gateway.admin.oidc import OidcRoutes
from gateway.admin.outbox import OutboxRoutes
from gateway.admin.parameters import MAY_BE_EMPTY, PARAMETERS
from gateway.admin.parked import ParkedRoutes
from gateway.admin.parts import PartRoutes
from gateway.admin.privacy import PrivacyRoutes
from gateway.admin.provider_health import ProviderHealthRoutes
from gateway.admin.provider_kinds import ProviderKindRoutes
from gateway.admin.providers import ProviderRoutes
from gateway.admin.readiness import ReadinessRoutes
from gateway.admin.recipient_routes import ASKING as RECIPIENTS_ASKING
from gateway.admin.recipient_routes import recipient_routes
from gateway.admin.refusals import RefusalRoutes
from gateway.admin.replay import ReplayRoutes
from gateway.admin.runs import RunRoutes
from gateway.admin.samples import SampleRoutes
from gateway.admin.schedules import ScheduleRoutes
from gateway.admin.session import SessionRoutes
from gateway.admin.suppressions import SuppressionRoutes
from gateway.admin.templates import TemplateRoutes
from gateway.admin.tenant_alerts import TenantAlertRoutes
from gateway.admin.tenants import TenantRoutes
from gateway.admin.usage import UsageRoutes
from gateway.admin.users import UserRoutes
from gateway.admin.workflow_routes import ASKING as WORKFLOWS_ASKING
from gateway.admin.workflow_routes import workflow_routes
from gateway.audit import Auditor
from gateway.authentication import CachedAuthenticator
from gateway.clients import Clients
from gateway.life import LIFE
from gateway.live.hub import LiveHub
from gateway.live.socket import LiveSockets
from gateway.operators import Operators
from gateway.portal import PortalLinks
from gateway.problems import RequestHandler, problem
from gateway.revisions import Revisions
from runtime.errors import ClarionError, Code

_BASE = "/api/v1/admin"
_ENDPOINTS = "/tenants/{id}/endpoints"
_ENVIRONMENTS = "/tenants/{id}/environments"
_APPLICATIONS = "/tenants/{id}/applications"
_SCHEDULES = "/tenants/{id}/schedules"
_READING = frozenset({"GET", "HEAD"})
# These POSTs change nothing, so they are not recorded in the audit log.
_ASKING = (
    WORKFLOWS_ASKING | RECIPIENTS_ASKING | {"/templates/preview", "/tenants/{id}/filter-check", "/invitations/open"}
)
# A page keeps it open, and opens it again by itself.
_LIVE = "/live"
# Identity providers add parameters of their own.
_ANY_QUERY = frozenset({("GET", "/session/oidc/callback")})
_SIGNED_IN = rule(Role.VIEWER, Place.SIGNED_IN)
_ANYBODY = rule(Role.VIEWER, Place.ANYBODY)


@dataclass(frozen=True, slots=True)
class AdminBackend:
    """What the handlers share with the rest of the gateway."""

    clients: Clients
    authenticator: CachedAuthenticator
    revisions: Revisions
    links: PortalLinks
    sessions: ConsoleSessions
    # Failed sign-ins to the console, by address.
    sign_ins: FailedAttempts
    # None: people sign in by passwords only.
    oidc: OidcClient | None


def add_routes(app: web.Application, backend: AdminBackend, operators: Operators) -> None:
    """Serve the admin API."""
    auditor = Auditor(backend.clients)
    enforcer = Enforcer(Owners(backend.clients))
    protect = Guard(operators, backend.sessions, enforcer, auditor, backend.authenticator.attempts).protect
    paths: dict[str, list[tuple[str, RequestHandler]]] = {}
    live = LiveSockets(LiveHub(backend.clients.tail), backend.sessions, app[LIFE])
    app.on_shutdown.append(live.close_all)
    served = (
        *_people_routes(backend, auditor),
        *_routes(backend),
        *_operating_routes(backend),
        *_webhook_routes(backend),
        *workflow_routes(backend.clients, backend.revisions),
        *recipient_routes(backend.clients),
        ("GET", _LIVE, live.serve),
    )
    for method, path, handler in served:
        paths.setdefault(path, []).append((method, _checking_query(handler, (method, path))))
    for path, methods in paths.items():
        # An id may contain braces, which {id} alone would not match.
        pattern = _BASE + path.replace("}", ":[^/]+}")
        for method, handler in methods:
            protected = protect(handler, rule_of(method, path), writes=is_recorded(method, path), is_use=path != _LIVE)
            app.router.add_route(method, pattern, protected)
        # Without it, GET /templates/preview would ask for a template with the id "preview".
        rules = [rule_of(method, path) for method, _ in methods]
        is_open = any(Place.ANYBODY in one.places for one in rules)
        other = _ANYBODY if is_open else _SIGNED_IN
        app.router.add_route("*", pattern, protect(_not_allowed, other, writes=False))
    app.router.add_route("*", _BASE + "/{rest:.*}", protect(_not_found, _SIGNED_IN, writes=False))


def is_recorded(method: str, path: str) -> bool:
    """Return whether the audit log records the calls of a route: those that change something."""
    return method not in _READING and path not in _ASKING


def _checking_query(handler: RequestHandler, route: tuple[str, str]) -> RequestHandler:
    """Return the handler with its query checked first: parameters that the route does not take are refused."""
    if route in _ANY_QUERY:
        return handler
    known, may_be_empty = PARAMETERS.get(route, ()), MAY_BE_EMPTY.get(route, ())

    @functools.wraps(handler)
    async def handling(request: web.Request) -> web.StreamResponse:
        queries.check(request, known, may_be_empty=may_be_empty)
        return await handler(request)

    return handling


async def _not_found(_request: web.Request) -> web.StreamResponse:
    raise ClarionError(Code.NOT_FOUND, "The admin API has no such path. See /docs for the ones it has.")


async def _not_allowed(request: web.Request) -> web.StreamResponse:
    routes = request.match_info.route.resource or ()
    named = ", ".join(sorted({route.method for route in routes} - {"*"}))
    answer = problem(405, "method-not-allowed", "Method not allowed", f"Use one of the methods of this path: {named}.")
    answer.headers["Allow"] = named
    return answer


def _people_routes(backend: AdminBackend, auditor: Auditor) -> list[tuple[str, str, RequestHandler]]:
    clients, sessions, sign_ins = backend.clients, backend.sessions, backend.sign_ins
    oidc_name = backend.oidc.name if backend.oidc else None
    session = SessionRoutes(clients, sessions, auditor, sign_ins, oidc_name)
    oidc = OidcRoutes(clients, backend.oidc, sessions, session, sign_ins)
    users = UserRoutes(clients, sessions, session, sign_ins)
    return [
        ("GET", "/session", session.get),
        ("GET", "/session/options", session.options),
        ("POST", "/session", session.sign_in),
        ("GET", "/session/oidc", oidc.begin),
        ("GET", "/session/oidc/callback", oidc.end),
        ("DELETE", "/session", session.sign_out),
        ("POST", "/session/password", session.change_password),
        ("GET", "/session/sessions", session.list_own),
        ("DELETE", "/session/sessions/{id}", session.revoke_own),
        ("POST", "/invitations/open", users.open),
        ("POST", "/invitations/accept", users.accept),
        ("GET", "/users", users.list_all),
        ("POST", "/users", users.create),
        ("GET", "/users/{id}", users.get),
        ("PATCH", "/users/{id}", users.change),
        ("DELETE", "/users/{id}", users.delete),
        ("POST", "/users/{id}/invitation", users.invite),
        ("GET", "/users/{id}/sessions", users.sessions),
        ("DELETE", "/users/{id}/sessions", users.revoke_all),
        ("DELETE", "/users/{id}/sessions/{session_id}", users.revoke),
    ]


def _routes(backend: AdminBackend) -> list[tuple[str, str, RequestHandler]]:
    clients, authenticator, revisions = backend.clients, backend.authenticator, backend.revisions
    tenants = TenantRoutes(clients, authenticator, backend.sessions)
    keys = KeyRoutes(clients, authenticator)
    providers = ProviderRoutes(clients)
    provider_health = ProviderHealthRoutes(clients)
    templates = TemplateRoutes(clients)
    drafts = DraftRoutes(clients)
    parts = PartRoutes(clients)
    samples = SampleRoutes(clients)
    events = EventRoutes(clients)
    activity = ActivityRoutes(clients)
    outbox = OutboxRoutes(clients)
    audit = AuditRoutes(clients)
    suppressions = SuppressionRoutes(clients)
    privacy = PrivacyRoutes(clients)
    runs = RunRoutes(clients, revisions)
    contents = ContentRoutes(clients)
    schedules = ScheduleRoutes(clients)
    return [
        ("POST", "/tenants", tenants.create),
        ("GET", "/tenants", tenants.list_all),
        ("GET", "/tenants/{id}", tenants.get),
        ("PATCH", "/tenants/{id}", tenants.change),
        ("DELETE", "/tenants/{id}", tenants.deactivate),
        ("POST", "/tenants/{id}/rotate-key", tenants.rotate_key),
        ("POST", "/tenants/{id}/keys", keys.create),
        ("GET", "/tenants/{id}/keys", keys.list_all),
        ("PATCH", "/tenants/{id}/keys/{key_id}", keys.change),
        ("DELETE", "/tenants/{id}/keys/{key_id}", keys.revoke),
        ("POST", "/tenants/{id}/webhook-secret", tenants.rotate_webhook_secret),
        ("DELETE", "/tenants/{id}/webhook-secret", tenants.delete_webhook_secrets),
        ("POST", "/tenants/{id}/revoke-tokens", tenants.revoke_tokens),
        ("GET", "/tenants/{id}/retention", privacy.retention),
        ("PUT", "/tenants/{id}/retention", privacy.set_retention),
        ("POST", "/tenants/{id}/recipients/erase", privacy.erase),
        ("POST", "/tenants/{id}/recipients/export", privacy.export),
        ("GET", "/tenants/{id}/outbox", outbox.list_all),
        ("GET", "/tenants/{id}/outbox/{message_id}", outbox.get),
        ("POST", "/providers", providers.create),
        ("GET", "/providers", providers.list_all),
        ("POST", "/encryption/renew", EncryptionRoutes(clients).renew),
        ("GET", "/providers/{id}", providers.get),
        ("PATCH", "/providers/{id}", providers.change),
        ("DELETE", "/providers/{id}", providers.delete),
        ("GET", "/providers/{id}/callback", suppressions.callback),
        ("GET", "/providers/{id}/state", provider_health.state),
        ("POST", "/providers/{id}/test", provider_health.test),
        ("GET", "/provider-kinds", ProviderKindRoutes(clients).list_all),
        ("GET", "/tenants/{id}/provider-states", provider_health.states),
        ("PUT", "/tenants/{id}/provider-order", provider_health.order),
        ("POST", "/suppressions", suppressions.create),
        ("GET", "/suppressions", suppressions.list_all),
        ("DELETE", "/suppressions/{id}", suppressions.lift),
        ("POST", "/templates", templates.create),
        ("GET", "/templates", templates.list_all),
        ("POST", "/templates/preview", drafts.preview),
        ("GET", "/templates/{id}", templates.get),
        ("POST", "/templates/{id}/activate", templates.activate),
        ("POST", "/templates/{id}/deactivate", templates.deactivate),
        ("GET", "/templates/{id}/diff", templates.diff),
        ("POST", "/templates/{id}/refresh", templates.refresh),
        ("POST", "/templates/{id}/test", drafts.test),
        ("GET", "/template-languages", templates.languages),
        ("GET", "/template-helpers", templates.helpers),
        ("POST", "/template-samples", samples.create),
        ("GET", "/template-samples", samples.list_all),
        ("GET", "/template-samples/last", samples.last),
        ("GET", "/template-samples/{id}", samples.get),
        ("PUT", "/template-samples/{id}", samples.change),
        ("DELETE", "/template-samples/{id}", samples.delete),
        ("POST", "/template-parts", parts.create),
        ("GET", "/template-parts", parts.list_all),
        ("GET", "/template-parts/{id}", parts.get),
        ("POST", "/template-parts/{id}/apply", parts.apply),
        ("GET", "/template-parts/{id}/templates", parts.users),
        ("GET", "/tenants/{id}/locale", templates.locale),
        ("PUT", "/tenants/{id}/locale", templates.set_locale),
        ("GET", "/overview", activity.overview),
        ("GET", "/search", activity.search),
        ("GET", "/events", events.search),
        ("GET", "/events/{id}", events.get),
        ("GET", "/events/{id}/deliveries", events.deliveries),
        ("GET", "/events/{id}/body", BodyRoutes(clients).get),
        ("GET", "/deliveries/{id}", events.delivery),
        ("GET", "/deliveries/{id}/content", contents.get),
        ("GET", "/deliveries/{id}/content.eml", contents.source),
        ("GET", "/reasons", reasons.list_all),
        ("POST", "/tenants/{id}/events", runs.send),
        ("POST", "/tenants/{id}/events/{event_id}/cancel", runs.cancel),
        ("GET", "/runs", runs.list_all),
        ("GET", "/events/{id}/run", runs.get),
        ("POST", "/events/{id}/run/pause", runs.pause),
        ("POST", "/events/{id}/run/resume", runs.resume),
        ("GET", "/events/{id}/workflow-counts", runs.workflow_counts),
        ("POST", _SCHEDULES, schedules.create),
        ("GET", _SCHEDULES, schedules.list_all),
        ("GET", _SCHEDULES + "/{schedule_id}", schedules.get),
        ("PATCH", _SCHEDULES + "/{schedule_id}", schedules.change),
        ("DELETE", _SCHEDULES + "/{schedule_id}", schedules.delete),
        ("GET", "/tenants/{id}/schedule-times", schedules.times),
        ("GET", "/route-explain", events.explain),
        ("GET", "/audit", audit.search),
    ]


def _operating_routes(backend: AdminBackend) -> list[tuple[str, str, RequestHandler]]:
    """Return the paths by which operators find what went wrong, and put it right."""
    clients = backend.clients
    letters = DeadLetterRoutes(clients)
    replays = ReplayRoutes(clients)
    alerts, of_tenants = AlertRoutes(clients), TenantAlertRoutes(clients)
    refusals = RefusalRoutes(clients)
    return [
        ("GET", "/dead-letters", letters.list_all),
        ("GET", "/dead-letters/count", letters.count),
        ("POST", "/dead-letters/replay", letters.replay_matching),
        ("POST", "/dead-letters/{id}/replay", letters.replay),
        ("POST", "/events/{id}/replay", replays.replay_event),
        ("POST", "/replays", replays.start),
        ("GET", "/replays", replays.list_all),
        ("GET", "/replays/{id}", replays.get),
        ("POST", "/replays/{id}/cancel", replays.cancel),
        ("POST", "/replays/{id}/pause", replays.pause),
        ("POST", "/replays/{id}/resume", replays.resume),
        ("GET", "/refused-requests", refusals.list_all),
        ("GET", "/refused-requests/reasons", refusals.reasons),
        ("GET", "/tenants/{id}/usage", UsageRoutes(clients).get),
        ("GET", "/tenants/{id}/readiness", ReadinessRoutes(clients).get),
        ("GET", "/alerts", alerts.get),
        ("PUT", "/alerts", alerts.put),
        ("POST", "/alerts/test", alerts.test),
        ("GET", "/outages", alerts.outages),
        ("GET", "/tenants/{id}/alerts", of_tenants.get),
        ("PUT", "/tenants/{id}/alerts", of_tenants.put),
        ("POST", "/tenants/{id}/alerts/test", of_tenants.test),
    ]


def _webhook_routes(backend: AdminBackend) -> list[tuple[str, str, RequestHandler]]:
    clients, revisions = backend.clients, backend.revisions
    endpoints = EndpointRoutes(clients, revisions)
    parked = ParkedRoutes(clients)
    deliveries = EndpointDeliveryRoutes(clients)
    types = EventTypeRoutes(clients, revisions)
    environments = EnvironmentRoutes(clients)
    applications = ApplicationRoutes(clients, revisions, backend.links)
    endpoint = _ENDPOINTS + "/{endpoint_id}"
    return [
        ("POST", _ENDPOINTS, endpoints.create),
        ("GET", _ENDPOINTS, endpoints.list_all),
        ("GET", endpoint, endpoints.get),
        ("PATCH", endpoint, endpoints.change),
        ("DELETE", endpoint, endpoints.delete),
        ("POST", endpoint + "/rotate-secret", endpoints.rotate_secret),
        ("POST", endpoint + "/reveal-secret", endpoints.reveal_secret),
        ("POST", endpoint + "/test", endpoints.test),
        ("GET", endpoint + "/subscriptions", types.subscriptions),
        ("POST", endpoint + "/subscriptions", types.subscribe),
        ("DELETE", endpoint + "/subscriptions/{event_type_id}", types.unsubscribe),
        ("GET", endpoint + "/state", parked.state),
        ("GET", "/tenants/{id}/endpoint-states", parked.states),
        ("POST", "/tenants/{id}/filter-check", types.check_filter),
        ("GET", endpoint + "/parked", parked.list_all),
        ("POST", endpoint + "/parked/skip", parked.skip),
        ("POST", endpoint + "/probe", parked.probe),
        ("POST", endpoint + "/poll", parked.poll),
        ("GET", endpoint + "/deliveries", deliveries.list_of_endpoint),
        ("POST", endpoint + "/recover", deliveries.recover),
        ("POST", endpoint + "/backfill", deliveries.backfill),
        ("GET", "/tenants/{id}/deliveries", deliveries.list_of_tenant),
        ("GET", "/tenants/{id}/deliveries/{delivery_id}/attempts", deliveries.attempts),
        ("POST", "/tenants/{id}/deliveries/{delivery_id}/retry", deliveries.retry),
        ("POST", "/tenants/{id}/event-types", types.create),
        ("GET", "/tenants/{id}/event-types", types.list_all),
        ("GET", "/tenants/{id}/event-types/{event_type_id}", types.get),
        ("PATCH", "/tenants/{id}/event-types/{event_type_id}", types.change),
        ("DELETE", "/tenants/{id}/event-types/{event_type_id}", types.delete),
        ("POST", _ENVIRONMENTS, environments.create),
        ("GET", _ENVIRONMENTS, environments.list_all),
        ("GET", _ENVIRONMENTS + "/{environment_id}", environments.get),
        ("PATCH", _ENVIRONMENTS + "/{environment_id}", environments.change),
        ("DELETE", _ENVIRONMENTS + "/{environment_id}", environments.delete),
        ("GET", _ENVIRONMENTS + "/{environment_id}/event-types", environments.visibilities),
        ("PUT", _ENVIRONMENTS + "/{environment_id}/event-types/{event_type_id}", environments.set_visibility),
        ("POST", _APPLICATIONS, applications.create),
        ("GET", _APPLICATIONS, applications.list_all),
        ("GET", _APPLICATIONS + "/{application_id}", applications.get),
        ("PATCH", _APPLICATIONS + "/{application_id}", applications.change),
        ("DELETE", _APPLICATIONS + "/{application_id}", applications.delete),
        ("POST", _APPLICATIONS + "/{application_id}/portal", applications.open_portal),
    ]
