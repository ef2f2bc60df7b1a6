"""Writes the ledger's tables, in groups; reader.py reads them."""

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg
from prometheus_client import Counter

from clarion.common.v1 import event_pb2, trace_pb2
from runtime import clock, postgres
from services.ingest.admission_sweep import AdmissionSweep
from services.ingest.event_ids import lowest_id
from services.ingest.ledger import columns
from services.ingest.ledger.counting import counting
from services.ingest.ledger.record import is_known
from services.ingest.ledger.rows import Item, LedgerRows

_QUERIES = postgres.Queries(Path(__file__).with_name("queries.sql"))
_FINISH_EVENTS, _FINISH_FORGOTTEN = (
    query.replace("{state}", _QUERIES.state) for query in (_QUERIES.finish_events, _QUERIES.finish_forgotten)
)
_WORKFLOWS = postgres.Queries(Path(__file__).with_name("workflows.sql"))
_UPSERT_DELIVERIES, _RECOUNT_EVENT = map(counting, (_QUERIES.upsert_deliveries, _QUERIES.recount_event))
_ADMISSION_QUERIES = postgres.Queries(Path(__file__).parents[1] / "queries.sql")
_STATEMENTS = Counter("clarion_ledger_statements_total", "SQL statements of the ledger's writer.")

# Retention keeps an event for at least a day; a little less, because clocks differ.
_LATE_US = 23 * 3600 * 1_000_000
# Smaller than any id.
_FIRST = uuid.UUID(int=0)


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
            await self._execute(self._durable, _FINISH_EVENTS, [maybe_finished])
        if group.repeats:  # not in that transaction either, for the same reason
            await self._execute(self._durable, _QUERIES.note_repeats, [*columns.repeat_columns(group), before])
        await self._mark_stored(group)

    async def _write_rows(self, connection: Any, group: LedgerRows) -> "list[asyncpg.Record]":
        """Return by tenant what to take off the backlog."""
        finished: list[asyncpg.Record] = []
        if group.events:
            _STATEMENTS.inc()
            finished = await connection.fetch(
                _QUERIES.upsert_events,
                *columns.event_columns(group),
                *columns.recipient_columns(group),
                *columns.rare_event_columns(group),
            )
        await self._write_payloads(connection, group, finished)
        if group.deliveries:
            await self._execute(connection, _UPSERT_DELIVERIES, columns.delivery_columns(group))
        if group.attempts:
            await self._execute(connection, _QUERIES.insert_attempts, columns.attempt_columns(group))
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
                    step.dead_letter.event_type,
                    step.provider,
                    step.dead_letter.webhook.endpoint_id or None,
                ],
            )
        if group.unknown:
            await self._execute(connection, _QUERIES.insert_unknown, columns.unknown_columns(group.unknown))
        if group.workflow_steps:
            await self._execute(connection, _WORKFLOWS.insert_workflow_steps, columns.workflow_step_columns(group))
        if group.conflicts:
            await self._execute(connection, _WORKFLOWS.insert_conflicts, columns.conflict_columns(group))
        return finished

    async def _write_payloads(self, connection: Any, group: LedgerRows, finished: "list[asyncpg.Record]") -> None:
        """Store what events carried; of those with a secret only until they have ended."""
        ended = {str(event_id) for row in finished for event_id in row["secrets"] or ()}
        rows = [row for row in group.events.values() if row.payload is not None and row.id not in ended]
        if rows:
            await self._execute(connection, _QUERIES.insert_payloads, columns.payload_columns(rows))
        for row in finished:
            if row["secrets"]:
                arguments = [row["tenant_id"], row["secrets"]]
                await self._execute(connection, _WORKFLOWS.delete_secret_payloads, arguments)

    async def _execute(self, connection: Any, query: str, arguments: Sequence[Any]) -> None:
        _STATEMENTS.inc()
        await connection.execute(query, *arguments)

    async def _mark_stored(self, group: LedgerRows) -> None:
        if group.stored:
            keys = list(group.stored)
            values = list(group.stored.values())
            arguments = [
                [tenant for tenant, _ in keys],
                [key for _, key in keys],
                [event_id for event_id, _, _ in values],
                [accepted_us for _, accepted_us, _ in values],
                [ttl_s for _, _, ttl_s in values],
            ]
            await self._execute(self._fast, _ADMISSION_QUERIES.mark_stored, arguments)

    async def _release(self, connection: Any, finished: "list[asyncpg.Record]") -> None:
        if finished:
            arguments = [[row[name] for row in finished] for name in ("tenant_id", "finished", "bytes", "due")]
            await self._execute(connection, _ADMISSION_QUERIES.release_backlog, arguments)

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
            last = await connection.fetchval(_FINISH_FORGOTTEN, self._looked_until)
            await connection.execute(_RECOUNT_EVENT)
        self._looked_until = last or _FIRST
        await self._sweep.run()
        if recount:
            async with postgres.background_transaction(self._fast) as connection:
                await connection.execute(_ADMISSION_QUERIES.recount_backlog)
