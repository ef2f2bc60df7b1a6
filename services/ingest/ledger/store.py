"""Writes the ledger's tables, in groups; reader.py reads them."""

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg
from prometheus_client import Counter

from clarion.common.v1 import event_pb2, trace_pb2
from runtime import clock, logs, postgres
from runtime.errors import ClarionError, Code
from services.ingest.admission_sweep import AdmissionSweep
from services.ingest.event_ids import lowest_id
from services.ingest.ledger.record import is_known
from services.ingest.ledger.rows import EventRow, Item, LedgerRows

_QUERIES = postgres.Queries(Path(__file__).with_name("queries.sql"))
_ADMISSION_QUERIES = postgres.Queries(Path(__file__).parents[1] / "queries.sql")
_STATEMENTS = Counter("clarion_ledger_statements_total", "SQL statements of the ledger's writer.")

_MAX_SMALLINT = 32_767
# Retention keeps an event for at least a day; a little less, because clocks differ.
_LATE_US = 23 * 3600 * 1_000_000
# Smaller than any id.
_FIRST = uuid.UUID(int=0)

log = logs.get(__name__)


class LedgerStore:
    """Writes the ledger's tables. durable: a pool with durable commits. fast: one without."""

    def __init__(
        self,
        durable: "asyncpg.Pool[asyncpg.Record]",
        fast: "asyncpg.Pool[asyncpg.Record]",
        *,
        now: clock.Clock = clock.now_us,
    ) -> None:
        self._durable = durable
        self._fast = fast
        self._now = now
        self._looked_until = _FIRST
        self._sweep = AdmissionSweep(fast)

    async def write(self, group: LedgerRows) -> None:
        """Store the rows, finish the events that they complete, and mark their admission rows as stored."""
        before = lowest_id(self._now() - _LATE_US)
        late = group.add_late(before)
        async with self._durable.acquire() as connection, connection.transaction():
            _STATEMENTS.inc(2)  # BEGIN and COMMIT
            finished = await self._write_rows(connection, group)
            if late:
                await self._execute(connection, _QUERIES.finish_late, [late])
            # In this transaction, so that the quota is released exactly once; last, because it locks.
            await self._release(connection, finished)
        if maybe_finished := group.maybe_finished():
            # Not in that transaction, which holds locks on this group's events: these are other events, and a process
            # that has them locked may wait for ours. If this process crashes here, tidy() finishes them.
            await self._execute(self._durable, _QUERIES.finish_events, [maybe_finished])
        if group.repeats:  # not in that transaction either, for the same reason
            await self._execute(self._durable, _QUERIES.note_repeats, [*_repeat_columns(group), before])
        await self._mark_stored(group)

    async def _write_rows(self, connection: Any, group: LedgerRows) -> "list[asyncpg.Record]":
        """Return by tenant what to take off the backlog."""
        finished: list[asyncpg.Record] = []
        if group.events:
            _STATEMENTS.inc()
            finished = await connection.fetch(
                _QUERIES.upsert_events, *_event_columns(group), *_recipient_columns(group)
            )
        if payloads := [row for row in group.events.values() if row.payload is not None]:
            await self._execute(connection, _QUERIES.insert_payloads, _payload_columns(payloads))
        if group.deliveries:
            await self._execute(connection, _QUERIES.upsert_deliveries, _delivery_columns(group))
        if group.attempts:
            await self._execute(connection, _QUERIES.insert_attempts, _attempt_columns(group))
        for record in sorted(group.dead, key=lambda record: record.attempted.delivery_id):
            step = record.attempted
            await self._execute(
                connection,
                _QUERIES.insert_dead_letter,
                [
                    step.delivery_id,
                    record.event_id,
                    record.tenant_id,
                    step.channel,
                    step.reason,
                    step.detail,
                    record.at_us,
                    step.dead_letter.SerializeToString(),
                    step.replay,
                ],
            )
        if group.unknown:
            await self._execute(connection, _QUERIES.insert_unknown, _unknown_columns(group.unknown))
        return finished

    async def _execute(self, connection: Any, query: str, arguments: Sequence[Any]) -> None:
        _STATEMENTS.inc()
        await connection.execute(query, *arguments)

    async def _mark_stored(self, group: LedgerRows) -> None:
        if group.stored:
            keys = list(group.stored)
            values = list(group.stored.values())
            columns = [
                [tenant for tenant, _ in keys],
                [key for _, key in keys],
                [event_id for event_id, _, _ in values],
                [accepted_us for _, accepted_us, _ in values],
                [ttl_s for _, _, ttl_s in values],
            ]
            await self._execute(self._fast, _ADMISSION_QUERIES.mark_stored, columns)

    async def _release(self, connection: Any, finished: "list[asyncpg.Record]") -> None:
        if finished:
            columns = [[row[name] for row in finished] for name in ("tenant_id", "finished", "bytes", "due")]
            await self._execute(connection, _ADMISSION_QUERIES.release_backlog, columns)

    async def unknown(self, after: str) -> tuple[list[Item], str]:
        """Return the next records that this version understands and the one that stored them did not.

        after: empty, or what the call before returned beside them; empty at the end.
        """
        rows = await self._durable.fetch(_QUERIES.unknown_records, after)
        items: list[Item] = [
            event_pb2.Event.FromString(row["record"])
            if row["is_event"]
            else trace_pb2.TraceRecord.FromString(row["record"])
            for row in rows
        ]
        return [item for item in items if is_known(item)], rows[-1]["id"] if rows else ""

    async def forget_unknown(self, items: Sequence[Item]) -> None:
        """Delete what unknown() returned, after it is written."""
        await self._durable.execute(_QUERIES.delete_unknown, [item.id for item in items])

    async def tidy(self, *, recount: bool) -> None:
        """Finish events that a crash left unfinished, and delete expired keys. recount: also recount the backlog."""
        async with postgres.background_transaction(self._durable) as connection:
            # A page of them each time, and not always the oldest, which may rightly be unfinished.
            last = await connection.fetchval(_QUERIES.finish_forgotten, self._looked_until)
            await connection.execute(_QUERIES.recount_event)
        self._looked_until = last or _FIRST
        await self._sweep.run()
        if recount:
            async with postgres.background_transaction(self._fast) as connection:
                await connection.execute(_ADMISSION_QUERIES.recount_backlog)

    async def replay(self, delivery_id: str, publish: Any) -> bool:
        """Publish the dead letter again, and mark it; False: there is none.

        Raises CONFLICT if retention has deleted the event's content.

        publish (an async function of the Delivery) runs last in the transaction: if it fails, nothing is changed; if
        the commit fails, a second replay has the same message id.
        """
        async with self._durable.acquire() as connection, connection.transaction():
            await connection.execute(_QUERIES.lock_event_of_dead_letter, delivery_id)
            raw = await connection.fetchval(_QUERIES.dead_letter_for_update, delivery_id)
            if raw is None:
                return False
            delivery = event_pb2.Delivery.FromString(raw)
            await self._check_body(connection, delivery)
            delivery.replay += 1
            delivery.attempt = 1
            delivery.deferrals = 0
            await connection.execute(_QUERIES.mark_replayed, delivery_id)
            reopened = await connection.fetchrow(
                _QUERIES.requeue_delivery, delivery_id, delivery.replay, trace_pb2.DELIVERY_STATUS_QUEUED
            )
            await publish(delivery)
        if reopened is not None:
            await self._count_again(reopened["tenant_id"], reopened["size"])
        return True

    async def _check_body(self, connection: Any, delivery: event_pb2.Delivery) -> None:
        if not delivery.HasField("body_reference"):
            return
        if not await connection.fetchval(_QUERIES.has_payload, delivery.tenant_id, delivery.event_id):
            raise ClarionError(Code.CONFLICT, "Retention has deleted the event's content; trigger the event again.")

    async def _count_again(self, tenant_id: uuid.UUID, size: int) -> None:
        """Count a replayed event as unfinished again; if that fails, tidy() does it."""
        # Not in the transaction, because every admission needs the row that it locks.
        try:
            await self._fast.execute(_QUERIES.count_again, tenant_id, size)
        except (*postgres.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
            log.warning("replay_not_counted", tenant_id=str(tenant_id), error=repr(error))


def _event_columns(group: LedgerRows) -> list[list[Any]]:
    rows = list(group.events.values())
    return [
        [row.id for row in rows],
        [row.tenant_id for row in rows],
        [row.event_type for row in rows],
        [row.caller_event_id for row in rows],
        [row.trace_id for row in rows],
        [row.accepted_us for row in rows],
        [row.routed_us for row in rows],
        [row.route_us for row in rows],
        [row.route_reason for row in rows],
        [row.total for row in rows],
        [row.finished_us for row in rows],
        [row.replay_of for row in rows],
        [row.is_test for row in rows],
        [row.size for row in rows],
        [row.is_shared for row in rows],
        [row.due_us for row in rows],
        [row.canceled_us for row in rows],
        [row.canceled_by for row in rows],
    ]


def _recipient_columns(group: LedgerRows) -> list[list[Any]]:
    rows = list(group.recipients.values())
    return [
        [row.event_id for row in rows],
        [row.destination for row in rows],
        [row.tenant_id for row in rows],
        [row.user_id for row in rows],
        [row.addresses_json for row in rows],
    ]


def _unknown_columns(items: Sequence[Item]) -> list[list[Any]]:
    return [
        [item.id for item in items],
        [isinstance(item, event_pb2.Event) for item in items],
        [item.SerializeToString() for item in items],
    ]


def _repeat_columns(group: LedgerRows) -> list[list[Any]]:
    records = list(group.repeats.values())
    return [
        [record.event_id for record in records],
        [record.tenant_id for record in records],
        [record.at_us for record in records],
        [record.repeat.event_type for record in records],
    ]


def _payload_columns(rows: Sequence[EventRow]) -> list[list[Any]]:
    return [[row.tenant_id for row in rows], [row.id for row in rows], [row.payload for row in rows]]


def _delivery_columns(group: LedgerRows) -> list[list[Any]]:
    rows = list(group.deliveries.values())
    return [
        [row.id for row in rows],
        [row.event_id for row in rows],
        [row.tenant_id for row in rows],
        [row.channel for row in rows],
        [row.status for row in rows],
        [row.reason for row in rows],
        [row.provider for row in rows],
        [row.attempts for row in rows],
        [row.replay for row in rows],
        [row.template_version_id for row in rows],
        [row.provider_id for row in rows],
        [row.updated_us for row in rows],
        [row.destination for row in rows],
        [row.step for row in rows],
        [row.is_part for row in rows],
    ]


def _attempt_columns(group: LedgerRows) -> list[list[Any]]:
    records = list(group.attempts.values())
    steps: list[trace_pb2.Attempted] = [record.attempted for record in records]
    return [
        [record.id for record in records],
        [record.event_id for record in records],
        [step.delivery_id for step in steps],
        [step.channel for step in steps],
        [step.attempt for step in steps],
        [step.replay for step in steps],
        [step.status for step in steps],
        [step.reason for step in steps],
        [step.detail.replace("\x00", "") for step in steps],
        [step.provider for step in steps],
        [step.provider_message_id for step in steps],
        [record.at_us for record in records],
        [step.wait_us for step in steps],
        [step.render_us for step in steps],
        [step.send_us for step in steps],
        [step.next_attempt_at_us for step in steps],
        [min(step.sms_segments, _MAX_SMALLINT) for step in steps],
        [step.sms_encoding for step in steps],
        [step.provider_id for step in steps],
    ]
