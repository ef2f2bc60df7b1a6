"""The query parameters of the admin API, by method and path. Paths that are not listed take none."""

from collections.abc import Collection, Mapping

_PAGE = ("limit", "cursor")
_DELIVERIES = ("status", "event_type", "metadata", "since", "until", *_PAGE)

_LETTERS = ("tenant_id", "tenant_ids", "channel", "reason", "provider", "event_type", "endpoint_id", "since", "until")

PARAMETERS: Mapping[tuple[str, str], Collection[str]] = {
    ("GET", "/tenants"): _PAGE,
    ("GET", "/users"): ("search", *_PAGE),
    ("GET", "/session/oidc"): ("next",),
    ("GET", "/tenants/{id}/recipients"): ("tag", "address", "search", "segment_id", "offset", "count", *_PAGE),
    ("GET", "/tenants/{id}/tags"): ("prefix", "limit"),
    ("GET", "/tenants/{id}/segments"): _PAGE,
    ("GET", "/tenants/{id}/segments/{segment_id}/members"): _PAGE,
    ("GET", "/tenants/{id}/imports"): _PAGE,
    ("GET", "/tenants/{id}/imports/{import_id}/faults"): _PAGE,
    ("GET", "/tenants/{id}/recipients/{recipient_id}/inbox"): _PAGE,
    ("GET", "/tenants/{id}/groups"): ("search", *_PAGE),
    ("GET", "/tenants/{id}/groups/{group_key}/members"): _PAGE,
    ("GET", "/tenants/{id}/outbox"): ("event_id", "channel", *_PAGE),
    ("GET", "/tenants/{id}/endpoints"): ("environment_id", "application_id", "event_type_id", *_PAGE),
    ("GET", "/tenants/{id}/endpoint-states"): ("endpoint_ids",),
    ("GET", "/tenants/{id}/endpoints/{endpoint_id}/parked"): _PAGE,
    ("GET", "/tenants/{id}/endpoints/{endpoint_id}/deliveries"): _DELIVERIES,
    ("GET", "/tenants/{id}/deliveries"): _DELIVERIES,
    ("GET", "/tenants/{id}/event-types"): _PAGE,
    ("GET", "/tenants/{id}/workflows"): ("scope", "event_type", "active", "search", *_PAGE),
    ("GET", "/tenants/{id}/workflow-runs"): ("event_id", "workflow_id", "recipient_id", "state", *_PAGE),
    ("GET", "/tenants/{id}/applications"): _PAGE,
    ("GET", "/providers"): ("tenant_id",),
    ("GET", "/suppressions"): ("tenant_id", "channel", "reason", "address", *_PAGE),
    ("GET", "/templates"): ("tenant_id", "platform", "event_type", "channel", "locale", "active", *_PAGE),
    ("GET", "/template-languages"): ("tenant_id", "platform", "search", "channel", "active", *_PAGE),
    ("GET", "/template-samples"): ("tenant_id", "event_type", *_PAGE),
    ("GET", "/template-samples/last"): ("tenant_id", "event_type"),
    ("GET", "/template-samples/{id}"): ("tenant_id",),
    ("PUT", "/template-samples/{id}"): ("tenant_id",),
    ("DELETE", "/template-samples/{id}"): ("tenant_id",),
    ("GET", "/templates/{id}/diff"): ("against",),
    ("GET", "/template-parts"): ("tenant_id", "platform", "kind", "name", "newest", *_PAGE),
    ("GET", "/template-parts/{id}/templates"): _PAGE,
    ("POST", "/template-parts/{id}/apply"): ("cursor",),
    ("GET", "/events"): (
        "tenant_id",
        "event_type",
        "recipient",
        "status",
        "channel",
        "reason",
        "provider",
        "since",
        "until",
        "event_id",
        "metadata",
        *_PAGE,
    ),
    ("GET", "/overview"): ("tenant_id", "since", "until"),
    ("GET", "/search"): ("q", "tenant_id"),
    ("GET", "/events/{id}/deliveries"): ("status", "recipient", *_PAGE),
    ("GET", "/deliveries/{id}/content"): ("attempt", "replay"),
    ("GET", "/deliveries/{id}/content.eml"): ("attempt", "replay"),
    ("GET", "/tenants/{id}/schedules"): ("scope", *_PAGE),
    ("GET", "/tenants/{id}/schedule-times"): ("cron", "timezone"),
    ("GET", "/runs"): ("tenant_id", "state", *_PAGE),
    ("GET", "/replays"): ("tenant_id", *_PAGE),
    ("GET", "/dead-letters"): (*_LETTERS, *_PAGE),
    ("GET", "/dead-letters/count"): _LETTERS,
    ("GET", "/refused-requests"): ("tenant_id", "status", "key_id", "reason", "since", "until", *_PAGE),
    ("GET", "/refused-requests/reasons"): ("tenant_id", "status", "key_id", "since", "until"),
    ("GET", "/outages"): ("tenant_id", "open", *_PAGE),
    ("GET", "/route-explain"): ("tenant_id", "event_type", "user_id", "email", "phone", "channels", "locale"),
    ("GET", "/audit"): ("actor", "tenant_id", "resource", "method", "kind", "since", "until", *_PAGE),
}

# An empty value has a meaning here: templates without a locale.
MAY_BE_EMPTY: Mapping[tuple[str, str], Collection[str]] = {("GET", "/templates"): ("locale",)}
