"""Ingest's ports in memory: admission, tenants' settings, the event log."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field

from clarion.common.v1 import event_pb2
from runtime import clock
from runtime.errors import ClarionError, Code
from services.ingest.degraded import OutageLimits
from services.ingest.endpoints.ports import OwnedEndpoint
from services.ingest.ports import AdmissionVerdict, Admitted, Appended, Claim, First, Reached, TenantSettings
from tests.fakes.limits import PlainLimits


@dataclass
class MemoryTenants:
    """Implements ports.TenantSettingsSource."""

    known: dict[str, TenantSettings] = field(default_factory=dict)

    async def settings(self, tenant_id: str) -> TenantSettings:
        """Return what is known, or the defaults."""
        return self.cached_or_default(tenant_id)

    def cached_or_default(self, tenant_id: str) -> TenantSettings:
        """As settings, without a wait."""
        return self.known.get(tenant_id, TenantSettings())


@dataclass
class MemoryEndpointOwner:
    """Implements ports.EndpointOwner. away: it does not answer. asked: for which endpoints."""

    known: dict[tuple[str, str], OwnedEndpoint] = field(default_factory=dict)
    away: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def endpoint(self, tenant_id: str, endpoint_id: str) -> OwnedEndpoint | None:
        """Return what is known."""
        self.asked.append((tenant_id, endpoint_id))
        if self.away:
            raise ClarionError(Code.UNAVAILABLE, "The owner does not answer.", retry_after=1)
        return self.known.get((tenant_id, endpoint_id))


@dataclass
class Row:
    """A key's row: the event that it names, what is kept of it, whether it is stored, and until when it counts."""

    event_id: str
    first: First | None
    stored: bool = False
    # Unix microseconds.
    expires_at: float = math.inf


class MemoryAdmission:
    """Implements ports.Admission. away: the database does not answer.

    claims: what was asked. rows: by tenant and key. events: those that the ledger has, by tenant and id. now: Unix
    microseconds.
    """

    def __init__(self, settings_of: Callable[[str], TenantSettings], now: clock.Clock = clock.now_us) -> None:
        self.rows: dict[tuple[str, bytes], Row] = {}
        self.events: dict[tuple[str, str], event_pb2.Event] = {}
        self.claims: list[Claim] = []
        self.away = False
        self._settings_of = settings_of
        self._now = now
        self._limits = PlainLimits(now)
        self._outage = OutageLimits(settings_of)

    async def admit(self, claim: Claim) -> Admitted:
        """Claim the key, unless it is known, within the tenant's limits. While away, every key is new."""
        self.claims.append(claim)
        if self.away:
            reached = self._outage.take(claim)
            return Admitted(claim.event_id, AdmissionVerdict.LIMITED if reached else AdmissionVerdict.NEW, reached)
        row = self.rows.get((claim.tenant_id, claim.key)) if claim.key else None
        if row is not None and row.expires_at > self._now():
            return Admitted(
                row.event_id, AdmissionVerdict.STORED if row.stored else AdmissionVerdict.PENDING, first=row.first
            )
        taken = self._limits.take(claim, self._settings_of(claim.tenant_id))
        if isinstance(taken, Reached):
            return Admitted(claim.event_id, AdmissionVerdict.LIMITED, taken)
        if claim.key:
            expires_at = self._now() + claim.ttl_s * 1_000_000
            self.rows[claim.tenant_id, claim.key] = Row(claim.event_id, claim.first, expires_at=expires_at)
        return Admitted(claim.event_id, AdmissionVerdict.NEW, limits=taken)

    async def correct(
        self, tenant_id: str, key_hash: bytes, claimed: str, stored: str, first: First | None = None
    ) -> None:
        """Let the key's row name the stored event. Nothing happens while away, or where the row has moved on."""
        row = self.rows.get((tenant_id, key_hash))
        if not self.away and row is not None and row.event_id == claimed:
            row.event_id = stored
            row.first = first or row.first

    async def known(self, tenant_id: str, key_hash: bytes) -> Admitted | None:
        """Return what is kept of a stored event's key."""
        row = None if self.away else self.rows.get((tenant_id, key_hash))
        if row is None or not row.stored or row.expires_at <= self._now():
            return None
        return Admitted(row.event_id, AdmissionVerdict.STORED, first=row.first)

    async def stored_event(self, tenant_id: str, event_id: str) -> event_pb2.Event | None:
        """Return what the ledger has."""
        return None if self.away else self.events.get((tenant_id, event_id))

    def store(self, event: event_pb2.Event) -> None:
        """Take in what the ledger has read from EVENTS."""
        self.events[event.tenant_id, event.id] = event
        for (tenant_id, _), row in self.rows.items():
            if (tenant_id, row.event_id) == (event.tenant_id, event.id):
                row.stored = True


class MemoryEventLog:
    """Implements ports.EventLog. failure: raised in place of storing. loses_answers: stores, and says it is away.

    has_begun: cleared: nothing is sent to the broker yet. gate: append waits for it after that.
    """

    def __init__(self) -> None:
        self.events: list[event_pb2.Event] = []
        self.failure: ClarionError | None = None
        self.loses_answers = False
        self.has_begun = asyncio.Event()
        self.has_begun.set()
        self.gate = asyncio.Event()
        self.gate.set()
        self._by_key: dict[tuple[str, bytes], event_pb2.Event] = {}

    async def append(self, event: event_pb2.Event, *, within: float | None = None) -> Appended:
        """Store the event once per deduplication key."""
        if not self.has_begun.is_set():
            try:
                async with asyncio.timeout(within):
                    await self.has_begun.wait()
            except TimeoutError:
                raise ClarionError(Code.TIMEOUT, "There was no time to begin it.") from None
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        key = (event.tenant_id, event.dedupe_key or event.id.encode())
        first = self._by_key.get(key)
        if first is None:
            kept = event_pb2.Event()
            kept.CopyFrom(event)
            self._by_key[key] = kept
            self.events.append(kept)
        if self.loses_answers:
            raise ClarionError(Code.UNAVAILABLE, "The message broker does not answer.", retry_after=1)
        return Appended(event.id) if first is None else Appended(first.id, first)

    def forget(self) -> None:
        """Forget the keys, as the broker does after its window."""
        self._by_key.clear()
