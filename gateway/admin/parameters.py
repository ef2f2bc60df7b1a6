"""The query parameters of the admin API, by method and path. Paths that are not listed take none."""

from collections.abc import Collection, Mapping

_PAGE = ("limit", "cursor")
_DELIVERIES = ("status", "event_type", "metadata", "since", "until", *_PAGE)

PARAMETERS: Mapping[tuple[str, str], Collection[str]] = {
    ("GET", "/tenants"): _PAGE,
    ("GET", "/users"): ("search", *_PAGE),
    ("GET", "/tenants/{id}/recipients"): ("tag", "address", *_PAGE),
    ("GET", "/tenants/{id}/groups"): _PAGE,
    ("GET", "/tenants/{id}/groups/{group_key}/members"): _PAGE,
    ("GET", "/tenants/{id}/outbox"): ("event_id", "channel", *_PAGE),
    ("GET", "/tenants/{id}/endpoints"): ("environment_id", "application_id", "event_type_id", *_PAGE),
    ("GET", "/tenants/{id}/endpoints/{endpoint_id}/parked"): _PAGE,
    ("GET", "/tenants/{id}/endpoints/{endpoint_id}/deliveries"): _DELIVERIES,
    ("GET", "/tenants/{id}/deliveries"): _DELIVERIES,
    ("GET", "/tenants/{id}/event-types"): _PAGE,
    ("GET", "/tenants/{id}/applications"): _PAGE,
    ("GET", "/providers"): ("tenant_id",),
    ("GET", "/suppressions"): ("tenant_id", "channel", "reason", "address", *_PAGE),
    ("GET", "/templates"): ("tenant_id", "event_type", "channel", "locale", "active", *_PAGE),
    ("GET", "/templates/{id}/diff"): ("against",),
    ("GET", "/template-parts"): ("tenant_id", "kind", "name", "newest", *_PAGE),
    ("POST", "/template-parts/{id}/apply"): ("cursor",),
    ("GET", "/events"): ("tenant_id", "event_type", "recipient", "status", "since", "until", "event_id", *_PAGE),
    ("GET", "/events/{id}/deliveries"): ("status", "recipient", *_PAGE),
    ("GET", "/runs"): ("tenant_id", "state", *_PAGE),
    ("GET", "/replays"): ("tenant_id", *_PAGE),
    ("GET", "/dead-letters"): ("tenant_id", *_PAGE),
    ("GET", "/route-explain"): ("tenant_id", "event_type", "user_id", "email", "phone", "channels", "locale"),
    ("GET", "/audit"): ("actor", "tenant_id", "resource", "method", "since", "until", *_PAGE),
}

# An empty value has a meaning here: templates without a locale.
MAY_BE_EMPTY: Mapping[tuple[str, str], Collection[str]] = {("GET", "/templates"): ("locale",)}
