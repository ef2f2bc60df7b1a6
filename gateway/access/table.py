"""The table of all routes of the admin API: who may call them. docs/console-roles.md is made from it.

A route that is missing here needs an owner of the whole installation, and a test fails.
"""

from collections.abc import Mapping

from gateway.access.roles import Role
from gateway.access.rules import Needs, Owned, Place, Rule, rule

_V, _D, _O, _OWNER = Role.VIEWER, Role.DEVELOPER, Role.OPERATOR, Role.OWNER
_PATH, _LIST, _BODY, _QUERY = Place.PATH, Place.LIST, Place.BODY, Place.QUERY
_INSTALLATION, _ACCOUNTS = Place.INSTALLATION, Place.ACCOUNTS

# One tenant's limits protect the others, so its own operators cannot raise them.
_LIMITS = dict.fromkeys(
    (
        "max_unfinished_events",
        "max_unfinished_bytes",
        "max_scheduled_events",
        "max_payload_bytes",
        "max_parked_per_endpoint",
        "rate_limit_per_minute",
        "daily_cap",
        "rates",
    ),
    Needs(Role.OPERATOR, everywhere=True),
)
_TENANT = "/tenants/{id}"
_ENDPOINT = _TENANT + "/endpoints/{endpoint_id}"
_ENVIRONMENT = _TENANT + "/environments/{environment_id}"
_APPLICATION = _TENANT + "/applications/{application_id}"
_SCHEDULE = _TENANT + "/schedules/{schedule_id}"
_WORKFLOW = _TENANT + "/workflows/{workflow_id}"
_WORKFLOW_RUN = _TENANT + "/workflow-runs/{workflow_run_id}"

_PEOPLE: Mapping[tuple[str, str], Rule] = {
    ("GET", "/session"): rule(_V, Place.SIGNED_IN),
    ("GET", "/session/options"): rule(_V, Place.ANYBODY),
    ("POST", "/session"): rule(_V, Place.ANYBODY),
    ("GET", "/session/oidc"): rule(_V, Place.ANYBODY),
    ("GET", "/session/oidc/callback"): rule(_V, Place.ANYBODY),
    ("DELETE", "/session"): rule(_V, Place.PERSON),
    ("POST", "/session/password"): rule(_V, Place.PERSON),
    ("GET", "/session/sessions"): rule(_V, Place.PERSON),
    ("DELETE", "/session/sessions/{id}"): rule(_V, Place.PERSON),
    ("POST", "/invitations/open"): rule(_V, Place.ANYBODY),
    ("POST", "/invitations/accept"): rule(_V, Place.ANYBODY),
    ("GET", "/users"): rule(_OWNER, _ACCOUNTS),
    ("POST", "/users"): rule(_OWNER, _ACCOUNTS),
    ("GET", "/users/{id}"): rule(_OWNER, _ACCOUNTS),
    ("PATCH", "/users/{id}"): rule(_OWNER, _ACCOUNTS),
    ("DELETE", "/users/{id}"): rule(_OWNER, _ACCOUNTS),
    ("POST", "/users/{id}/invitation"): rule(_OWNER, _ACCOUNTS),
    ("GET", "/users/{id}/sessions"): rule(_OWNER, _ACCOUNTS),
    ("DELETE", "/users/{id}/sessions"): rule(_OWNER, _ACCOUNTS),
    ("DELETE", "/users/{id}/sessions/{session_id}"): rule(_OWNER, _ACCOUNTS),
    ("GET", "/audit"): rule(_OWNER, _LIST),
}

_TENANTS: Mapping[tuple[str, str], Rule] = {
    ("POST", "/tenants"): rule(_O, Place.ACCOUNT, fields=_LIMITS),
    ("GET", "/tenants"): rule(_V, _LIST),
    ("GET", _TENANT): rule(_V, _PATH),
    ("PATCH", _TENANT): rule(_O, _PATH, fields={**_LIMITS, "active": Needs(_OWNER)}),
    ("DELETE", _TENANT): rule(_OWNER, _PATH),
    ("POST", _TENANT + "/rotate-key"): rule(_O, _PATH),
    ("POST", _TENANT + "/keys"): rule(_O, _PATH),
    ("GET", _TENANT + "/keys"): rule(_V, _PATH),
    ("PATCH", _TENANT + "/keys/{key_id}"): rule(_O, _PATH),
    ("DELETE", _TENANT + "/keys/{key_id}"): rule(_O, _PATH),
    ("POST", _TENANT + "/webhook-secret"): rule(_O, _PATH),
    ("DELETE", _TENANT + "/webhook-secret"): rule(_O, _PATH),
    ("POST", _TENANT + "/revoke-tokens"): rule(_O, _PATH),
    ("GET", _TENANT + "/retention"): rule(_V, _PATH),
    ("PUT", _TENANT + "/retention"): rule(_O, _PATH),
    ("GET", _TENANT + "/locale"): rule(_V, _PATH),
    ("PUT", _TENANT + "/locale"): rule(_D, _PATH),
    ("POST", "/encryption/renew"): rule(_OWNER, _INSTALLATION),
}

_RECIPIENTS: Mapping[tuple[str, str], Rule] = {
    ("POST", _TENANT + "/recipients/erase"): rule(_O, _PATH),
    ("POST", _TENANT + "/recipients/export"): rule(_O, _PATH),
    ("PUT", _TENANT + "/recipients"): rule(_O, _PATH),
    ("GET", _TENANT + "/recipients"): rule(_V, _PATH),
    ("PUT", _TENANT + "/recipients/{recipient_id}"): rule(_O, _PATH),
    ("GET", _TENANT + "/recipients/{recipient_id}"): rule(_V, _PATH),
    ("PATCH", _TENANT + "/recipients/{recipient_id}"): rule(_O, _PATH),
    ("DELETE", _TENANT + "/recipients/{recipient_id}"): rule(_O, _PATH),
    ("POST", _TENANT + "/recipients/{recipient_id}/tags"): rule(_O, _PATH),
    ("GET", _TENANT + "/tags"): rule(_V, _PATH),
    ("POST", _TENANT + "/recipient-export"): rule(_O, _PATH),
    ("POST", _TENANT + "/segments"): rule(_O, _PATH),
    ("GET", _TENANT + "/segments"): rule(_V, _PATH),
    ("GET", _TENANT + "/segments/{segment_id}"): rule(_V, _PATH),
    ("PATCH", _TENANT + "/segments/{segment_id}"): rule(_O, _PATH),
    ("DELETE", _TENANT + "/segments/{segment_id}"): rule(_O, _PATH),
    ("GET", _TENANT + "/segments/{segment_id}/members"): rule(_V, _PATH),
    ("POST", _TENANT + "/segment-count"): rule(_D, _PATH),
    ("POST", _TENANT + "/imports"): rule(_O, _PATH),
    ("GET", _TENANT + "/imports"): rule(_V, _PATH),
    ("GET", _TENANT + "/imports/{import_id}"): rule(_V, _PATH),
    ("PUT", _TENANT + "/imports/{import_id}/file"): rule(_O, _PATH),
    ("GET", _TENANT + "/imports/{import_id}/faults"): rule(_V, _PATH),
    ("POST", _TENANT + "/imports/{import_id}/cancel"): rule(_O, _PATH),
    ("GET", _TENANT + "/recipients/{recipient_id}/inbox"): rule(_V, _PATH),
    ("GET", _TENANT + "/groups"): rule(_V, _PATH),
    ("PUT", _TENANT + "/groups/{group_key}"): rule(_O, _PATH),
    ("GET", _TENANT + "/groups/{group_key}"): rule(_V, _PATH),
    ("DELETE", _TENANT + "/groups/{group_key}"): rule(_O, _PATH),
    ("POST", _TENANT + "/groups/{group_key}/members"): rule(_O, _PATH),
    ("GET", _TENANT + "/groups/{group_key}/members"): rule(_V, _PATH),
    ("GET", _TENANT + "/outbox"): rule(_V, _PATH),
    ("GET", _TENANT + "/outbox/{message_id}"): rule(_V, _PATH),
    ("POST", "/suppressions"): rule(_O, _BODY),
    ("GET", "/suppressions"): rule(_V, _LIST),
    ("DELETE", "/suppressions/{id}"): rule(_O, Owned("suppression")),
}

_PROVIDERS: Mapping[tuple[str, str], Rule] = {
    ("POST", "/providers"): rule(_O, _BODY),
    ("GET", "/providers"): rule(_V, _QUERY),
    ("GET", "/providers/{id}"): rule(_V, Owned("provider")),
    ("PATCH", "/providers/{id}"): rule(_O, Owned("provider")),
    ("DELETE", "/providers/{id}"): rule(_O, Owned("provider")),
    ("GET", "/providers/{id}/state"): rule(_V, Owned("provider")),
    ("POST", "/providers/{id}/test"): rule(_O, Owned("provider")),
    ("GET", "/provider-kinds"): rule(_V, Place.ANYWHERE),
    ("GET", _TENANT + "/provider-states"): rule(_V, _PATH),
    ("PUT", _TENANT + "/provider-order"): rule(_O, _PATH),
    # The URL proves that a report comes from the provider.
    ("GET", "/providers/{id}/callback"): rule(_O, Owned("provider")),
}

_READ_TEMPLATE = Owned("template", platform=True)
_TEMPLATES: Mapping[tuple[str, str], Rule] = {
    ("POST", "/templates"): rule(_D, _BODY),
    ("GET", "/templates"): rule(_V, _LIST),
    ("POST", "/templates/preview"): rule(_D, Place.BODY_OR_ANY),
    ("GET", "/templates/{id}"): rule(_V, _READ_TEMPLATE),
    ("POST", "/templates/{id}/activate"): rule(_D, Owned("template")),
    ("POST", "/templates/{id}/deactivate"): rule(_D, Owned("template")),
    ("GET", "/templates/{id}/diff"): rule(_V, _READ_TEMPLATE, Owned("template", "against", platform=True)),
    ("POST", "/templates/{id}/refresh"): rule(_D, Owned("template")),
    ("POST", "/templates/{id}/test"): rule(_D, _READ_TEMPLATE, Place.BODY_OR_ANY),
    ("POST", "/template-parts"): rule(_D, _BODY),
    ("GET", "/template-parts"): rule(_V, _LIST),
    ("GET", "/template-parts/{id}"): rule(_V, Owned("part", platform=True)),
    ("POST", "/template-parts/{id}/apply"): rule(_D, Owned("part")),
    # Those that use a part of the platform are of all tenants.
    ("GET", "/template-parts/{id}/templates"): rule(_V, Owned("part")),
    ("GET", "/template-languages"): rule(_V, _LIST),
    ("GET", "/template-helpers"): rule(_V, Place.ANYWHERE),
    ("POST", "/template-samples"): rule(_D, _BODY),
    ("GET", "/template-samples"): rule(_V, Place.QUERY_OR_ANY),
    # A payload, as in GET /events/{id}/body.
    ("GET", "/template-samples/last"): rule(_V, _QUERY),
    ("GET", "/template-samples/{id}"): rule(_V, Place.QUERY_OR_ANY),
    ("PUT", "/template-samples/{id}"): rule(_D, Place.QUERY_OR_INSTALLATION),
    ("DELETE", "/template-samples/{id}"): rule(_D, Place.QUERY_OR_INSTALLATION),
}

_EVENTS: Mapping[tuple[str, str], Rule] = {
    ("GET", "/overview"): rule(_V, _LIST),
    ("GET", "/search"): rule(_V, _LIST),
    # Each watch of the socket is checked by itself.
    ("GET", "/live"): rule(_V, Place.ANYWHERE),
    ("GET", "/events"): rule(_V, _LIST),
    ("GET", "/events/{id}"): rule(_V, Owned("event")),
    ("GET", "/events/{id}/deliveries"): rule(_V, Owned("event")),
    # A payload is read with the role that reads the messages made of it, here and everywhere.
    ("GET", "/events/{id}/body"): rule(_V, Owned("event")),
    ("GET", "/deliveries/{id}"): rule(_V, Owned("delivery")),
    ("GET", "/deliveries/{id}/content"): rule(_V, Owned("delivery")),
    ("GET", "/deliveries/{id}/content.eml"): rule(_V, Owned("delivery")),
    ("GET", "/reasons"): rule(_V, Place.ANYWHERE),
    ("GET", "/route-explain"): rule(_V, _QUERY),
    ("POST", _TENANT + "/events"): rule(_D, _PATH),
    ("POST", _TENANT + "/events/{event_id}/cancel"): rule(_D, _PATH),
    ("GET", "/runs"): rule(_V, _LIST),
    ("GET", "/events/{id}/run"): rule(_V, Owned("run")),
    ("POST", "/events/{id}/run/pause"): rule(_D, Owned("run")),
    ("POST", "/events/{id}/run/resume"): rule(_D, Owned("run")),
    ("GET", "/events/{id}/workflow-counts"): rule(_V, Owned("event")),
    ("POST", _TENANT + "/schedules"): rule(_D, _PATH),
    ("GET", _TENANT + "/schedules"): rule(_V, _PATH),
    ("GET", _SCHEDULE): rule(_V, _PATH),
    ("PATCH", _SCHEDULE): rule(_D, _PATH),
    ("DELETE", _SCHEDULE): rule(_D, _PATH),
    ("GET", _TENANT + "/schedule-times"): rule(_V, _PATH),
    ("POST", "/events/{id}/replay"): rule(_O, Owned("event")),
    ("POST", "/replays"): rule(_O, _BODY),
    ("GET", "/replays"): rule(_V, _LIST),
    ("GET", "/replays/{id}"): rule(_V, Owned("replay")),
    ("POST", "/replays/{id}/cancel"): rule(_O, Owned("replay")),
    ("GET", "/dead-letters"): rule(_V, _LIST),
    ("POST", "/dead-letters/{id}/replay"): rule(_O, Owned("delivery")),
}

_OPERATING: Mapping[tuple[str, str], Rule] = {
    ("GET", "/dead-letters/count"): rule(_V, _LIST),
    ("POST", "/dead-letters/replay"): rule(_O, _BODY),
    ("POST", "/replays/{id}/pause"): rule(_O, Owned("replay")),
    ("POST", "/replays/{id}/resume"): rule(_O, Owned("replay")),
    # Those of no known tenant are for people with a role in the whole installation.
    ("GET", "/refused-requests"): rule(_V, _LIST),
    ("GET", "/refused-requests/reasons"): rule(_V, _LIST),
    ("GET", _TENANT + "/usage"): rule(_V, _PATH),
    ("GET", _TENANT + "/readiness"): rule(_V, _PATH),
    ("GET", "/outages"): rule(_V, _LIST),
    ("GET", "/alerts"): rule(_OWNER, _INSTALLATION),
    ("PUT", "/alerts"): rule(_OWNER, _INSTALLATION),
    ("POST", "/alerts/test"): rule(_OWNER, _INSTALLATION),
    ("GET", _TENANT + "/alerts"): rule(_O, _PATH),
    ("PUT", _TENANT + "/alerts"): rule(_O, _PATH),
    ("POST", _TENANT + "/alerts/test"): rule(_O, _PATH),
}

_WEBHOOKS: Mapping[tuple[str, str], Rule] = {
    ("POST", _TENANT + "/endpoints"): rule(_D, _PATH),
    ("GET", _TENANT + "/endpoints"): rule(_V, _PATH),
    ("GET", _ENDPOINT): rule(_V, _PATH),
    ("PATCH", _ENDPOINT): rule(_D, _PATH),
    ("DELETE", _ENDPOINT): rule(_D, _PATH),
    ("POST", _ENDPOINT + "/rotate-secret"): rule(_O, _PATH),
    ("POST", _ENDPOINT + "/reveal-secret"): rule(_O, _PATH),
    ("POST", _ENDPOINT + "/test"): rule(_D, _PATH),
    ("GET", _ENDPOINT + "/subscriptions"): rule(_V, _PATH),
    ("POST", _ENDPOINT + "/subscriptions"): rule(_D, _PATH),
    ("DELETE", _ENDPOINT + "/subscriptions/{event_type_id}"): rule(_D, _PATH),
    ("GET", _ENDPOINT + "/state"): rule(_V, _PATH),
    ("GET", _TENANT + "/endpoint-states"): rule(_V, _PATH),
    ("GET", _ENDPOINT + "/parked"): rule(_V, _PATH),
    ("POST", _ENDPOINT + "/parked/skip"): rule(_O, _PATH),
    ("POST", _ENDPOINT + "/probe"): rule(_D, _PATH),
    # What is polled counts as received.
    ("POST", _ENDPOINT + "/poll"): rule(_O, _PATH),
    ("GET", _ENDPOINT + "/deliveries"): rule(_V, _PATH),
    ("POST", _ENDPOINT + "/recover"): rule(_O, _PATH),
    ("POST", _ENDPOINT + "/backfill"): rule(_O, _PATH),
    ("GET", _TENANT + "/deliveries"): rule(_V, _PATH),
    ("GET", _TENANT + "/deliveries/{delivery_id}/attempts"): rule(_V, _PATH),
    ("POST", _TENANT + "/deliveries/{delivery_id}/retry"): rule(_O, _PATH),
    ("POST", _TENANT + "/filter-check"): rule(_D, _PATH),
    ("POST", _TENANT + "/event-types"): rule(_D, _PATH),
    ("GET", _TENANT + "/event-types"): rule(_V, _PATH),
    ("GET", _TENANT + "/event-types/{event_type_id}"): rule(_V, _PATH),
    ("PATCH", _TENANT + "/event-types/{event_type_id}"): rule(_D, _PATH),
    ("DELETE", _TENANT + "/event-types/{event_type_id}"): rule(_D, _PATH),
    ("POST", _TENANT + "/environments"): rule(_D, _PATH),
    ("GET", _TENANT + "/environments"): rule(_V, _PATH),
    ("GET", _ENVIRONMENT): rule(_V, _PATH),
    ("PATCH", _ENVIRONMENT): rule(_D, _PATH),
    ("DELETE", _ENVIRONMENT): rule(_D, _PATH),
    ("GET", _ENVIRONMENT + "/event-types"): rule(_V, _PATH),
    ("PUT", _ENVIRONMENT + "/event-types/{event_type_id}"): rule(_D, _PATH),
    ("POST", _TENANT + "/applications"): rule(_D, _PATH),
    ("GET", _TENANT + "/applications"): rule(_V, _PATH),
    ("GET", _APPLICATION): rule(_V, _PATH),
    ("PATCH", _APPLICATION): rule(_D, _PATH),
    ("DELETE", _APPLICATION): rule(_D, _PATH),
    # Whoever opens the portal may reveal the secrets of its endpoints.
    ("POST", _APPLICATION + "/portal"): rule(_O, _PATH),
}

_WORKFLOWS: Mapping[tuple[str, str], Rule] = {
    ("POST", _TENANT + "/workflows"): rule(_D, _PATH),
    ("GET", _TENANT + "/workflows"): rule(_V, _PATH),
    ("GET", _WORKFLOW): rule(_V, _PATH),
    ("PATCH", _WORKFLOW): rule(_D, _PATH),
    ("DELETE", _WORKFLOW): rule(_D, _PATH),
    ("GET", _WORKFLOW + "/versions"): rule(_V, _PATH),
    ("GET", _WORKFLOW + "/versions/{version}"): rule(_V, _PATH),
    ("POST", _TENANT + "/workflow-check"): rule(_D, _PATH),
    ("POST", _TENANT + "/workflow-dry-run"): rule(_D, _PATH),
    ("GET", _TENANT + "/workflow-runs"): rule(_V, _PATH),
    ("GET", _WORKFLOW_RUN): rule(_V, _PATH),
    ("POST", _WORKFLOW_RUN + "/cancel"): rule(_D, _PATH),
}

# In the order of docs/console-roles.md.
GROUPS: Mapping[str, Mapping[tuple[str, str], Rule]] = {
    "Users, sessions, audit log": _PEOPLE,
    "Tenants": _TENANTS,
    "Recipients, outbox, suppressions": _RECIPIENTS,
    "Providers": _PROVIDERS,
    "Templates": _TEMPLATES,
    "Workflows": _WORKFLOWS,
    "Events, runs, schedules, replays": _EVENTS,
    "Operating": _OPERATING,
    "Endpoints": _WEBHOOKS,
}
RULES: Mapping[tuple[str, str], Rule] = {route: rule for group in GROUPS.values() for route, rule in group.items()}
_UNKNOWN = rule(_OWNER, _INSTALLATION)


def rule_of(method: str, path: str) -> Rule:
    """Return the rule of a route. path: without the API's base."""
    return RULES.get((method, path), _UNKNOWN)
