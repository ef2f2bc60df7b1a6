"""Takes an erased person out of workflow runs and cooldowns: their runs end, and of those that have nothing is kept."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import asyncpg

from clarion.common.v1 import event_pb2
from clarion.router.v1 import run_output_pb2
from runtime import postgres
from runtime.clock import micros_of
from services.domain.reasons import Reason
from services.router.runs.erase import output_without
from services.router.workflow_runs.run import CANCELED, WorkflowRun, ended, is_open, with_earlier
from services.router.workflow_runs.store import read_workflow_run

_SQL = postgres.Queries(Path(__file__).with_name("people.sql"))

# Runs that are rewritten together, and how many such batches one call rewrites.
BATCH, BATCHES = 50, 20
# A tenant has as many workflows.
_MAX_COOLDOWNS = 1_000


class HeldCooldown(NamedTuple):
    """A cooldown that a person has. workflow_name: empty: it was deleted. until_us: Unix microseconds."""

    workflow_id: str
    workflow_name: str
    until_us: int


class PeopleInWorkflowRuns:
    """Rewrites router.workflow_runs. Raises UNAVAILABLE while PostgreSQL is away."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", *, batch: int = BATCH) -> None:
        self._pool = pool
        self._batch = batch

    async def erase(
        self, tenant_id: str, user_id: str, now_us: int, addresses: Collection[str] = ()
    ) -> tuple[int, bool]:
        """Take a person out of their runs; return the number of runs, and whether there are no more.

        addresses: of the person, who is known by them where an event describes them without an id.
        """
        wanted = sorted({address.lower() for address in addresses if address})
        number = 0
        for _ in range(BATCHES):
            erased = await self._erase_some(tenant_id, user_id, wanted, now_us)
            number += erased
            if not erased:
                return number, True
        return number, False

    async def cooldowns(self, tenant_id: str, user_id: str) -> list[HeldCooldown]:
        """Return the cooldowns of a person."""
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.cooldowns, tenant_id, user_id, _MAX_COOLDOWNS)
        return [HeldCooldown(str(row["workflow_id"]), row["workflow_name"], micros_of(row["until"])) for row in rows]

    async def _erase_some(self, tenant_id: str, user_id: str, addresses: Sequence[str], now_us: int) -> int:
        # Whole fields, so that no longer address is found by a part of it.
        fields = [
            (event_pb2.Recipient(email=one) if "@" in one else event_pb2.Recipient(phone=one)).SerializeToString()
            for one in addresses
        ]
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=5.0) as connection, connection.transaction():
                await connection.execute(_SQL.forget_cooldowns, tenant_id, user_id)
                events = await connection.fetch(_SQL.lock_events, tenant_id, user_id, self._batch, fields)
                locked = [row["id"] for row in events]
                rows = await connection.fetch(_SQL.lock_runs, tenant_id, user_id, self._batch, locked, fields)
                by_id = {str(row["id"]): row for row in events}
                outputs = [_output(row, by_id.get(str(row["run_id"])), user_id, addresses, now_us) for row in rows]
                await connection.execute(_SQL.erase, [row["id"] for row in rows], outputs, now_us)
        return len(rows)


def _output(
    row: asyncpg.Record, event: asyncpg.Record | None, user_id: str, addresses: Sequence[str], now_us: int
) -> bytes | None:
    """Return what is to be published of a row without its person; None: nothing, it has ended."""
    run = read_workflow_run(row, event)
    if run is not None:
        return _left(run, user_id, addresses, now_us)
    # What it had decided is lost. An empty output ends it: without what made it unreadable it may be readable again.
    return b"" if is_open(row["state"]) or row["output"] is not None else None


def _left(run: WorkflowRun, user_id: str, addresses: Sequence[str], now_us: int) -> bytes | None:
    """Return what is to be published of a run without its person; None: nothing."""
    output: run_output_pb2.RunOutput | None = None
    if run.output is not None:
        output, _ = output_without(run.output, user_id, addresses)
    if is_open(run.state):
        end = ended(run, CANCELED, "ended", Reason.RECIPIENT_ERASED, now_us).output
        for record in end.records:
            for step in record.workflow_steps.steps:
                step.destination = ""
        output = with_earlier(output, end)
    return None if output is None else output.SerializeToString()
