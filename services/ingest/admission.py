"""Admission in PostgreSQL: one statement for all events that wait."""

import time
import uuid
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
from prometheus_client import Counter, Histogram

from clarion.common.v1 import event_pb2
from runtime import logs, postgres
from runtime.batching import GROUPED, Batcher
from services.ingest.degraded import OutageLimits, SettingsOf
from services.ingest.ports import (
    KEY_SCOPE,
    KEYLESS_TTL_S,
    AdmissionVerdict,
    Admitted,
    Claim,
    First,
    LimitState,
    Reached,
)
from services.ingest.pressure import Pressure

_QUERIES = postgres.Queries(Path(__file__).with_name("queries.sql"))
_STATEMENTS = Counter("clarion_sql_statements_total", "SQL statements by purpose.", ["purpose"])
_SECONDS = Histogram(
    "clarion_admission_seconds",
    "How long PostgreSQL took to admit a group.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
_DEGRADED = Counter("clarion_admission_degraded_total", "Events accepted without PostgreSQL.")

# Seconds without PostgreSQL after a failure; the broker's window removes duplicates meanwhile.
_PAUSE_S = 1.0

_reached = msgspec.json.Decoder(Reached).decode
_limits = msgspec.json.Decoder(tuple[LimitState, ...]).decode

log = logs.get(__name__)


class PostgresAdmission:
    """Implements ports.Admission. Admits without PostgreSQL while it is away; counts and logs that."""

    def __init__(
        self, pool: "asyncpg.Pool[asyncpg.Record]", settings_of: SettingsOf, pressure: Pressure | None = None
    ) -> None:
        self._pool = pool
        self._pressure = pressure or Pressure()
        self._outage = OutageLimits(settings_of, self._pressure)
        self._paused_until = 0.0
        self._batcher: Batcher[Claim, Admitted] = Batcher(self._flush, timing=GROUPED)
        self._lookups: Batcher[tuple[str, bytes], Admitted | None] = Batcher(self._look_up, timing=GROUPED)

    async def admit(self, claim: Claim) -> Admitted:
        """See ports.Admission. One process must not admit the same key twice at the same time."""
        return await self._batcher.enqueue(claim)

    async def correct(
        self, tenant_id: str, key_hash: bytes, claimed: str, stored: str, first: First | None = None
    ) -> None:
        """See ports.Admission. If this fails, the ledger corrects the row when it reads the event."""
        if time.monotonic() < self._paused_until:
            return
        kept = (first.event_type, first.fingerprint) if first is not None else (None, None)
        try:
            _STATEMENTS.labels("admission").inc()
            await self._pool.execute(_QUERIES.correct, tenant_id, key_hash, claimed, stored, *kept)
        except (*postgres.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
            log.warning("correction_failed", error=repr(error), event_id=stored)

    async def known(self, tenant_id: str, key_hash: bytes) -> Admitted | None:
        """See ports.Admission."""
        return await self._lookups.submit((tenant_id, key_hash))

    async def stored_event(self, tenant_id: str, event_id: str) -> event_pb2.Event | None:
        """See ports.Admission."""
        try:
            _STATEMENTS.labels("admission").inc()
            raw = await self._pool.fetchval(_QUERIES.stored_event, tenant_id, event_id)
        except (*postgres.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
            log.warning("first_event_unread", error=repr(error), event_id=event_id)
            return None
        return event_pb2.Event.FromString(raw) if raw is not None else None

    async def _flush(self, claims: list[Claim]) -> list[Admitted]:
        if time.monotonic() < self._paused_until:
            return self._without(claims)
        try:
            rows = await self._ask(claims)
        except (*postgres.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
            self._paused_until = time.monotonic() + _PAUSE_S
            log.error("admission_degraded", error=repr(error), events=len(claims))
            return self._without(claims)
        self._outage.reset()
        return [_admitted(row) for row in rows]

    async def _look_up(self, keys: list[tuple[str, bytes]]) -> list[Admitted | None]:
        tenants, hashes = [tenant_id for tenant_id, _ in keys], [key_hash for _, key_hash in keys]
        try:
            _STATEMENTS.labels("admission").inc()
            rows = await self._pool.fetch(_QUERIES.known, tenants, hashes)
        except (*postgres.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
            log.warning("keys_unread", error=repr(error), keys=len(keys))
            return [None] * len(keys)
        found = {(str(row["tenant_id"]), row["key_hash"]): row for row in rows}
        return [_stored(found.get(key)) for key in keys]

    async def _ask(self, claims: list[Claim]) -> list[asyncpg.Record]:
        _STATEMENTS.labels("admission").inc()
        with _SECONDS.time():
            rows = await self._pool.fetch(_QUERIES.admit, *_columns(claims), self._pressure.share)
        if len(rows) != len(claims):
            raise TimeoutError(f"admission answered {len(rows)} of {len(claims)}")
        return rows

    def _without(self, claims: list[Claim]) -> list[Admitted]:
        """Admit without PostgreSQL: the broker's window removes duplicates, each process counts limits for itself."""
        answers = []
        for claim in claims:
            reached = self._outage.take(claim)
            answers.append(
                Admitted(claim.event_id, AdmissionVerdict.LIMITED if reached else AdmissionVerdict.NEW, reached)
            )
            if reached is None:
                _DEGRADED.inc()
        return answers


def _admitted(row: asyncpg.Record) -> Admitted:
    return Admitted(
        str(row["event_id"]),
        AdmissionVerdict(row["verdict"]),
        _reached(row["reached"]) if row["reached"] is not None else None,
        _first(row["first_type"], row["first_fingerprint"]),
        _limits(row["limits"]) if row["limits"] is not None else (),
    )


def _stored(row: asyncpg.Record | None) -> Admitted | None:
    if row is None:
        return None
    first = _first(row["event_type"], row["fingerprint"])
    return Admitted(str(row["event_id"]), AdmissionVerdict.STORED, first=first)


def _first(event_type: str, fingerprint: bytes | None) -> First | None:
    return First(event_type, fingerprint) if fingerprint is not None else None


def _columns(claims: list[Claim]) -> tuple[list[Any], ...]:
    """Return the query's arguments. asyncpg accepts UUIDs as text.

    An event without a key has a row, too, by which a recount knows it until the ledger has read it. Its key is its id,
    which no caller's key is equal to, because these are SHA-256.
    """
    return (
        [claim.tenant_id for claim in claims],
        [claim.key or uuid.UUID(claim.event_id).bytes for claim in claims],
        [claim.event_id for claim in claims],
        [claim.size for claim in claims],
        [claim.first.event_type if claim.first is not None else None for claim in claims],
        [claim.first.fingerprint if claim.first is not None else None for claim in claims],
        [claim.ttl_s if claim.key else KEYLESS_TTL_S for claim in claims],
        ["" if claim.scope.startswith(KEY_SCOPE) else claim.scope for claim in claims],
        [claim.cost for claim in claims],
        [claim.scheduled for claim in claims],
        [KEY_SCOPE + claim.key_id if claim.key_id else "" for claim in claims],
    )
