"""Works off workflow runs whose time has come: decides what a run does now, stores it, publishes it, and notes that.

As runs/runner.py does it for events: what is stored is what is published, however often.
"""

import asyncio
from collections.abc import Callable, Sequence

from prometheus_client import Counter, Histogram

from runtime import clock, logs
from runtime.batching import Batcher, BatchLimits
from runtime.errors import ClarionError, Code
from services.domain.reasons import Reason
from services.router.pace import Pace
from services.router.runs import run as event_runs
from services.router.runs.ports import InactiveTenants
from services.router.runs.publishing import OutputPublisher
from services.router.runs.queues import STORE_ERRORS, Queues, varied
from services.router.workflow_runs import run as runs
from services.router.workflow_runs.cooldowns import PostgresCooldowns
from services.router.workflow_runs.deciding import Deciding
from services.router.workflow_runs.pressure import Pressure
from services.router.workflow_runs.run import WorkflowDecision, WorkflowHold, WorkflowRun
from services.router.workflow_runs.store import NO_ID, PAUSED, WorkflowRunStore

# Runs that are claimed together.
FEW_BATCH = LARGE_BATCH = 200
# For deciding about a run, seconds. With the time for storing it, less than a lease.
_DECIDE_S = 5.0
# How long ended runs are kept, how often old ones are deleted, and how often runs of ended events are, seconds.
FINISHED_S = 7 * 86_400
_SWEEP_S, _END_S = 600.0, 5.0
_SWEEP_PAUSE_S = 0.5
_SWEPT = 1000
# Bytes of outputs that one statement stores.
_MAX_OUTPUT_BYTES = 4 * 1024 * 1024
# How often, and how long at a time, a run waits here for the deliveries of its event before it is held back; together
# less than a lease.
_CROWDED = frozenset({"backlog", "streams"})
_CROWD_LOOKS, _CROWD_S = 20, 0.5
# Runs of an inactive tenant are looked at again after a quarter of the time that they have waited, between these.
_INACTIVE = "tenant_inactive"
_SHORTEST_INACTIVE_S, _LONGEST_INACTIVE_S = 60.0, 1800.0
_AWAY = frozenset({Code.UNAVAILABLE, Code.OVERLOADED, Code.LIMITED})

_LATENESS = Histogram(
    "clarion_workflow_lateness_seconds",
    "From the time until which a workflow run waits until what it does then is published.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
_CRASHES = Counter(
    "clarion_workflow_run_crashes_total", "Workflow runs that could not be decided because of our own fault."
)

log = logs.get(__name__)


class WorkflowRuns:
    """Works off one process's share. ended: is called when an event may end."""

    def __init__(
        self,
        store: WorkflowRunStore,
        cooldowns: PostgresCooldowns,
        deciding: Deciding,
        publishing: OutputPublisher,
        pressure: Pressure,
        is_inactive: InactiveTenants,
        *,
        ended: Callable[[], None],
        pace: Pace | None = None,
        now: clock.Clock = clock.now_us,
    ) -> None:
        self._store = store
        self._cooldowns = cooldowns
        self._deciding = deciding
        self._publishing = publishing
        self._pressure = pressure
        self._is_inactive = is_inactive
        self._ended = ended
        self._pace = pace or Pace()
        self._waits_for_crowds = True
        self._ended_upto = NO_ID
        self._now = now
        self._queues = Queues(self, few=FEW_BATCH, large=LARGE_BATCH)
        self._decisions: Batcher[WorkflowDecision, bool] = Batcher(
            self._store_decisions,
            BatchLimits(items=FEW_BATCH, bytes=_MAX_OUTPUT_BYTES),
            size=lambda decision: decision.output.ByteSize(),
        )
        self._published: Batcher[tuple[WorkflowRun, int], None] = Batcher(
            self._store_published, BatchLimits(items=FEW_BATCH)
        )
        self._holds: Batcher[WorkflowHold, None] = Batcher(self._store_holds, BatchLimits(items=FEW_BATCH))

    def wake(self) -> None:
        """Look for due runs now."""
        self._queues.wake()

    async def run(self) -> None:
        """Work until drain()."""
        async with asyncio.TaskGroup() as tasks:
            background = [tasks.create_task(self._sweep()), tasks.create_task(self._end_closed())]
            await self._queues.run()
            for task in background:
                task.cancel()

    async def drain(self) -> None:
        """Begin nothing more; run() returns when what is in hand is published."""
        self._waits_for_crowds = False
        self._queues.stop()

    async def work(self, *, large: bool) -> int:
        """Work off one batch, and wait for it; return the number of runs in it. Raises UNAVAILABLE."""
        tasks = await self.claim(large=large)
        if tasks:
            await asyncio.wait(tasks)
        return len(tasks)

    async def claim(self, *, large: bool) -> set["asyncio.Task[None]"]:
        """See queues.Work."""
        claimed = await self._store.claim(self._now(), LARGE_BATCH if large else FEW_BATCH, large=large)
        if large:
            of_event: dict[str, list[WorkflowRun]] = {}
            for run in claimed:
                of_event.setdefault(run.run_id, []).append(run)
            return set().union(*map(self._in_turn, of_event.values()))
        if claimed:
            self._pace.saw_others()
        return {asyncio.create_task(self._advance(run)) for run in claimed}

    async def until_next(self, *, large: bool) -> float | None:
        """See queues.Work."""
        return await self._store.until_next(self._now(), large=large)

    def _in_turn(self, claimed: Sequence[WorkflowRun]) -> set["asyncio.Task[None]"]:
        """Let runs of one large event go on in turn with those of others; each is a task, by which they are counted."""
        begun = {run.id: asyncio.Event() for run in claimed}

        async def advance(run: WorkflowRun) -> None:
            await begun[run.id].wait()
            await self._advance(run, waits_for_crowds=False)

        tasks = {run.id: asyncio.create_task(advance(run)) for run in claimed}

        async def go_on(some: Sequence[WorkflowRun]) -> None:
            for run in some:
                begun[run.id].set()
            await asyncio.wait([tasks[run.id] for run in some])

        async def take_turns() -> None:
            try:
                # Not in their turn: the runs of all other events would wait for this one's deliveries as well.
                await self._lasting_obstacle(claimed[0])
                await self._pace.go_on(claimed, go_on)
            except ClarionError as error:
                log.warning("workflow_runs_go_on_at_once", event_id=claimed[0].event_id, error=error.detail)
            finally:
                for one in begun.values():
                    one.set()

        return {asyncio.create_task(take_turns()), *tasks.values()}

    async def _advance(self, run: WorkflowRun, *, waits_for_crowds: bool = True) -> None:
        """Let a run go on. Without success it is looked at again: soon, or when its lease ends."""
        revision, output = run.revision, run.output
        try:
            if output is None:
                decision = await self._next(run, waits_for_crowds=waits_for_crowds)
                if decision is None or not await self._decisions.submit(decision):
                    return
                revision, output = run.revision + 1, decision.output
            try:
                await self._publishing.publish(output, run.of)
            except ClarionError as error:
                log.warning("workflow_run_waits", workflow_run_id=run.id, error=error.detail, code=error.code.name)
                await self._hold(run, "unavailable", revision=revision)
                return
            self._report(run)
            await self._published.submit((run, revision))
        except STORE_ERRORS as error:
            log.warning("workflow_run_waits", workflow_run_id=run.id, error=repr(error))
        except Exception:
            log.exception("workflow_run_crashed", workflow_run_id=run.id)

    async def _next(self, run: WorkflowRun, *, waits_for_crowds: bool = True) -> WorkflowDecision | None:
        """Decide what a run does now; None: nothing, or it must wait, and is held back."""
        if run.is_closed:
            return None  # it is ended with the others of its event
        try:
            ask = self._lasting_obstacle if waits_for_crowds else self._obstacle
            if obstacle := await ask(run):
                await self._hold(run, obstacle)
                return None
            async with asyncio.timeout(_DECIDE_S):
                return await self._deciding.decide(run)
        except TimeoutError:
            log.warning("workflow_run_waits", workflow_run_id=run.id, error="took too long")
        except ClarionError as error:
            if error.code not in _AWAY:
                return await self._crashed(run, error)
            log.warning("workflow_run_waits", workflow_run_id=run.id, error=error.detail, code=error.code.name)
        except Exception as error:
            return await self._crashed(run, error)
        await self._hold(run, "unavailable")
        return None

    async def _lasting_obstacle(self, run: WorkflowRun) -> str:
        """Return why the run must wait for long; empty: it need not.

        A crowd thins out soon. Runs wait for that here, as many as are under way: else thousands were claimed and held
        back again and again.
        """
        obstacle = await self._obstacle(run)
        for _ in range(_CROWD_LOOKS):
            if obstacle not in _CROWDED or not self._waits_for_crowds:
                break
            await asyncio.sleep(_CROWD_S * varied())
            obstacle = await self._obstacle(run)
        return obstacle

    async def _obstacle(self, run: WorkflowRun) -> str:
        """Return why the run must wait; empty: it need not."""
        if run.of.state == event_runs.PAUSED:
            return PAUSED
        if self._is_inactive(run.tenant_id):
            return _INACTIVE
        return await self._pressure.obstacle(run.event_id, run.of.planned)

    async def _crashed(self, run: WorkflowRun, error: Exception) -> WorkflowDecision | None:
        """Set a run aside that cannot be decided because of our own fault; after many tries return its end."""
        _CRASHES.inc()
        crashes = run.crashes + 1
        log.error("workflow_run_crashed", workflow_run_id=run.id, crashes=crashes, error=repr(error), exc_info=error)
        if crashes >= event_runs.MAX_CRASHES:
            return runs.ended(run, runs.FAILED, "failed", Reason.INTERNAL_ERROR, self._now())
        pause_s = event_runs.pause_after_crash_s(crashes)
        await self._hold(run, Reason.INTERNAL_ERROR, pause_s=pause_s, crashes=crashes)
        return None

    def _report(self, run: WorkflowRun) -> None:
        if due_us := min((token.wake_at_us for token in run.position.at), default=0):
            _LATENESS.observe(max(0, self._now() - due_us) / 1_000_000)

    async def _hold(
        self,
        run: WorkflowRun,
        reason: str,
        *,
        revision: int | None = None,
        pause_s: float | None = None,
        crashes: int = 0,
    ) -> None:
        now = self._now()
        if pause_s is None:
            due_us = min((token.wake_at_us for token in run.position.at), default=0)
            bounds = (_SHORTEST_INACTIVE_S, _LONGEST_INACTIVE_S) if reason == _INACTIVE else event_runs.WAITS_S
            pause_s = event_runs.pause_s(max(run.updated_us, due_us), now, *bounds)
        until_us = now + int(pause_s * varied() * 1_000_000)
        held = WorkflowHold(run, run.revision if revision is None else revision, reason, crashes, until_us)
        await self._holds.submit(held)

    async def _store_decisions(self, decisions: Sequence[WorkflowDecision]) -> list[bool | BaseException]:
        written = await self._store.decide(decisions, self._now())
        return [decision.run.id in written for decision in decisions]

    async def _store_published(self, done: Sequence[tuple[WorkflowRun, int]]) -> list[BaseException | None]:
        if await self._store.published(done, self._now()):
            self._ended()
        self._queues.wake()  # what goes on at once is due
        return [None] * len(done)

    async def _store_holds(self, holds: Sequence[WorkflowHold]) -> list[BaseException | None]:
        await self._store.hold_back(holds)
        return [None] * len(holds)

    async def end_closed(self) -> None:
        """End the runs of some events that have ended; each time of others, until all had their turn.

        Raises UNAVAILABLE.
        """
        self._ended_upto = await self._store.end_closed(self._now(), self._ended_upto)

    async def _end_closed(self) -> None:
        while True:
            await asyncio.sleep(_END_S * varied())
            try:
                await self.end_closed()
                # ResumeRun wakes them; this is for a process that ended before it could.
                await self._store.wake_resumed(self._now())
            except STORE_ERRORS as error:
                log.warning("workflow_runs_end_waits", error=repr(error))

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_S * varied())
            try:
                deleted = _SWEPT
                while deleted >= _SWEPT:
                    now = self._now()
                    deleted = await self._store.forget(now - FINISHED_S * 1_000_000)
                    deleted = max(deleted, await self._cooldowns.forget(now))
                    await asyncio.sleep(_SWEEP_PAUSE_S)
            except STORE_ERRORS as error:
                log.warning("workflow_runs_sweep_waits", error=repr(error))
