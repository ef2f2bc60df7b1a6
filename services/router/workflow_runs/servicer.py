"""WorkflowService's methods about runs: wire to store."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from clarion.common.v1 import trace_pb2
from clarion.router.v1 import workflows_pb2
from runtime import clock, logs, postgres
from runtime.clock import micros_of
from runtime.errors import ClarionError, Code
from services.domain.checks import check_id, invalid
from services.domain.paging import page_limit
from services.router.runs.run import run_id
from services.router.workflow_runs.store import WorkflowRunStore
from services.router.workflow_runs.trial import DryRuns
from services.router.workflows import state as positions
from services.router.workflows.references import References
from services.router.workflows.servicer import WorkflowServicer
from services.router.workflows.store import WorkflowStore

_SQL = postgres.Queries(Path(__file__).with_name("reading.sql"))
_AFTER_ALL = "ffffffff-ffff-ffff-ffff-ffffffffffff"
_MAX_RECIPIENT_ID, _MAX_BY = 255, 255

log = logs.get(__name__)


class WorkflowRunMethods:
    """WorkflowService's methods about runs. wake: makes this process look at what is due."""

    def __init__(
        self,
        store: WorkflowRunStore,
        pool: "asyncpg.Pool[asyncpg.Record]",
        wake: Callable[[], None],
        *,
        now: clock.Clock = clock.now_us,
    ) -> None:
        self._store = store
        self._pool = pool
        self._wake = wake
        self._now = now

    async def list_page(self, request: workflows_pb2.ListWorkflowRunsRequest) -> workflows_pb2.ListWorkflowRunsResponse:
        """Return a page of workflow runs, newest first."""
        limit = page_limit(request.limit)
        check_id("tenant_id", request.tenant_id)
        for field in ("event_id", "workflow_id", "cursor"):
            check_id(field, getattr(request, field), required=False)
        if len(request.recipient_id) > _MAX_RECIPIENT_ID or "\0" in request.recipient_id:
            raise invalid("recipient_id", f"must have at most {_MAX_RECIPIENT_ID} characters, none of them NUL")
        if request.state not in workflows_pb2.WorkflowRunState.values():
            raise invalid("state", "is not known")
        rows = await self._page(request, limit)
        return workflows_pb2.ListWorkflowRunsResponse(
            runs=map(_run, rows), next_cursor=str(rows[-1]["id"]) if len(rows) == limit else ""
        )

    async def get(self, request: workflows_pb2.GetWorkflowRunRequest) -> workflows_pb2.GetWorkflowRunResponse:
        """Return a workflow run."""
        row = await self._one(request.tenant_id, request.workflow_run_id)
        steps = trace_pb2.WorkflowSteps.FromString(row["steps"]).steps
        return workflows_pb2.GetWorkflowRunResponse(run=_run(row), steps=steps)

    async def cancel(self, request: workflows_pb2.CancelWorkflowRunRequest) -> workflows_pb2.CancelWorkflowRunResponse:
        """End a workflow run."""
        if not 0 < len(request.by) <= _MAX_BY:
            raise invalid("by", f"must have 1 to {_MAX_BY} characters")
        await self._one(request.tenant_id, request.workflow_run_id)
        if not await self._store.cancel(request.workflow_run_id, request.by, self._now()):
            raise ClarionError(Code.CONFLICT, "This workflow run has ended.")
        self._wake()
        log.info("workflow_run_canceled", tenant_id=request.tenant_id, workflow_run_id=request.workflow_run_id)
        row = await self._one(request.tenant_id, request.workflow_run_id)
        return workflows_pb2.CancelWorkflowRunResponse(run=_run(row))

    async def _page(self, request: workflows_pb2.ListWorkflowRunsRequest, limit: int) -> Sequence[asyncpg.Record]:
        common = request.tenant_id, request.cursor or _AFTER_ALL, limit, request.state or None
        workflow_id, recipient_id = request.workflow_id or None, request.recipient_id or None
        with postgres.unavailable_while_down():
            if request.event_id:
                of = run_id(request.event_id)
                rows = await self._pool.fetch(_SQL.of_event, *common, of, workflow_id, recipient_id)
            elif recipient_id:
                rows = await self._pool.fetch(_SQL.of_recipient, *common, recipient_id, workflow_id)
            elif workflow_id:
                rows = await self._pool.fetch(_SQL.of_workflow, *common, workflow_id)
            else:
                rows = await self._pool.fetch(_SQL.of_tenant, *common)
        return rows

    async def _one(self, tenant_id: str, workflow_run_id: str) -> asyncpg.Record:
        check_id("tenant_id", tenant_id)
        check_id("workflow_run_id", workflow_run_id)
        with postgres.unavailable_while_down():
            row = await self._pool.fetchrow(_SQL.one, tenant_id, workflow_run_id)
        if row is None:
            raise ClarionError(Code.NOT_FOUND, "There is no such workflow run: it sent all at once, or is not known.")
        return row


class WorkflowAndRunServicer(WorkflowServicer):
    """See proto/clarion/router/v1/workflows.proto."""

    def __init__(
        self, store: WorkflowStore, references: References, runs: WorkflowRunMethods, dry_runs: DryRuns
    ) -> None:
        super().__init__(store, references)
        self._runs = runs
        self._dry_runs = dry_runs

    async def DryRun(self, request: workflows_pb2.DryRunRequest, context: Any) -> workflows_pb2.DryRunResponse:
        """Say what a workflow would send."""
        return await self._dry_runs.run(request)

    async def ListWorkflowRuns(
        self, request: workflows_pb2.ListWorkflowRunsRequest, context: Any
    ) -> workflows_pb2.ListWorkflowRunsResponse:
        """Return a page of workflow runs."""
        return await self._runs.list_page(request)

    async def GetWorkflowRun(
        self, request: workflows_pb2.GetWorkflowRunRequest, context: Any
    ) -> workflows_pb2.GetWorkflowRunResponse:
        """Return a workflow run."""
        return await self._runs.get(request)

    async def CancelWorkflowRun(
        self, request: workflows_pb2.CancelWorkflowRunRequest, context: Any
    ) -> workflows_pb2.CancelWorkflowRunResponse:
        """End a workflow run."""
        return await self._runs.cancel(request)


def _run(row: asyncpg.Record) -> workflows_pb2.WorkflowRun:
    try:
        position = positions.decode(row["position"])
    except msgspec.MsgspecError:  # of a later version, perhaps: it must not hide the others of a list
        position = positions.State()
    is_open = row["finished_at"] is None and row["state"] in (
        workflows_pb2.WORKFLOW_RUN_STATE_ACTIVE,
        workflows_pb2.WORKFLOW_RUN_STATE_WAITING,
    )
    return workflows_pb2.WorkflowRun(
        id=str(row["id"]),
        tenant_id=str(row["tenant_id"]),
        event_id=str(row["event_id"]),
        workflow_id=str(row["workflow_id"]),
        workflow_name=row["workflow_name"] or "",
        workflow_version=row["version"],
        recipient_id=row["recipient_id"],
        state=row["state"],
        at_steps=position.at_steps if is_open else (),
        wake_at_us=_micros(row["wake_at"]) if is_open else 0,
        created_at_us=_micros(row["created_at"]),
        updated_at_us=_micros(row["updated_at"]),
        finished_at_us=_micros(row["finished_at"]),
        held_back=row["held_back"],
    )


def _micros(moment: datetime | None) -> int:
    return micros_of(moment) if moment is not None else 0
