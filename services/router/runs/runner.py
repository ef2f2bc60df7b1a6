"""Works off runs whose time has come: decides a page, stores the decision, publishes it, and notes that.

Whatever happens in between, the stored decision is what is published: a repeat has the same bytes and the same ids.
"""

import asyncio
import contextlib
import random
from collections.abc import Sequence

import asyncpg
from nats.aio.client import Client
from prometheus_client import Counter, Histogram

from clarion.common.v1 import event_pb2
from clarion.router.v1 import run_output_pb2
from runtime import clock, logs, nats, postgres
from runtime.errors import ClarionError
from services.domain import topology
from services.domain.trace import TraceWriter
from services.router.ports import MemberPage, NewRun, Person, StoredRecipients
from services.router.runs import direct
from services.router.runs import run as runs
from services.router.runs.ports import Planner, Progress
from services.router.runs.run import Decision, Run
from services.router.runs.store import RunStore

# Events that become due together are worked off together; of the others one page at a time.
DUE_BATCH = 200
PAGED_BATCH = 4
PAGE = 500

# The longest pause while nothing is due, seconds: another process may have stored a run.
_IDLE_S = 2.0
# Until a run is looked at again that waits for the deliveries before, or for a part of Clarion, seconds.
_HELD_S = 1.0
# How long cancellations and ended runs are kept, and how often old ones are deleted, seconds.
CANCELED_S = 7 * 86_400
FINISHED_S = 30 * 86_400
_SWEEP_S = 600.0

_STARTED = Histogram(
    "clarion_due_lateness_seconds",
    "From the time at which an event is due until its deliveries are published.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
_PEOPLE = Counter("clarion_run_recipients_total", "Recipients of runs that were planned.")

log = logs.get(__name__)


class Runs:
    """Implements services.router.ports.Runs, and works off one process's share of the runs."""

    def __init__(
        self,
        connection: Client,
        store: RunStore,
        planner: Planner,
        recipients: StoredRecipients,
        progress: Progress,
        *,
        page: int = PAGE,
        now: clock.Clock = clock.now_us,
    ) -> None:
        self._store = store
        self._planner = planner
        self._recipients = recipients
        self._progress = progress
        self._deliveries = nats.StreamPublisher(connection)
        self._trace = TraceWriter(nats.StreamPublisher(connection))
        self._page = page
        self._now = now
        self._wakes = {False: asyncio.Event(), True: asyncio.Event()}
        self._stopping = False

    async def begin(self, new: Sequence[NewRun]) -> None:
        """See ports.Runs."""
        await self._store.begin(new, self._now())
        self.wake()

    def wake(self) -> None:
        """Look for due runs now."""
        for wake in self._wakes.values():
            wake.set()

    async def run(self) -> None:
        """Work until drain()."""
        async with asyncio.TaskGroup() as tasks:
            sweeping = tasks.create_task(self._sweep())
            async with asyncio.TaskGroup() as loops:
                loops.create_task(self._loop(paged=False))
                loops.create_task(self._loop(paged=True))
            sweeping.cancel()

    async def drain(self) -> None:
        """Begin nothing more; run() returns when what is in hand is published."""
        self._stopping = True
        self.wake()

    async def _loop(self, *, paged: bool) -> None:
        wake = self._wakes[paged]
        while not self._stopping:
            wake.clear()
            pause = await self._work_or_pause(paged=paged)
            if pause > 0 and not self._stopping:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await wake.wait()

    async def _work_or_pause(self, *, paged: bool) -> float:
        """Work off what is due; return the seconds to wait."""
        try:
            if await self.work(paged=paged):
                return 0.0
            until = await self._store.until_next(self._now(), paged=paged)
            idle = _IDLE_S * _varied()
            return idle if until is None else min(idle, max(until, 0.0))
        except (ClarionError, *postgres.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
            log.warning("runs_wait", error=repr(error))
        except Exception:  # our own fault: what was claimed is claimed again when its lease ends
            log.exception("runs_crashed")
        return _HELD_S * _varied()

    async def work(self, *, paged: bool) -> int:
        """Work off one batch; return the number of runs in it. Raises ClarionError."""
        claimed = await self._store.claim(self._now(), PAGED_BATCH if paged else DUE_BATCH, paged=paged)
        ready: list[tuple[Run, int, run_output_pb2.RunOutput]] = [
            (run, run.revision, run.output) for run, _ in claimed if run.output is not None
        ]
        fresh = [(run, is_canceled) for run, is_canceled in claimed if run.output is None]
        for run in [run for run, is_canceled in fresh if is_canceled]:
            ready += await self._end(run)
        decisions = await self._decide_all([run for run, is_canceled in fresh if not is_canceled])
        if decisions:
            written = await self._store.decide(decisions, self._now())
            ready += [(one.run, one.run.revision + 1, one.output) for one in decisions if one.run.id in written]
        if ready:
            await self._publish(ready)
        return len(claimed)

    async def _end(self, run: Run) -> "list[tuple[Run, int, run_output_pb2.RunOutput]]":
        """Cancel a run that began after its event was canceled; return what is to be published."""
        ended, _ = await self._store.cancel(run.event.tenant_id, run.event.id, "caller", self._now())
        return [(ended, ended.revision, ended.output)] if ended is not None and ended.output is not None else []

    async def _decide_all(self, fresh: Sequence[Run]) -> list[Decision]:
        """Decide the next page of each run; holds back those that must wait."""
        people = await self._direct([run for run in fresh if not runs.is_paged(run.event)])
        decisions = []
        for run in fresh:
            try:
                if not runs.is_paged(run.event):
                    decisions.append(await self._decide(run, MemberPage(people[run.id], "")))
                elif obstacle := await self._obstacle(run):
                    await self._store.hold_back(run, obstacle, self._later())
                else:
                    decisions.append(await self._decide(run, await self._members(run)))
            except ClarionError as error:
                log.warning("run_waits", event_id=run.event.id, error=error.detail, code=error.code.name)
                await self._store.hold_back(run, "unavailable", self._later())
        return decisions

    async def _decide(self, run: Run, page: MemberPage) -> Decision:
        planned = await self._planner.plan(run.event, page.people, sequence=run.sequence)
        return runs.decide(run, planned, page.after, len(page.people), self._now())

    async def _direct(self, named: Sequence[Run]) -> dict[str, list[Person]]:
        """Return the people whom each of these runs names, stored ones by one query for all."""
        wanted = {(run.event.tenant_id, id_) for run in named for id_ in direct.stored_ids(run.event)}
        stored = await self._recipients.find(wanted) if wanted else {}
        return {run.id: direct.people(run.event, stored) for run in named}

    async def _obstacle(self, run: Run) -> str:
        return await self._progress.obstacle(run.event.id, run.planned) if run.planned else ""

    async def _members(self, run: Run) -> MemberPage:
        """Return the next page; the first one begins with those whom the event describes itself."""
        page = await self._recipients.page(runs.membership(run.event), run.page_after, self._page)
        if run.page_after:
            return page
        return MemberPage([*direct.people(run.event, {}, inline_only=True), *page.people], page.after)

    async def _publish(self, ready: Sequence[tuple[Run, int, run_output_pb2.RunOutput]]) -> None:
        """Publish outputs, and note that. Raises ClarionError; then the lease ends, and the same is published again."""
        messages = [_outgoing(run, delivery) for run, _, output in ready for delivery in output.deliveries]
        records = [record for _, _, output in ready for record in output.records]
        await asyncio.gather(self._deliveries.publish_all(messages), self._trace.write_all(records))
        now = self._now()
        await self._store.published([run.id for run, _, _ in ready], [revision for _, revision, _ in ready], now)
        for run, _, output in ready:
            if run.due_us and not run.planned:
                _STARTED.observe(max(0, now - run.due_us) / 1_000_000)
            log.info(
                "run_published",
                event_id=run.event.id,
                tenant_id=run.event.tenant_id,
                event_type=run.event.event_type,
                deliveries=len(output.deliveries),
            )

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_S * _varied())
            try:
                now = self._now()
                await self._store.forget(now - CANCELED_S * 1_000_000, now - FINISHED_S * 1_000_000)
            except (ClarionError, *postgres.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
                log.warning("runs_sweep_waits", error=repr(error))

    def _later(self) -> int:
        return self._now() + int(_HELD_S * _varied() * 1_000_000)


def _outgoing(run: Run, delivery: event_pb2.Delivery) -> nats.Outgoing:
    """Return the message of a delivery, with the body that the run carries."""
    if not run.sequence:
        delivery.variables = run.event.variables
        delivery.payload_extra = run.event.payload_extra
    subject = topology.delivery_subject(delivery.channel, delivery.tenant_id)
    return nats.Outgoing(subject, delivery.SerializeToString(), msg_id=delivery.id)


def _varied() -> float:
    return random.uniform(0.7, 1.3)  # noqa: S311 - jitter, not a secret
