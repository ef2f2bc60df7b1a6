"""The streams, subjects, lanes and configuration keys that all services use; ``clarion migrate`` creates them.

A lane is a share of the tenants. Subjects carry its number, so that a tenant that floods shares its consumer with few
others.
"""

import zlib
from dataclasses import dataclass

from nats.aio.client import Client
from nats.js import JetStreamContext, errors
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DiscardPolicy,
    KeyValueConfig,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)

from clarion.common.v1 import event_pb2
from runtime.bucket import HEALTH_SUBJECT
from runtime.configuration import BUCKET, key_part
from services.domain import channels

EVENTS = "EVENTS"
DELIVERIES = "DELIVERIES"
TIMERS = "TIMERS"
TRACE = "TRACE"

LANES = 16
# Each group of lanes has a consumer of its own.
LANE_GROUPS = 4

# How long the broker remembers the message ids of EVENTS, DELIVERIES and TIMERS, seconds. An id costs it about 280
# bytes of memory. Before a delivery of an older event is attempted, the worker asks the ledger whether it was sent.
DUPLICATE_WINDOW_S = 120
# TRACE needs no message ids: each record has an id, by which the ledger writes it once.
_NO_WINDOW_S = 1
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
    """Return the subject for a schedule in TIMERS; one per delivery and revision (attempt, deferral, replay)."""
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
    max_unfinished_events, max_unfinished_bytes, max_sms_segments, rate_limit_per_minute and daily_cap (null: none),
    content_key, webhook_secrets (list of {id, ciphertext in base64, until_us}; until_us 0: the current one)}.
    """
    return f"tenants.{tenant_id}"


def api_key_key(digest_hex: str) -> str:
    """An API key by its SHA-256: the tenant's id as text."""
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


def streams(*, replicas: int, max_bytes: int) -> list[StreamConfig]:
    """Return the streams. max_bytes: the bound of each but TIMERS, which must not discard (timers would be lost)."""

    def bounded(name: str, subjects: list[str], window_s: int = DUPLICATE_WINDOW_S) -> StreamConfig:
        return StreamConfig(
            name=name,
            subjects=[*subjects, probe_subject(name)],
            retention=RetentionPolicy.LIMITS,
            storage=StorageType.FILE,
            discard=DiscardPolicy.NEW,
            max_bytes=max_bytes,
            num_replicas=replicas,
            duplicate_window=window_s,
            allow_atomic=True,
            allow_direct=True,
            allow_rollup_hdrs=True,
        )

    timers = StreamConfig(
        name=TIMERS,
        subjects=[WAITING_TIMERS, "timers.due.>", probe_subject(TIMERS)],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        num_replicas=replicas,
        duplicate_window=DUPLICATE_WINDOW_S,
        allow_atomic=True,
        allow_msg_schedules=True,
        allow_direct=True,
        allow_rollup_hdrs=True,
    )
    return [
        bounded(EVENTS, ["events.*"]),
        bounded(DELIVERIES, ["deliveries.*.*"]),
        bounded(TRACE, [TRACE_SUBJECT], _NO_WINDOW_S),
        timers,
    ]


async def apply(connection: Client, *, replicas: int = 1, max_bytes: int = GIB) -> list[str]:
    """Create or update the streams, consumers and the configuration bucket; return the names of the new ones."""
    jetstream = connection.jetstream(timeout=10)
    created = []
    for stream in streams(replicas=replicas, max_bytes=max_bytes):
        try:
            await jetstream.update_stream(stream)
        except errors.NotFoundError:
            await jetstream.add_stream(stream)
            created.append(str(stream.name))
    if await _apply_bucket(jetstream, replicas):
        created.append(BUCKET)
    for consumer in consumers():
        await jetstream.add_consumer(
            consumer.stream,
            ConsumerConfig(
                durable_name=consumer.name,
                filter_subjects=list(consumer.subjects),
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=ACK_WAIT_S,
                max_deliver=-1,
                max_ack_pending=8192,
                max_waiting=512,
                num_replicas=1,
            ),
        )
    return created


async def _apply_bucket(jetstream: JetStreamContext, replicas: int) -> bool:
    """Create the configuration bucket, or allow direct reads of an older one; tell whether it is new."""
    try:
        config = (await jetstream.stream_info(f"KV_{BUCKET}")).config
    except errors.NotFoundError:
        await jetstream.create_key_value(
            KeyValueConfig(
                bucket=BUCKET, history=1, storage=StorageType.FILE, replicas=replicas, max_bytes=-1, direct=True
            )
        )
        return True
    if not config.allow_direct:
        config.allow_direct = True
        await jetstream.update_stream(config)
    return False
