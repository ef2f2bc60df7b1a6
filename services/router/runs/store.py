"""Runs in PostgreSQL. No row stays locked while the broker is asked: a run that is worked on is leased."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import asyncpg
from google.protobuf.message import DecodeError

from clarion.common.v1 import event_pb2
from clarion.router.v1 import run_output_pb2, runs_pb2
from runtime import logs, postgres
from runtime.clock import micros_of
from runtime.configuration import ConfigurationOutbox
from runtime.errors import ClarionError, Code
from services.domain import topology
from services.router.ports import NewRun
from services.router.runs import run as runs
from services.router.runs.run import Decision, Hold, Run, RunSummary

_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))

# How long a process may work on what it has claimed before another one does, seconds.
LEASE_S = 30.0

_AFTER_ALL = "ffffffff-ffff-ffff-ffff-ffffffffffff"

log = logs.get(__name__)


class RunStore:
    """Reads and writes router.runs. Every method raises UNAVAILABLE while PostgreSQL is away.

    pool: without bitmap scans, because claiming reads a queue.
    """

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", outbox: ConfigurationOutbox) -> None:
        self._pool = pool
        self._outbox = outbox

    async def begin(self, new: Sequence[NewRun], now_us: int, room: int = 0) -> list[Run]:
        """Store a run for each event that has none; of an event that was canceled before, it is due at once, to end.

        Returns up to room of them, leased as claim() does it: due now, for few recipients, and not canceled.
        """
        begun = [runs.begun(one.event, one.sequence, now_us) for one in {one.event.id: one for one in new}.values()]
        if not begun:
            return []
        small = [run.id for run in begun if run.due_us <= now_us and not runs.is_large(run.event)]
        taken = set(small[:room])
        rows = map(list, zip(*map(_new_row, begun), strict=True))
        leased = [run.id in taken for run in begun]
        with postgres.unavailable_while_down():
            stored = await self._pool.fetch(_SQL.begin, *rows, now_us, leased, _lease_end(now_us))
            woken = await self._pool.fetch(_SQL.wake_canceled, [run.id for run in begun], now_us)
        taken &= {str(row["id"]) for row in stored}
        taken -= {str(row["id"]) for row in woken}
        return [run for run in begun if run.id in taken]

    async def claim(self, now_us: int, limit: int, *, large: bool) -> list[tuple[Run, bool]]:
        """Lease runs whose time has come, lane by lane in turn; return each, and whether its event was canceled."""
        until = _lease_end(now_us)
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.claim, large, now_us, until, limit, runs.LANES)
        found = [(run, row["is_canceled"]) for row in rows if (run := read_run(row)) is not None]
        return sorted(found, key=lambda one: (one[0].due_us, one[0].id))

    async def until_next(self, now_us: int, *, large: bool) -> float | None:
        """Return the seconds until a run must be looked at; None: there is none."""
        with postgres.unavailable_while_down():
            seconds: float | None = await self._pool.fetchval(_SQL.until_next, large, now_us, runs.LANES)
        return seconds

    async def decide(self, decisions: Sequence[Decision], now_us: int) -> set[str]:
        """Store decisions and their output, and begin workflow runs; return the ids of the runs that were written.

        These were still as the decisions saw them.
        """
        rows = [_decided_row(one) for one in sorted(decisions, key=lambda one: one.run.id)]
        columns = list(map(list, zip(*rows, strict=True)))
        new = [(one.run.id, each) for one in decisions for each in one.new]
        with postgres.unavailable_while_down():
            if not new:
                return {str(row["id"]) for row in await self._pool.fetch(_SQL.decide, *columns, now_us)}
            async with self._pool.acquire(timeout=5.0) as connection, connection.transaction():
                written = {str(row["id"]) for row in await connection.fetch(_SQL.decide, *columns, now_us)}
                new_rows = [(one.id, run_id, *one[1:]) for run_id, one in new]
                new_columns = list(map(list, zip(*new_rows, strict=True)))
                begun = await connection.fetch(_SQL.begin_workflow_runs, *new_columns, list(written), now_us)
                counted = Counter(run_id for run_id, _ in new if run_id in written)
                counted.subtract(str(row["run_id"]) for row in begun)
                for run_id, missing in counted.items():
                    if missing:
                        await connection.execute(_SQL.uncount_workflow_runs, run_id, missing)
        return written

    async def published(self, ids: Sequence[str], revisions: Sequence[int], now_us: int) -> None:
        """Note that the outputs of these revisions are published."""
        with postgres.unavailable_while_down():
            await self._pool.execute(_SQL.published, ids, revisions, now_us)

    async def hold_back(self, holds: Sequence[Hold]) -> None:
        """Look at runs later, and say why."""
        rows = [(one.run.id, one.revision, one.reason, one.crashes, one.until_us) for one in holds]
        with postgres.unavailable_while_down():
            await self._pool.execute(_SQL.hold_back, *map(list, zip(*sorted(rows), strict=True)))

    async def of_event(self, event_id: str) -> RunSummary:
        """Return an event's run. Raises NOT_FOUND."""
        with postgres.unavailable_while_down():
            row = await self._pool.fetchrow(_SQL.run_of_event, runs.run_id(event_id))
        if row is None:
            raise ClarionError(Code.NOT_FOUND, "This event has no run: it was sent at once, or is not known.")
        return _summary(row)

    async def page(
        self,
        tenant_id: str | None,
        state: runs_pb2.RunState.ValueType,
        before: str | None,
        limit: int,
        tenant_ids: Sequence[str] | None = None,
    ) -> list[RunSummary]:
        """Return up to limit runs, newest first. before: a run's id. tenant_ids: only of these; None: of any."""
        first = before or _AFTER_ALL, limit
        if tenant_ids is not None:
            wanted = [one for one in tenant_ids if tenant_id in (None, one)]
            with postgres.unavailable_while_down():
                rows = await self._pool.fetch(_SQL.runs_of_tenants, *first, wanted, state or None)
            return [_summary(row) for row in rows]
        with postgres.unavailable_while_down():
            # One query for each, so that PostgreSQL always has an index for it.
            match tenant_id, state:
                case None, runs_pb2.RUN_STATE_UNSPECIFIED:
                    rows = await self._pool.fetch(_SQL.runs, *first)
                case None, _:
                    rows = await self._pool.fetch(_SQL.runs_in_state, *first, state)
                case _, runs_pb2.RUN_STATE_UNSPECIFIED:
                    rows = await self._pool.fetch(_SQL.runs_of_tenant, *first, tenant_id)
                case _:
                    rows = await self._pool.fetch(_SQL.runs_of_tenant_in_state, *first, tenant_id, state)
        return [_summary(row) for row in rows]

    async def pause(self, event_id: str, now_us: int) -> RunSummary:
        """Pause a run before its next page. Raises NOT_FOUND, and CONFLICT: it has ended, or is paused."""
        return await self._change(_SQL.pause, event_id, now_us, "This run has ended, or is paused already.")

    async def resume(self, event_id: str, now_us: int) -> RunSummary:
        """Let a paused run go on. Raises NOT_FOUND, and CONFLICT: it is not paused."""
        return await self._change(_SQL.resume, event_id, now_us, "This run is not paused.")

    async def cancel(self, tenant_id: str, event_id: str, by: str, now_us: int) -> tuple[RunSummary | None, bool]:
        """Cancel an event; return its run, if it has one, and whether it was not canceled before.

        Raises NOT_FOUND: the run is another tenant's.
        """
        run, is_new = await self._cancel(tenant_id, event_id, by, now_us)
        if run is None:
            # It may have been begun meanwhile, by a router that could not see the cancellation before its commit.
            run, _ = await self._cancel(tenant_id, event_id, by, now_us)
        return run, is_new

    async def _cancel(self, tenant_id: str, event_id: str, by: str, now_us: int) -> tuple[RunSummary | None, bool]:
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=5.0) as connection, connection.transaction():
                is_new = await connection.fetchval(_SQL.insert_canceled, tenant_id, event_id, now_us) is not None
                if is_new:
                    key = topology.canceled_key(tenant_id, event_id)
                    await self._outbox.add(connection, key, str(now_us).encode())
                row = await connection.fetchrow(_SQL.lock_run, runs.run_id(event_id), tenant_id)
                if row is None:
                    if await connection.fetchrow(_SQL.run_of_event, runs.run_id(event_id)) is not None:
                        raise ClarionError(Code.NOT_FOUND, "This tenant has no such event.")
                    return None, is_new
                if not row["is_closed"] and (run := read_run(row)) is not None:
                    output = runs.canceled(run, by, now_us).SerializeToString()
                    row = await connection.fetchrow(_SQL.cancel, run.id, output, now_us)
        return (_summary(row) if row is not None else None), is_new

    async def publish_cancellations(self) -> None:
        """Publish what cancel() stored, so that workers refuse the rest.

        Raises UNAVAILABLE: they are not notified yet and may still send. Cancel once more.
        """
        if not await self._outbox.flush():
            raise ClarionError(
                Code.UNAVAILABLE, "The cancellation could not be published yet; try again.", retry_after=1
            )

    async def forget(self, canceled_before_us: int, finished_before_us: int) -> int:
        """Delete up to 1,000 cancellations and 1,000 ended runs that are older; return the number deleted.

        A cancellation stays while the event has a run that has not ended.
        """
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=5.0) as connection, connection.transaction():
                old = await connection.fetch(_SQL.old_canceled, canceled_before_us)
                events = [str(row["event_id"]) for row in old]
                of_runs = [runs.run_id(event_id) for event_id in events]
                tenants = [row["tenant_id"] for row in old]
                rows = await connection.fetch(_SQL.forget_canceled, tenants, events, of_runs)
                for row in rows:
                    key = topology.canceled_key(str(row["tenant_id"]), str(row["event_id"]))
                    await self._outbox.add(connection, key, None)
                status = await connection.execute(_SQL.forget_runs, finished_before_us)
        return len(rows) + int(status.rpartition(" ")[2])

    async def _change(self, query: str, event_id: str, now_us: int, conflict: str) -> RunSummary:
        with postgres.unavailable_while_down():
            row = await self._pool.fetchrow(query, runs.run_id(event_id), now_us)
        if row is None:
            await self.of_event(event_id)
            raise ClarionError(Code.CONFLICT, conflict)
        return _summary(row)


def _lease_end(now_us: int) -> int:
    return now_us + int(LEASE_S * 1_000_000)


def _new_row(run: Run) -> tuple[object, ...]:
    event = run.event
    return (
        run.id,
        event.id,
        event.tenant_id,
        event.event_type,
        event.scope,
        runs.lane_of(event),
        run.state,
        runs.is_large(event),
        run.due_us,
        event.SerializeToString(),
        run.body.sequence if run.body is not None else 0,
        run.body.size if run.body is not None else 0,
    )


def _decided_row(one: Decision) -> tuple[object, ...]:
    return (
        one.run.id,
        one.run.revision,
        one.output.SerializeToString(),
        one.page_after,
        one.page_upto,
        one.recipients,
        one.sends,
        one.skips,
        one.is_last,
        one.closes,
        one.state,
        len(one.new),
    )


def read_run(row: asyncpg.Record) -> Run | None:
    """Return the run; None: its row cannot be read. It must not stop the others."""
    output = row["output"]
    try:
        event = event_pb2.Event.FromString(row["event"])
        pending = run_output_pb2.RunOutput.FromString(output) if output is not None else None
    except DecodeError:
        log.exception("run_unreadable", run_id=str(row["id"]))
        return None
    return Run(
        id=str(row["id"]),
        event=event,
        state=runs_pb2.RunState.ValueType(row["state"]),
        revision=row["revision"],
        body=event_pb2.BodyReference(sequence=row["sequence"], size=row["body_size"]) if row["sequence"] else None,
        page_after=row["page_after"],
        page_upto=row["page_upto"],
        recipients=row["recipients"],
        sends=row["sends"],
        skips=row["skips"],
        due_us=_micros(row["due_at"]),
        crashes=row["crashes"],
        updated_us=_micros(row["updated_at"]),
        output=pending,
        open_runs=row["open_runs"],
    )


def _summary(row: asyncpg.Record) -> RunSummary:
    return RunSummary(
        id=str(row["id"]),
        event_id=str(row["event_id"]),
        tenant_id=str(row["tenant_id"]),
        event_type=row["event_type"],
        scope=row["scope"],
        state=runs_pb2.RunState.ValueType(row["state"]),
        due_us=_micros(row["due_at"]),
        recipients=row["recipients"],
        sends=row["sends"],
        skips=row["skips"],
        held_back=row["held_back"],
        created_us=_micros(row["created_at"]),
        updated_us=_micros(row["updated_at"]),
        open_runs=row["open_runs"],
    )


def _micros(moment: datetime | None) -> int:
    return micros_of(moment) if moment is not None else 0
