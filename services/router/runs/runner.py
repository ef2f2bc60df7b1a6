"""Works off runs whose time has come: decides a page, stores the decision, publishes it, and notes that.

Whatever happens in between, the stored decision is what is published: a repeat has the same bytes and the same ids.
Each run goes on in a task of its own, so that a slow or broken one delays no other; statements and messages of those
that go on at the same time are grouped.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from prometheus_client import Counter, Histogram

from clarion.router.v1 import run_output_pb2
from runtime import clock, logs
from runtime.batching import Batcher, BatchLimits
from runtime.errors import ClarionError, Code
from services.domain.reasons import Reason
from services.router.definitions import REFUSALS
from services.router.messages import Plan
from services.router.pace import Pace
from services.router.ports import NewRun
from services.router.runs import outputs
from services.router.runs import run as runs
from services.router.runs.ports import InactiveTenants, NewWorkflowRun, Planner, Progress, Workflows
from services.router.runs.publishing import OutputPublisher
from services.router.runs.queues import STORE_ERRORS, Queues, varied
from services.router.runs.reading import Audiences, Page
from services.router.runs.run import Decision, Hold, Run
from services.router.runs.store import RunStore

# Runs that are claimed together; large ones have up to a page each, the others up to runs.MAX_FEW recipients.
FEW_BATCH = 200
LARGE_BATCH = 4
# Deliveries of a page; of one person there may be more, see services/router/workflows/store.py.
PAGE = 500

# For deciding about a page, seconds. With the time for storing it, less than a lease.
_DECIDE_S = 5.0
# How long cancellations and ended runs are kept, and how often old ones are deleted, seconds.
CANCELED_S = 7 * 86_400
FINISHED_S = 7 * 86_400
_SWEEP_S = 600.0
_SWEEP_PAUSE_S = 0.5
_SWEPT = 1000
# Bytes of outputs that one statement stores.
_MAX_OUTPUT_BYTES = 4 * 1024 * 1024
_AWAY = frozenset({Code.UNAVAILABLE, Code.OVERLOADED, Code.LIMITED})

_LATENESS = Histogram(
    "clarion_due_lateness_seconds",
    "From the time at which an event is due until its first deliveries are published.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
_PEOPLE = Counter("clarion_run_recipients_total", "Recipients of runs that were planned.")
_CRASHES = Counter("clarion_run_crashes_total", "Pages of runs that could not be decided because of our own fault.")

log = logs.get(__name__)


def _nothing() -> None:
    """Do nothing."""


class Runs:
    """Implements services.router.ports.Runs, and works off one process's share of the runs.

    began: is called when workflow runs have begun.
    """

    def __init__(
        self,
        store: RunStore,
        planner: Planner,
        audiences: Audiences,
        workflows: Workflows,
        publishing: OutputPublisher,
        progress: Progress,
        is_inactive: InactiveTenants,
        *,
        began: Callable[[], None] = _nothing,
        pace: Pace | None = None,
        now: clock.Clock = clock.now_us,
    ) -> None:
        self._store = store
        self._planner = planner
        self._audiences = audiences
        self._workflows = workflows
        self._progress = progress
        self._is_inactive = is_inactive
        self._began = began
        self._pace = pace or Pace()
        self._publishing = publishing
        self._now = now
        self._queues = Queues(self, few=FEW_BATCH, large=LARGE_BATCH)
        self._decisions: Batcher[Decision, bool] = Batcher(
            self._store_decisions,
            BatchLimits(items=FEW_BATCH, bytes=_MAX_OUTPUT_BYTES),
            size=lambda decision: decision.output.ByteSize(),
        )
        self._published: Batcher[tuple[str, int], None] = Batcher(self._store_published, BatchLimits(items=FEW_BATCH))
        self._holds: Batcher[Hold, None] = Batcher(self._store_holds, BatchLimits(items=FEW_BATCH))

    async def begin(self, new: Sequence[NewRun]) -> None:
        """See ports.Runs."""
        begun = await self._store.begin(new, self._now(), self._queues.room)
        if begun:
            self._pace.saw_others()
            self._queues.add({asyncio.create_task(self._advance(run, is_canceled=False, large=False)) for run in begun})
        if len(begun) < len(new):
            self.wake()

    def wake(self) -> None:
        """Look for due runs now."""
        self._queues.wake()

    async def run(self) -> None:
        """Work until drain()."""
        async with asyncio.TaskGroup() as tasks:
            sweeping = tasks.create_task(self._sweep())
            await self._queues.run()
            sweeping.cancel()

    async def drain(self) -> None:
        """Begin nothing more; run() returns when what is in hand is published."""
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
        if claimed and not large:
            self._pace.saw_others()
        return {
            asyncio.create_task(self._advance(run, is_canceled=is_canceled, large=large))
            for run, is_canceled in claimed
        }

    async def until_next(self, *, large: bool) -> float | None:
        """See queues.Work."""
        return await self._store.until_next(self._now(), large=large)

    async def _advance(self, run: Run, *, is_canceled: bool, large: bool) -> None:
        """Let a run go on by a page. Without success it is looked at again: soon, or when its lease ends."""
        revision, output, has_more = run.revision, run.output, False
        try:
            if output is None:
                decision = runs.ended_by_cancel(run, self._now()) if is_canceled else await self._next(run)
                if decision is None or not await self._decisions.submit(decision):
                    return
                revision, output, has_more = run.revision + 1, decision.output, not decision.is_last
            try:
                await self._publishing.publish(output, run, is_page=large)
            except ClarionError as error:
                log.warning("run_waits", event_id=run.event.id, error=error.detail, code=error.code.name)
                await self._hold(run, "unavailable", revision=revision)
                return
            self._report(run, revision, output)
            await self._published.submit((run.id, revision))
            if large or has_more:
                self._queues.wake(large=large)  # its next page is due at once, if it has one
        except STORE_ERRORS as error:
            log.warning("run_waits", event_id=run.event.id, error=repr(error))
        except Exception:
            log.exception("run_crashed", event_id=run.event.id)

    async def _next(self, run: Run) -> Decision | None:
        """Decide about the next page; None: the run must wait, and is held back."""
        try:
            async with asyncio.timeout(_DECIDE_S):
                if obstacle := await self._obstacle(run):
                    await self._hold(run, obstacle)
                    return None
                if run.state == runs.RUNNING:  # and the last workflow run, which woke it, has ended
                    return None if run.open_runs else runs.closed(run, self._now())
                if runs.is_paged(run.event) and not run.page_upto:
                    # Who is deleted and stored again meanwhile would else be on a second page.
                    run = replace(run, page_upto=await self._audiences.newest(run.event.tenant_id))
                weight = await self._workflows.weight(run.event) if runs.may_be_divided(run.event) else 1
                page = await self._audiences.next(run, weight)
                planned, new = await self._plan(run, page)
            _PEOPLE.inc(len(page.people))
            more = [outputs.conflict_record(run.event, conflict) for conflict in page.conflicts]
            return runs.decide(run, planned, page.after, len(page.people), self._now(), new=new, more=more)
        except TimeoutError:
            log.warning("run_waits", event_id=run.event.id, error="took too long", code=Code.UNAVAILABLE.name)
        except ClarionError as error:
            if error.code not in _AWAY:
                return await self._crashed(run, error)
            log.warning("run_waits", event_id=run.event.id, error=error.detail, code=error.code.name)
        except Exception as error:
            return await self._crashed(run, error)
        await self._hold(run, "unavailable")
        return None

    async def _plan(self, run: Run, page: Page) -> tuple[Plan, Sequence[NewWorkflowRun]]:
        """Return what a page gives."""
        event = run.event
        planned = await self._planner.plan(
            event,
            page.people,
            sequence=run.body.sequence if run.body else 0,
            with_endpoints=not run.page_after,  # with the first page
        )
        if not runs.starts_workflows(event) or planned.reason in REFUSALS:
            return planned, ()
        started = await self._workflows.start(event, page.people)
        return runs.with_workflows(planned, started.plan, len(page.people)), started.new

    async def _crashed(self, run: Run, error: Exception) -> Decision | None:
        """Set a run aside that cannot be decided because of our own fault; after many tries return its end."""
        _CRASHES.inc()
        crashes = run.crashes + 1
        log.error("run_crashed", event_id=run.event.id, crashes=crashes, error=repr(error), exc_info=error)
        if crashes >= runs.MAX_CRASHES:
            return runs.failed(run, self._now())
        await self._hold(run, Reason.INTERNAL_ERROR, pause_s=runs.pause_after_crash_s(crashes), crashes=crashes)
        return None

    async def _obstacle(self, run: Run) -> str:
        """Return why the next page must wait; empty: it need not."""
        if self._is_inactive(run.event.tenant_id):
            return "tenant_inactive"
        return await self._progress.obstacle(run.event.id, run.planned) if run.planned else ""

    def _report(self, run: Run, revision: int, output: run_output_pb2.RunOutput) -> None:
        if run.due_us and revision == 1:
            _LATENESS.observe(max(0, self._now() - run.due_us) / 1_000_000)
        log.info(
            "run_published",
            event_id=run.event.id,
            tenant_id=run.event.tenant_id,
            event_type=run.event.event_type,
            deliveries=len(output.deliveries),
        )

    async def _hold(
        self, run: Run, reason: str, *, revision: int | None = None, pause_s: float | None = None, crashes: int = 0
    ) -> None:
        now = self._now()
        pause_s = runs.pause_s(max(run.updated_us, run.due_us), now) if pause_s is None else pause_s
        until_us = now + int(pause_s * varied() * 1_000_000)
        await self._holds.submit(Hold(run, run.revision if revision is None else revision, reason, crashes, until_us))

    async def _store_decisions(self, decisions: Sequence[Decision]) -> list[bool | BaseException]:
        written = await self._store.decide(decisions, self._now())
        if any(decision.new for decision in decisions):
            self._began()
        return [decision.run.id in written for decision in decisions]

    async def _store_published(self, done: Sequence[tuple[str, int]]) -> list[BaseException | None]:
        ids, revisions = zip(*sorted(done), strict=True)
        await self._store.published(ids, revisions, self._now())
        return [None] * len(done)

    async def _store_holds(self, holds: Sequence[Hold]) -> list[BaseException | None]:
        await self._store.hold_back(holds)
        return [None] * len(holds)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_S * varied())
            try:
                deleted = _SWEPT
                while deleted >= _SWEPT:
                    now = self._now()
                    deleted = await self._store.forget(now - CANCELED_S * 1_000_000, now - FINISHED_S * 1_000_000)
                    await asyncio.sleep(_SWEEP_PAUSE_S)
            except STORE_ERRORS as error:
                log.warning("runs_sweep_waits", error=repr(error))
