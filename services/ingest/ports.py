"""The interfaces that accepting needs."""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import msgspec

from clarion.common.v1 import event_pb2

# How long a key is remembered, seconds.
DAY_S = 86_400
# How long the row of an event without a key stays: until the ledger has read the event, and a recount counts it there.
KEYLESS_TTL_S = 3600
DEFAULT_MAX_UNFINISHED = 100_000
DEFAULT_MAX_SCHEDULED = 100_000
DEFAULT_MAX_BYTES = 256 * 1024 * 1024
# The largest max_payload_bytes, which is the default, and the least.
MAX_PAYLOAD_BYTES = 256 * 1024
LEAST_PAYLOAD_BYTES = 1024
DEFAULT_MAX_PARKED = 100_000
# The largest event must fit even while a crowded stream leaves each tenant a sixteenth of its budget.
LEAST_MAX_BYTES = 32 * 1024 * 1024


class AdmissionVerdict(Enum):
    """Admission's decision on an event."""

    NEW = "new"
    # The key is known, but its event may not have reached EVENTS: publish it again under event_id.
    PENDING = "pending"
    # The key is known, and its event is stored.
    STORED = "stored"
    # The tenant is past one of its limits.
    LIMITED = "limited"


class LimitKind(Enum):
    """What a limit counts, and how; the numbers are those of clarion.common.v1.LimitKind."""

    # Events accepted in any window that ends now.
    SLIDING = 1
    # Events accepted since the window began. Windows begin at multiples of their length since 1970 UTC.
    FIXED = 2
    # Accepted events that are not finished.
    UNFINISHED = 3
    # The bytes that these events take in the streams.
    BYTES = 4
    # Events that wait for their time.
    SCHEDULED = 5


# What the scope of a key's rate begins with; the key's id follows. No scope that a tenant's rate may have begins so.
KEY_SCOPE = "\x01"


class Rate(msgspec.Struct, frozen=True):
    """A limit of events per window.

    scope: only events of this scope count; empty: all of the tenant. Of a key's rate: KEY_SCOPE and the key's id.
    """

    window_s: int
    bound: int
    kind: LimitKind = LimitKind.SLIDING
    scope: str = ""

    def counts(self, claim: "Claim") -> bool:
        """Return whether an event counts."""
        if self.scope.startswith(KEY_SCOPE):
            return self.scope[1:] == claim.key_id
        return self.scope in ("", claim.scope)


@dataclass(frozen=True, slots=True)
class Reached:
    """A limit that is reached. retry_after: seconds until it admits the event; 0: not known.

    remaining: what is left, less than the event costs. scope, window_s: of a rate; else empty and 0.
    """

    kind: LimitKind
    bound: int = 0
    retry_after: int = 0
    scope: str = ""
    window_s: int = 0
    remaining: int = 0


@dataclass(frozen=True, slots=True)
class LimitState:
    """A rate after an event. reset_s: seconds until something leaves the window, and more remains."""

    kind: LimitKind
    scope: str
    window_s: int
    bound: int
    remaining: int
    reset_s: int


class First(msgspec.Struct, frozen=True):
    """What is stored of a key's first event to answer its repeats. fingerprint: see fingerprint.py."""

    event_type: str
    fingerprint: bytes


class Claim(msgspec.Struct, frozen=True):
    """What admission is asked for one event.

    key: of its duplicates; empty: it has none. size: bytes of the tenant's budget (event_size.py). first: stored for
    the key's repeats. ttl_s: how long the key is remembered, seconds. cost: what it takes of each rate, at least 1.
    scheduled: it waits for its time, and counts against another quota meanwhile. scope: rates of this scope count it,
    besides those of the whole tenant. key_id: of the caller's API key, whose rates count it, too.
    """

    tenant_id: str
    key: bytes
    event_id: str
    size: int
    first: First | None = None
    ttl_s: int = DAY_S
    cost: int = 1
    scheduled: bool = False
    scope: str = ""
    key_id: str = ""


class Admitted(msgspec.Struct, frozen=True):
    """Admission's answer.

    event_id: of a duplicate, the first event's. reached: the limit, if LIMITED. first: of a duplicate, if it is stored.
    limits: of a NEW one, the rates that count it, as they are after it; empty without rates, and while the database is
    away.
    """

    event_id: str
    verdict: AdmissionVerdict
    reached: Reached | None = None
    first: First | None = None
    limits: tuple[LimitState, ...] = ()


class Admission(Protocol):
    """Finds duplicates and applies limits, exactly over any number of ingest processes."""

    async def admit(self, claim: Claim) -> Admitted:
        """Claim the key, and room within the tenant's limits, for an event.

        Does not raise while the database is away: then it is NEW or LIMITED.
        """

    async def correct(
        self, tenant_id: str, key_hash: bytes, claimed: str, stored: str, first: First | None = None
    ) -> None:
        """Correct a claim: the event stored under the key is another one, or has another body. Never raises."""

    async def known(self, tenant_id: str, key_hash: bytes) -> Admitted | None:
        """Return what admit() answers for a key of a STORED event; None: it is no such key, or the database is away.

        Claims nothing.
        """

    async def stored_event(self, tenant_id: str, event_id: str) -> event_pb2.Event | None:
        """Return an event as it was accepted; None: it was erased, or the database is away."""


class ContentKey(Enum):
    """Which content makes two events without an idempotency key the same."""

    # All that the caller sent.
    FULL = "full"
    # Type, recipients and payload_extra alone. The word that is stored, and public, is older than this name.
    PAYLOAD = "seed"


# The rates that have a setting of their own: rate_limit_per_minute and daily_cap.
MINUTE = (60, LimitKind.SLIDING)
DAY = (DAY_S, LimitKind.FIXED)


class TenantSettings(msgspec.Struct, frozen=True):
    """The settings of a tenant that accepting needs. None: no limit."""

    name: str = ""
    max_unfinished_events: int = DEFAULT_MAX_UNFINISHED
    max_unfinished_bytes: int = DEFAULT_MAX_BYTES
    rate_limit_per_minute: int | None = None
    daily_cap: int | None = None
    content_key: ContentKey = ContentKey.FULL
    max_scheduled_events: int = DEFAULT_MAX_SCHEDULED
    # Besides the minute's and the day's.
    rates: tuple[Rate, ...] = ()
    # Of the tenant's keys.
    key_rates: tuple[Rate, ...] = ()
    max_payload_bytes: int = MAX_PAYLOAD_BYTES

    def all_rates(self) -> list[Rate]:
        """Return the minute's, the day's and the others, without those of keys."""
        classical = [
            Rate(window_s, bound, kind)
            for (window_s, kind), bound in ((MINUTE, self.rate_limit_per_minute), (DAY, self.daily_cap))
            if bound is not None
        ]
        return [*classical, *self.rates]


class TenantSettingsSource(Protocol):
    """TenantSettingsSource' settings."""

    async def settings(self, tenant_id: str) -> TenantSettings:
        """Return a tenant's settings; the defaults if they cannot be read. Never raises."""

    def cached_or_default(self, tenant_id: str) -> TenantSettings:
        """Return what is known of a tenant's settings here, without asking anybody; else the defaults."""


class Appended(msgspec.Struct, frozen=True):
    """The event log's answer: the id of the stored event.

    first: the event that was stored before, perhaps by an earlier try of the same call; None: this event is stored.
    """

    event_id: str
    first: event_pb2.Event | None = None


class EventLog(Protocol):
    """The stream EVENTS."""

    async def append(self, event: event_pb2.Event, *, within: float | None = None) -> Appended:
        """Return when the event is on disk. Raises UNAVAILABLE or OVERLOADED.

        within: seconds after which TIMEOUT is raised, if nothing was sent to the broker; then nothing ever is. Once
        something was sent its result comes, however late.
        """
