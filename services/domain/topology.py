"""The streams, subjects, lanes and configuration keys that all services use; ``clarion migrate`` creates them.

A lane is a share of the tenants. Subjects carry its number, so that a tenant that floods shares its consumer with few
others.
"""

import zlib
from dataclasses import dataclass

from clarion.common.v1 import event_pb2
from runtime.bucket_keys import BUCKET, HEALTH_SUBJECT, key_part
from services.domain import channels

EVENTS = "EVENTS"
DELIVERIES = "DELIVERIES"
TIMERS = "TIMERS"
TRACE = "TRACE"

LANES = 16
# Each group of lanes has a consumer of its own.
LANE_GROUPS = 4

# How long the broker remembers the message ids of EVENTS, DELIVERIES and TIMERS, seconds. An id costs it about 280
# bytes of memory. Before a delivery that is about as old is attempted, the worker claims it at the ledger.
DUPLICATE_WINDOW_S = 120
# The broker delivers a dead worker's messages again after this time, seconds.
ACK_WAIT_S = 6.0

GIB = 1024**3


def lane_of(tenant_id: str) -> int:
    """Return the tenant's lane."""
    return zlib.crc32(tenant_id.encode()) % LANES


def event_subject(tenant_id: str) -> str:
    """Return the subject for an event of this tenant in EVENTS."""
    return f"events.{lane_of(tenant_id)}"


def delivery_subject(channel: event_pb2.Channel.ValueType, tenant_id: str) -> str:
    """Return the subject for a delivery in DELIVERIES."""
    return f"deliveries.{channels.NAMES[channel]}.{lane_of(tenant_id)}"


def timer_subject(delivery_id: str, revision: str) -> str:
    """Return the subject for a schedule in TIMERS; one per delivery and revision (services/delivery/timers.py)."""
    return f"timers.wait.{delivery_id}.{revision}"


def due_subject(channel: event_pb2.Channel.ValueType, tenant_id: str) -> str:
    """Return the subject on which TIMERS publishes a delivery that is due."""
    return f"timers.due.{channels.NAMES[channel]}.{lane_of(tenant_id)}"


WAITING_TIMERS = "timers.wait.>"

TRACE_SUBJECT = "trace"

# The streams whose health is checked by writing to them.
STORES = (EVENTS, DELIVERIES, TIMERS, TRACE, BUCKET)


def probe_subject(store: str) -> str:
    """Return the subject for test writes to a stream or the bucket. No consumer or watch reads it."""
    return HEALTH_SUBJECT if store == BUCKET else f"health.{store.lower()}"


def stream_of(store: str) -> str:
    """Return the name of the stream behind a store; the bucket's stream has another name than the bucket."""
    return f"KV_{BUCKET}" if store == BUCKET else store


# Keys of the configuration bucket, each with what its value is.


def tenant_key(tenant_id: str) -> str:
    """A tenant: JSON {id, account_id, name, active, delivery_channels, sender_name, sender_email, reply_to,
    max_unfinished_events, max_unfinished_bytes, max_scheduled_events, max_sms_segments, rate_limit_per_minute and
    daily_cap (null: none), rates (the others: list of {scope, window_s, bound, kind as in LimitKind}), content_key,
    webhook_secrets (list of {id, ciphertext in base64, until_us}; until_us 0: the current one)}.
    """
    return f"tenants.{tenant_id}"


def api_key_key(digest_hex: str) -> str:
    """An API key by its SHA-256: the tenant's id as text; of a restricted key JSON {tenant_id, kind, scopes,
    expires_at_us}, without what has its default.
    """
    return f"keys.{digest_hex}"


def templates_key(tenant_id: str, event_type: str) -> str:
    """The active templates: JSON list of {channel, template_version_id, push_namespace, locale, subscribed (if so)};
    tenant "": platform.
    """
    return f"templates.{tenant_id or 'platform'}.{key_part(event_type)}"


def locale_key(tenant_id: str) -> str:
    """The language that a tenant's templates fall back to, as text; empty: none."""
    return f"locales.{tenant_id}"


def version_key(version_id: str) -> str:
    """A template version as written: JSON [channel number, subject, body, preheader, layout's body, partials' bodies
    by name, locale]; read directly, not watched.
    """
    return f"versions.{version_id}"


def providers_key(tenant_id: str) -> str:
    """A tenant's providers, best first: JSON list of {id, channel, kind, settings, secrets (base64 ciphertext)}."""
    return f"providers.{tenant_id}"


# The prefix of suppressions_key.
SUPPRESSIONS = "suppressed"


def suppressions_key(tenant_id: str, shard: int) -> str:
    """One 256th of a tenant's suppressed addresses: see services.domain.suppression_list.pack."""
    return f"{SUPPRESSIONS}.{tenant_id}.{shard:02x}"


# The prefix of revocation_key.
REVOCATIONS = "revoked"


def revocation_key(tenant_id: str, recipient: str = "") -> str:
    """The epoch of a user (services.domain.pseudonyms) or of a whole tenant, once raised: the number as text."""
    return f"{REVOCATIONS}.{tenant_id}.{recipient}" if recipient else f"{REVOCATIONS}.{tenant_id}"


# The prefix of endpoint_key.
ENDPOINTS = "endpoints"


def endpoint_key(tenant_id: str, endpoint_id: str) -> str:
    """An endpoint, active or not: see services.domain.endpoints.Endpoint."""
    return f"{ENDPOINTS}.{tenant_id}.{endpoint_id}"


# The prefix of subscribers_key.
SUBSCRIBERS = "subscribers"


def subscribers_key(tenant_id: str, event_type: str) -> str:
    """The active endpoints that subscribe to a type, in the order of their creation: JSON list of
    services.domain.endpoints.Subscriber. Absent: none does.
    """
    return f"{SUBSCRIBERS}.{tenant_id}.{key_part(event_type)}"


# The prefix of workflows_key.
WORKFLOWS = "workflows"


def workflows_key(tenant_id: str, event_type: str) -> str:
    """The stored workflows of an event type, active or not, in the order of their creation: JSON list of
    services.domain.workflows.Workflow. An empty list: the type was declared, and no workflow names it. Absent: neither.
    """
    return f"{WORKFLOWS}.{tenant_id}.{key_part(event_type)}"


# The prefix of endpoint_state_key.
ENDPOINT_STATES = "endpoint_states"


def endpoint_state_key(tenant_id: str, endpoint_id: str) -> str:
    """How an endpoint is doing: see services.domain.endpoints.State. Absent: well. The senders write it."""
    return f"{ENDPOINT_STATES}.{tenant_id}.{endpoint_id}"


# The prefix of canceled_key.
CANCELED = "canceled"


def canceled_key(tenant_id: str, event_id: str) -> str:
    """An event that was canceled, kept for a week: the Unix time in microseconds as text."""
    return f"{CANCELED}.{tenant_id}.{event_id}"


@dataclass(frozen=True)
class Consumer:
    """A durable consumer over one group of lanes."""

    stream: str
    name: str
    subjects: tuple[str, ...]


def _groups(stream: str, name: str, prefix: str) -> list[Consumer]:
    return [
        Consumer(
            stream,
            f"{name}-{group}",
            tuple(f"{prefix}.{lane}" for lane in range(group, LANES, LANE_GROUPS)),
        )
        for group in range(LANE_GROUPS)
    ]


def router_consumers() -> list[Consumer]:
    """Return the router's consumers: events to route."""
    return _groups(EVENTS, "router", "events")


def ledger_consumers() -> list[Consumer]:
    """Return the ledger's consumers: what was accepted, and what became of it."""
    return [Consumer(EVENTS, "ledger", ("events.*",)), Consumer(TRACE, "ledger", (TRACE_SUBJECT,))]


def delivery_consumers(channel: event_pb2.Channel.ValueType) -> list[Consumer]:
    """Return a channel's consumers: routed deliveries, and those whose timer is due."""
    name = channels.NAMES[channel]
    due = Consumer(TIMERS, f"{name}-due", (f"timers.due.{name}.*",))
    return [*_groups(DELIVERIES, name, f"deliveries.{name}"), due]


def consumers() -> list[Consumer]:
    """Return all consumers."""
    return [
        *router_consumers(),
        *ledger_consumers(),
        *(consumer for channel in channels.NAMES for consumer in delivery_consumers(channel)),
    ]
