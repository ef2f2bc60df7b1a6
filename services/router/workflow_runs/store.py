"""Workflow runs in PostgreSQL. As in runs/store.py, what is worked on is leased, and no row stays locked meanwhile."""

from collections.abc import Sequence
from pathlib import Path

import asyncpg
import msgspec
from google.protobuf.message import DecodeError

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.router.v1 import run_output_pb2, workflows_pb2
from runtime import logs, postgres
from runtime.clock import micros_of
from services.domain.reasons import Reason
from services.router.runs import run as runs
from services.router.runs.queues import varied
from services.router.runs.store import LEASE_S, read_run
from services.router.workflow_runs.run import (
    CANCELED,
    WorkflowDecision,
    WorkflowHold,
    WorkflowRun,
    ended,
    with_earlier,
)
from services.router.workflows import state as positions

_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))
# Sorts before all ids.
NO_ID = "00000000-0000-0000-0000-000000000000"
# Ended events whose workflow runs are ended at a time, and how many of these.
_EVENTS, _RUNS = 10, 1000

# Why runs of a paused event are held back.
PAUSED = "paused"

log = logs.get(__name__)


class WorkflowRunStore:
    """Reads and writes router.workflow_runs. Every method raises UNAVAILABLE while PostgreSQL is away.

    pool: without bitmap scans, because claiming reads a queue.
    """

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool

    async def claim(self, now_us: int, limit: int, *, large: bool) -> Sequence[WorkflowRun]:
        """Lease runs whose time has come, lane by lane in turn, and read their events.

        Rows that cannot be read are tried again, less and less often, and end after as many tries as runs that crash.
        """
        until = now_us + int(LEASE_S * 1_000_000)
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(
                _SQL.claim, large, now_us, until, limit, runs.LANES - runs.FIRST_LATER_LANE, runs.FIRST_LATER_LANE
            )
            events = await self._pool.fetch(_SQL.events, list({str(row["run_id"]) for row in rows})) if rows else []
        by_id = {str(row["id"]): row for row in events}
        read = [(row, read_workflow_run(row, by_id.get(str(row["run_id"])))) for row in rows]
        if unreadable := [row for row, run in read if run is None]:
            await self._set_aside(unreadable, now_us)
        return [run for _, run in read if run is not None]

    async def until_next(self, now_us: int, *, large: bool) -> float | None:
        """Return the seconds until a run must be looked at; None: there is none."""
        lanes = runs.LANES - runs.FIRST_LATER_LANE
        with postgres.unavailable_while_down():
            seconds: float | None = await self._pool.fetchval(
                _SQL.until_next, large, now_us, lanes, runs.FIRST_LATER_LANE
            )
        return seconds

    async def decide(self, decisions: Sequence[WorkflowDecision], now_us: int) -> set[str]:
        """Store decisions and their output; return the ids of the runs that were still as the decisions saw them.

        And whose event has not ended and is not paused.
        """
        rows = [
            (
                one.run.id,
                one.run.run_id,
                one.run.revision,
                one.output.SerializeToString(),
                positions.encode(one.position),
                one.steps.SerializeToString(),
                one.sends,
                one.skips,
                one.state,
                one.next_us,
            )
            for one in sorted(decisions, key=lambda one: one.run.id)
        ]
        with postgres.unavailable_while_down():
            written = await self._pool.fetch(_SQL.decide, *map(list, zip(*rows, strict=True)), now_us)
        return {str(row["id"]) for row in written}

    async def published(self, done: Sequence[tuple[WorkflowRun, int]], now_us: int) -> bool:
        """Note that the outputs of these revisions are published; return whether an event is due by it, to end."""
        rows = sorted((run.id, revision, run.run_id) for run, revision in done)
        ids, revisions, _ = zip(*rows, strict=True)
        with postgres.unavailable_while_down():
            noted = {str(row["id"]) for row in await self._pool.fetch(_SQL.published, ids, revisions)}
            ended = [row for row in rows if row[0] not in noted]
            if not ended:
                return False
            events = await self._pool.fetch(_SQL.ends_published, *map(list, zip(*ended, strict=True)), now_us)
        return any(row["is_due"] for row in events)

    async def hold_back(self, holds: Sequence[WorkflowHold]) -> None:
        """Look at runs later, and say why; at those of a paused event when it goes on."""
        paused = [one for one in holds if one.reason == PAUSED]
        others = [one for one in holds if one.reason != PAUSED]
        with postgres.unavailable_while_down():
            # One after the other, so that the events of the paused ones are locked before any row.
            for some in filter(None, (paused, others)):
                rows = [(one.run.id, one.revision, one.reason, one.crashes, one.until_us) for one in some]
                events = sorted({one.run.run_id for one in some if one.reason == PAUSED})
                await self._pool.execute(_SQL.hold_back, *map(list, zip(*sorted(rows), strict=True)), events)

    async def cancel(self, workflow_run_id: str, by: str, now_us: int) -> bool:
        """End a run; False: it has ended, or its event has. by: who does it."""
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=5.0) as connection, connection.transaction():
                event = await connection.fetchrow(_SQL.lock_event, workflow_run_id)
                row = await connection.fetchrow(_SQL.lock, workflow_run_id) if event is not None else None
                run = read_workflow_run(row, event) if row is not None else None
                if run is None:
                    return False
                end = ended(run, CANCELED, "ended", Reason.CANCELED, now_us, detail=by)
                output = with_earlier(run.output, end.output).SerializeToString()
                await connection.execute(_SQL.end, run.id, output, end.steps.SerializeToString(), now_us)
        return True

    async def end_closed(self, now_us: int, after: str = NO_ID) -> str:
        """End the runs of the next events that have ended, some at a time; return the id after which to go on.

        Events whose runs do not come to their end are passed by, so that they stand in nobody's way.
        """
        with postgres.unavailable_while_down():
            events = await self._pool.fetch(_SQL.ended_events, _EVENTS, after)
            for row in events:
                next_after: str | None = NO_ID
                while next_after:
                    next_after = await self._pool.fetchval(_SQL.end_some, row["id"], next_after, _RUNS, now_us)
        return str(events[-1]["id"]) if len(events) == _EVENTS else NO_ID

    async def wake_paused(self, run_id: str, now_us: int) -> None:
        """Look at the runs of an event that goes on after a pause."""
        with postgres.unavailable_while_down():
            while await self._pool.execute(_SQL.wake_paused, run_id, now_us) == f"UPDATE {_RUNS}":
                pass

    async def wake_resumed(self, now_us: int) -> None:
        """Look at the runs of events that go on, if they sleep still."""
        with postgres.unavailable_while_down():
            events = await self._pool.fetch(_SQL.resumed, _EVENTS)
        for row in events:
            await self.wake_paused(str(row["id"]), now_us)

    async def forget(self, finished_before_us: int) -> int:
        """Delete up to 1,000 ended runs that are older; return the number deleted."""
        with postgres.unavailable_while_down():
            status = await self._pool.execute(_SQL.forget, finished_before_us)
        return int(status.rpartition(" ")[2])

    async def _set_aside(self, rows: Sequence[asyncpg.Record], now_us: int) -> None:
        """Try again later to read rows, as a later version may; after many tries end them, so that their events end."""
        again, over = [], []
        for row in sorted(rows, key=lambda one: str(one["id"])):
            id_, revision, crashes = str(row["id"]), row["revision"], row["crashes"] + 1
            if crashes < runs.MAX_CRASHES:
                until_us = now_us + int(runs.pause_after_crash_s(crashes) * varied() * 1_000_000)
                again.append((id_, revision, Reason.INTERNAL_ERROR, crashes, until_us))
            else:
                log.error("workflow_run_ended_unread", workflow_run_id=id_, event_id=str(row["event_id"]))
                over.append((id_, revision, str(row["run_id"])))
        with postgres.unavailable_while_down():
            if again:
                await self._pool.execute(_SQL.hold_back, *map(list, zip(*again, strict=True)), [])
            if over:
                await self._pool.execute(_SQL.end_unreadable, *map(list, zip(*over, strict=True)), now_us)


def read_workflow_run(row: asyncpg.Record, event: asyncpg.Record | None) -> WorkflowRun | None:
    """Return the run; None: its row cannot be read. It must not stop the others. event: the row of its event's run."""
    of = read_run(event) if event is not None else None
    if event is None or of is None:
        log.error("workflow_run_without_event", workflow_run_id=str(row["id"]), event_id=str(row["event_id"]))
        return None
    try:
        return WorkflowRun(
            id=str(row["id"]),
            run_id=of.id,
            event_id=str(row["event_id"]),
            tenant_id=str(row["tenant_id"]),
            workflow_id=str(row["workflow_id"]),
            version=row["version"],
            destination=row["destination"],
            recipient_id=row["recipient_id"],
            recipient=None if row["recipient"] is None else event_pb2.Recipient.FromString(row["recipient"]),
            state=workflows_pb2.WorkflowRunState.ValueType(row["state"]),
            revision=row["revision"],
            position=positions.decode(row["position"]),
            steps=trace_pb2.WorkflowSteps.FromString(row["steps"]),
            crashes=row["crashes"],
            updated_us=micros_of(row["updated_at"]),
            output=None if row["output"] is None else run_output_pb2.RunOutput.FromString(row["output"]),
            of=of,
            is_closed=event["is_closed"],
        )
    except (DecodeError, msgspec.MsgspecError):
        log.exception("workflow_run_unreadable", workflow_run_id=str(row["id"]))
        return None
