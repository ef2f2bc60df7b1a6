"""RunService: wire to store."""

from collections.abc import Callable
from typing import Any, Protocol

from clarion.router.v1 import runs_pb2, runs_pb2_grpc
from runtime import clock, logs
from services.domain.checks import check_id, check_tenant_ids, invalid
from services.domain.paging import page_limit
from services.domain.trace import TraceWriter
from services.router.runs import outputs
from services.router.runs import run as runs
from services.router.runs.run import RunSummary
from services.router.runs.store import RunStore

RUN_SERVICE = "clarion.router.v1.RunService"

_MAX_BY = 50

log = logs.get(__name__)


class PausedRuns(Protocol):
    """The workflow runs of paused events. Implemented by services.router.workflow_runs.store.WorkflowRunStore."""

    async def wake_paused(self, run_id: str, now_us: int) -> None:
        """Look at the runs of an event that goes on after a pause. Raises UNAVAILABLE."""


class RunServicer(runs_pb2_grpc.RunServiceServicer):
    """See proto/clarion/router/v1/runs.proto. wake: makes this process look at what is due."""

    def __init__(
        self,
        store: RunStore,
        workflow_runs: PausedRuns,
        wake: Callable[[], None],
        trace: TraceWriter,
        *,
        now: clock.Clock = clock.now_us,
    ) -> None:
        self._store = store
        self._workflow_runs = workflow_runs
        self._wake = wake
        self._trace = trace
        self._now = now

    async def ListRuns(self, request: runs_pb2.ListRunsRequest, context: Any) -> runs_pb2.ListRunsResponse:
        """Return a page of runs, newest first."""
        limit = page_limit(request.limit)
        for field in ("tenant_id", "cursor"):
            check_id(field, getattr(request, field), required=False)
        if request.state not in runs_pb2.RunState.values():
            raise invalid("state", "is not known")
        tenant_ids = check_tenant_ids(request.tenant_ids)
        found = await self._store.page(
            request.tenant_id or None, request.state, request.cursor or None, limit, tenant_ids
        )
        return runs_pb2.ListRunsResponse(
            runs=map(_wire, found), next_cursor=found[-1].id if len(found) == limit else ""
        )

    async def GetRun(self, request: runs_pb2.GetRunRequest, context: Any) -> runs_pb2.GetRunResponse:
        """Return an event's run."""
        check_id("event_id", request.event_id)
        return runs_pb2.GetRunResponse(run=_wire(await self._store.of_event(request.event_id)))

    async def PauseRun(self, request: runs_pb2.PauseRunRequest, context: Any) -> runs_pb2.PauseRunResponse:
        """Pause a run."""
        check_id("event_id", request.event_id)
        run = await self._store.pause(request.event_id, self._now())
        log.info("run_paused", event_id=request.event_id, tenant_id=run.tenant_id)
        return runs_pb2.PauseRunResponse(run=_wire(run))

    async def ResumeRun(self, request: runs_pb2.ResumeRunRequest, context: Any) -> runs_pb2.ResumeRunResponse:
        """Let a paused run go on."""
        check_id("event_id", request.event_id)
        run = await self._store.resume(request.event_id, self._now())
        await self._workflow_runs.wake_paused(run.id, self._now())
        self._wake()
        log.info("run_resumed", event_id=request.event_id, tenant_id=run.tenant_id)
        return runs_pb2.ResumeRunResponse(run=_wire(run))

    async def CancelEvent(self, request: runs_pb2.CancelEventRequest, context: Any) -> runs_pb2.CancelEventResponse:
        """Cancel an event."""
        check_id("tenant_id", request.tenant_id)
        check_id("event_id", request.event_id)
        if not 0 < len(request.by) <= _MAX_BY:
            raise invalid("by", f"must have 1 to {_MAX_BY} characters")
        now = self._now()
        run, _ = await self._store.cancel(request.tenant_id, request.event_id, request.by, now)
        self._wake()
        await self._store.publish_cancellations()
        if run is None or run.state != runs.CANCELED:
            # Also if an earlier call stored the cancellation, and then could not write this; the ledger stores it once.
            await self._trace.write(outputs.canceled_record(request.tenant_id, request.event_id, request.by, now))
        log.info("event_canceled", event_id=request.event_id, tenant_id=request.tenant_id, by=request.by)
        return runs_pb2.CancelEventResponse(run=_wire(run) if run is not None else None)


def _wire(run: RunSummary) -> runs_pb2.Run:
    return runs_pb2.Run(
        id=run.id,
        event_id=run.event_id,
        tenant_id=run.tenant_id,
        event_type=run.event_type,
        state=run.state,
        due_at_us=run.due_us,
        recipients=run.recipients,
        sends=run.sends,
        skips=run.skips,
        held_back=run.held_back,
        created_at_us=run.created_us,
        updated_at_us=run.updated_us,
        scope=run.scope,
        open_workflow_runs=run.open_runs,
    )
