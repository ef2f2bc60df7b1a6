"""What each call that changes something did, in words, for the audit log.

A unit test compares this table with the routes: a new route that writes needs a row here.
"""

from collections.abc import Mapping

from gateway import dialects
from gateway.audit_words import Words

BASE = "/api/v1/admin"
_TENANT = "/tenants/{id}"
_ENDPOINT = _TENANT + "/endpoints/{endpoint_id}"
_ENVIRONMENT = _TENANT + "/environments/{environment_id}"
_APPLICATION = _TENANT + "/applications/{application_id}"
_WORKFLOW = _TENANT + "/workflows/{workflow_id}"
_EVENT_TYPE = _TENANT + "/event-types/{event_type_id}"

_PEOPLE: Mapping[tuple[str, str], Words] = {
    ("POST", "/session"): Words("signed in", "session"),
    ("GET", "/session/oidc/callback"): Words("signed in with the identity provider", "session"),
    ("DELETE", "/session"): Words("signed out", "session"),
    ("POST", "/session/password"): Words("changed their own password", "user"),
    ("DELETE", "/session/sessions/{id}"): Words("signed out one of their own sessions", "session"),
    ("POST", "/invitations/accept"): Words("joined with a link", "user"),
    ("POST", "/users"): Words("invited {it}", "user"),
    ("PATCH", "/users/{id}"): Words("changed the account of {it}", "user"),
    ("DELETE", "/users/{id}"): Words("deleted the account of {it}", "user"),
    ("POST", "/users/{id}/invitation"): Words("made a new link for {it}", "user"),
    ("DELETE", "/users/{id}/sessions"): Words("signed out all sessions of {it}", "user"),
    ("DELETE", "/users/{id}/sessions/{session_id}"): Words("signed out a session of {it}", "user", at="id"),
}

_TENANTS: Mapping[tuple[str, str], Words] = {
    ("POST", "/tenants"): Words("created {it}", "tenant"),
    ("PATCH", _TENANT): Words("changed the settings of {it}", "tenant"),
    ("DELETE", _TENANT): Words("deactivated {it}", "tenant"),
    ("POST", _TENANT + "/rotate-key"): Words("replaced the first API key of {tenant}", "api_key"),
    ("POST", _TENANT + "/keys"): Words("created {it}", "api_key"),
    ("PATCH", _TENANT + "/keys/{key_id}"): Words("changed {it}", "api_key"),
    ("DELETE", _TENANT + "/keys/{key_id}"): Words("revoked {it}", "api_key"),
    ("POST", _TENANT + "/webhook-secret"): Words("rotated the webhook secret of {it}", "tenant"),
    ("DELETE", _TENANT + "/webhook-secret"): Words("deleted the webhook secrets of {it}", "tenant"),
    ("POST", _TENANT + "/revoke-tokens"): Words("revoked realtime tokens of {it}", "tenant"),
    ("PUT", _TENANT + "/retention"): Words("changed the retention of {it}", "tenant"),
    ("PUT", _TENANT + "/locale"): Words("changed the default language of {it}", "tenant"),
    ("POST", "/encryption/renew"): Words("renewed the encryption of all stored secrets", "encryption"),
}

_RECIPIENTS: Mapping[tuple[str, str], Words] = {
    ("POST", _TENANT + "/recipients/erase"): Words("erased a recipient", "recipient"),
    ("POST", _TENANT + "/recipients/export"): Words("exported the data of a recipient", "recipient"),
    ("PUT", _TENANT + "/recipients"): Words("stored recipients", "recipient"),
    ("PUT", _TENANT + "/recipients/{recipient_id}"): Words("stored a recipient", "recipient"),
    ("DELETE", _TENANT + "/recipients/{recipient_id}"): Words("deleted a stored recipient", "recipient"),
    ("PATCH", _TENANT + "/recipients/{recipient_id}"): Words("changed a recipient", "recipient"),
    ("POST", _TENANT + "/recipients/{recipient_id}/tags"): Words("changed the tags of a recipient", "recipient"),
    ("POST", _TENANT + "/recipient-export"): Words("exported stored recipients", "recipient"),
    ("POST", _TENANT + "/segments"): Words("created {it}", "segment"),
    ("PATCH", _TENANT + "/segments/{segment_id}"): Words("changed {it}", "segment"),
    ("DELETE", _TENANT + "/segments/{segment_id}"): Words("deleted {it}", "segment"),
    ("POST", _TENANT + "/imports"): Words("began an import of recipients", "import"),
    ("PUT", _TENANT + "/imports/{import_id}/file"): Words("imported recipients from {it}", "import"),
    ("POST", _TENANT + "/imports/{import_id}/cancel"): Words("canceled {it}", "import"),
    ("PUT", _TENANT + "/groups/{group_key}"): Words("changed {it}", "group"),
    ("DELETE", _TENANT + "/groups/{group_key}"): Words("deleted {it}", "group"),
    ("POST", _TENANT + "/groups/{group_key}/members"): Words("changed the members of {it}", "group"),
    ("POST", "/suppressions"): Words("suppressed an address", "suppression"),
    ("DELETE", "/suppressions/{id}"): Words("allowed a suppressed address again", "suppression"),
}

_PROVIDERS: Mapping[tuple[str, str], Words] = {
    ("POST", "/providers"): Words("added {it}", "provider"),
    ("PATCH", "/providers/{id}"): Words("changed {it}", "provider"),
    ("DELETE", "/providers/{id}"): Words("deleted {it}", "provider"),
    ("POST", "/providers/{id}/test"): Words("sent a test message with {it}", "provider"),
    ("PUT", _TENANT + "/provider-order"): Words("changed the order of the providers of {tenant}", "provider"),
}

_TEMPLATES: Mapping[tuple[str, str], Words] = {
    ("POST", "/templates"): Words("created {it}", "template"),
    ("POST", "/templates/{id}/activate"): Words("activated {it}", "template"),
    ("POST", "/templates/{id}/deactivate"): Words("deactivated {it}", "template"),
    ("POST", "/templates/{id}/refresh"): Words("refreshed the parts of {it}", "template"),
    ("POST", "/templates/{id}/test"): Words("sent a test of {it}", "template"),
    ("POST", "/template-parts"): Words("created {it}", "template_part"),
    ("POST", "/template-parts/{id}/apply"): Words("applied {it} to the templates that use it", "template_part"),
    ("POST", "/template-samples"): Words("created {it}", "sample"),
    ("PUT", "/template-samples/{id}"): Words("changed {it}", "sample"),
    ("DELETE", "/template-samples/{id}"): Words("deleted {it}", "sample"),
}

_EVENTS: Mapping[tuple[str, str], Words] = {
    ("POST", _TENANT + "/events"): Words("sent an event", "event"),
    ("POST", _TENANT + "/events/{event_id}/cancel"): Words("canceled {it}", "event"),
    ("POST", "/events/{id}/run/pause"): Words("paused the run of {it}", "event"),
    ("POST", "/events/{id}/run/resume"): Words("resumed the run of {it}", "event"),
    ("POST", _TENANT + "/schedules"): Words("created {it}", "schedule"),
    ("PATCH", _TENANT + "/schedules/{schedule_id}"): Words("changed {it}", "schedule"),
    ("DELETE", _TENANT + "/schedules/{schedule_id}"): Words("deleted {it}", "schedule"),
    ("POST", "/events/{id}/replay"): Words("replayed {it}", "event"),
    ("POST", "/replays"): Words("replayed events", "replay"),
    ("POST", "/replays/{id}/cancel"): Words("canceled {it}", "replay"),
    ("POST", "/replays/{id}/pause"): Words("paused {it}", "replay"),
    ("POST", "/replays/{id}/resume"): Words("resumed {it}", "replay"),
    ("POST", "/dead-letters/{id}/replay"): Words("replayed {it}", "delivery"),
    ("POST", "/dead-letters/replay"): Words("replayed all dead letters that match a filter", "replay"),
    ("PUT", "/alerts"): Words("changed who gets alerts", "alerts"),
    ("POST", "/alerts/test"): Words("sent a test alert", "alerts"),
    ("PUT", _TENANT + "/alerts"): Words("changed who gets the alerts of {tenant}", "alerts"),
    ("POST", _TENANT + "/alerts/test"): Words("sent a test alert of {tenant}", "alerts"),
}

_WORKFLOWS: Mapping[tuple[str, str], Words] = {
    ("POST", _TENANT + "/workflows"): Words("created {it}", "workflow"),
    ("PATCH", _WORKFLOW): Words("changed {it}", "workflow"),
    ("DELETE", _WORKFLOW): Words("deleted {it}", "workflow"),
    ("POST", _TENANT + "/workflow-runs/{workflow_run_id}/cancel"): Words("canceled {it}", "workflow_run"),
}

_WEBHOOKS: Mapping[tuple[str, str], Words] = {
    ("POST", _TENANT + "/endpoints"): Words("created {it}", "endpoint"),
    ("PATCH", _ENDPOINT): Words("changed {it}", "endpoint"),
    ("DELETE", _ENDPOINT): Words("deleted {it}", "endpoint"),
    ("POST", _ENDPOINT + "/rotate-secret"): Words("rotated the secret of {it}", "endpoint"),
    ("POST", _ENDPOINT + "/reveal-secret"): Words("saw the secret of {it}", "endpoint"),
    ("POST", _ENDPOINT + "/test"): Words("sent a test event to {it}", "endpoint"),
    ("POST", _ENDPOINT + "/subscriptions"): Words("subscribed {it} to event types", "endpoint", at="endpoint_id"),
    ("DELETE", _ENDPOINT + "/subscriptions/{event_type_id}"): Words(
        "unsubscribed {it} from an event type", "endpoint", at="endpoint_id"
    ),
    ("POST", _ENDPOINT + "/parked/skip"): Words("skipped messages that waited for {it}", "endpoint"),
    ("POST", _ENDPOINT + "/probe"): Words("tried {it} without waiting", "endpoint"),
    ("POST", _ENDPOINT + "/poll"): Words("read the messages of {it}", "endpoint"),
    ("POST", _ENDPOINT + "/recover"): Words("sent failed deliveries to {it} again", "endpoint"),
    ("POST", _ENDPOINT + "/backfill"): Words("sent earlier events to {it}", "endpoint"),
    ("POST", _TENANT + "/deliveries/{delivery_id}/retry"): Words("retried {it}", "delivery"),
    ("POST", _TENANT + "/event-types"): Words("created {it}", "event_type"),
    ("PATCH", _EVENT_TYPE): Words("changed {it}", "event_type"),
    ("DELETE", _EVENT_TYPE): Words("deleted {it}", "event_type"),
    ("POST", _TENANT + "/environments"): Words("created {it}", "environment"),
    ("PATCH", _ENVIRONMENT): Words("changed {it}", "environment"),
    ("DELETE", _ENVIRONMENT): Words("deleted {it}", "environment"),
    ("PUT", _ENVIRONMENT + "/event-types/{event_type_id}"): Words(
        "chose whether {it} shows an event type", "environment", at="environment_id"
    ),
    ("POST", _TENANT + "/applications"): Words("created {it}", "application"),
    ("PATCH", _APPLICATION): Words("changed {it}", "application"),
    ("DELETE", _APPLICATION): Words("deleted {it}", "application"),
    ("POST", _APPLICATION + "/portal"): Words("made a link to the portal of {it}", "application"),
}

ADMIN: Mapping[tuple[str, str], Words] = {
    **_PEOPLE,
    **_TENANTS,
    **_RECIPIENTS,
    **_PROVIDERS,
    **_TEMPLATES,
    **_EVENTS,
    **_WORKFLOWS,
    **_WEBHOOKS,
}

_IN_PORTAL = "/portal/endpoints/{endpoint_id}"
PORTAL: Mapping[tuple[str, str], Words] = {
    ("POST", "/portal/endpoints"): Words("created an endpoint", "endpoint"),
    ("POST", _IN_PORTAL): Words("changed an endpoint", "endpoint"),
    ("POST", _IN_PORTAL + "/active"): Words("changed whether an endpoint is active", "endpoint"),
    ("POST", _IN_PORTAL + "/event-types"): Words("chose the event types of an endpoint", "endpoint"),
    ("POST", _IN_PORTAL + "/rotate-secret"): Words("rotated the secret of an endpoint", "endpoint"),
    ("POST", _IN_PORTAL + "/reveal-secret"): Words("saw the secret of an endpoint", "endpoint"),
    ("POST", _IN_PORTAL + "/test"): Words("sent a test event to an endpoint", "endpoint"),
    ("POST", _IN_PORTAL + "/deliveries/{delivery_id}/retry"): Words("retried a delivery", "delivery"),
}


def all_words() -> dict[tuple[str, str], Words]:
    """Return the words of every call that the audit log records, by method and route."""
    found = {(method, BASE + path): words for (method, path), words in ADMIN.items()} | dict(PORTAL)
    for dialect in dialects.installed():
        found |= dialect.audited()
    return found
