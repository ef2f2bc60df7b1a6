"""Works off runs whose time has come: decides a page, stores the decision, publishes it, and notes that.

Whatever happens in between, the stored decision is what is published: a repeat has the same bytes and the same ids.
Each run goes on in a task of its own, so that a slow or broken one delays no other; statements and messages of those
that go on at the same time are grouped.
"""

import asyncio
import contextlib
import random
from collections.abc import Sequence
from dataclasses import replace

import asyncpg
from nats.aio.client import Client
from prometheus_client import Counter, Histogram

from clarion.common.v1 import event_pb2
from clarion.router.v1 import run_output_pb2
from runtime import clock, logs, nats, postgres
from runtime.batching import Batcher, BatchLimits
from runtime.errors import ClarionError, Code
from services.domain import topology
from services.domain.reasons import Reason
from services.domain.trace import TraceWriter
from services.router import people
from services.router.ports import MemberPage, Membership, NewRun, Person, StoredRecipients
from services.router.runs import run as runs
from services.router.runs.ports import InactiveTenants, Planner, Progress
from services.router.runs.run import Decision, Hold, Run
from services.router.runs.store import RunStore
from services.router.runs.under_way import UnderWay

# Runs that are claimed together; large ones have up to a page of recipients each, the others up to runs.MAX_FEW.
FEW_BATCH = 200
LARGE_BATCH = 4
PAGE = 500

# The longest pause while nothing is due, seconds. The router that stores a run knows when it is due; others, which take
# over if that one ends, find it by looking.
_IDLE_S = 2.0
# The pause after a failure, and while others have what is due, seconds.
_FAILED_S = 1.0
_BUSY_S = 0.05
# How long a batch waits for slow runs of those before, seconds; and how many of these may be under way, in batches.
_TOGETHER_S = 0.25
_MOST_UNDER_WAY = 3
# For deciding about a page, seconds. With the time for storing it, less than a lease.
_DECIDE_S = 5.0
# How long cancellations and ended runs are kept, and how often old ones are deleted, seconds.
CANCELED_S = 7 * 86_400
FINISHED_S = 7 * 86_400
_SWEEP_S = 600.0
_SWEEP_PAUSE_S = 0.5
_SWEPT = 1000
# Deliveries that wait to be stored: more than all runs that are under way have on all channels.
_MAX_WAITING = 60_000
# Bytes of outputs that one statement stores.
_MAX_OUTPUT_BYTES = 4 * 1024 * 1024
_AWAY = frozenset({Code.UNAVAILABLE, Code.OVERLOADED, Code.LIMITED})
_STORE_ERRORS = (ClarionError, *postgres.CONNECTION_ERRORS, asyncpg.PostgresError)

_LATENESS = Histogram(
    "clarion_due_lateness_seconds",
    "From the time at which an event is due until its first deliveries are published.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
_PEOPLE = Counter("clarion_run_recipients_total", "Recipients of runs that were planned.")
_CRASHES = Counter("clarion_run_crashes_total", "Pages of runs that could not be decided because of our own fault.")

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
        is_inactive: InactiveTenants,
        *,
        page: int = PAGE,
        now: clock.Clock = clock.now_us,
    ) -> None:
        self._store = store
        self._planner = planner
        self._recipients = recipients
        self._progress = progress
        self._is_inactive = is_inactive
        self._deliveries = nats.StreamPublisher(connection, max_waiting=_MAX_WAITING)
        self._trace = TraceWriter(nats.StreamPublisher(connection))
        self._page = page
        self._now = now
        self._wakes = {False: asyncio.Event(), True: asyncio.Event()}
        self._stopping = False
        self._decisions: Batcher[Decision, bool] = Batcher(
            self._store_decisions,
            BatchLimits(items=FEW_BATCH, bytes=_MAX_OUTPUT_BYTES),
            size=lambda decision: decision.output.ByteSize(),
        )
        self._published: Batcher[tuple[str, int], None] = Batcher(self._store_published, BatchLimits(items=FEW_BATCH))
        self._stored = people.StoredPeople(recipients)
        self._holds: Batcher[Hold, None] = Batcher(self._store_holds, BatchLimits(items=FEW_BATCH))

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
                loops.create_task(self._loop(large=False))
                loops.create_task(self._loop(large=True))
            sweeping.cancel()

    async def drain(self) -> None:
        """Begin nothing more; run() returns when what is in hand is published."""
        self._stopping = True
        self.wake()

    async def work(self, *, large: bool) -> int:
        """Work off one batch, and wait for it; return the number of runs in it. Raises UNAVAILABLE."""
        tasks = await self._start(large=large)
        if tasks:
            await asyncio.wait(tasks)
        return len(tasks)

    async def _loop(self, *, large: bool) -> None:
        """Start batch after batch; each as soon as no more than the one before it is under way."""
        wake = self._wakes[large]
        batch = _batch(large=large)
        under_way = UnderWay(batch)
        while not self._stopping:
            wake.clear()
            pause = await self._start_or_idle(under_way, large=large)
            if pause > 0 and not self._stopping:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await wake.wait()
            await under_way.room(_TOGETHER_S)
            while len(under_way) > _MOST_UNDER_WAY * batch:
                await under_way.room(_DECIDE_S)
        await under_way.end()

    async def _start_or_idle(self, under_way: UnderWay, *, large: bool) -> float:
        """Start what is due; return how long nothing will be, seconds."""
        try:
            if started := await self._start(large=large):
                under_way.add(started)
                return 0.0
            return await self._idle_s(large=large)
        except _STORE_ERRORS as error:
            log.warning("runs_wait", error=repr(error))
        except Exception:  # our own fault: what was claimed is claimed again when its lease ends
            log.exception("runs_crashed")
        return _FAILED_S * _varied()

    async def _idle_s(self, *, large: bool) -> float:
        """Return how long nothing will be due, as far as this process knows, seconds."""
        until = await self._store.until_next(self._now(), large=large)
        idle = _IDLE_S * _varied()
        return idle if until is None else min(idle, max(until, _BUSY_S))

    async def _start(self, *, large: bool) -> set["asyncio.Task[None]"]:
        """Claim runs that are due, and let each go on. Raises UNAVAILABLE."""
        claimed = await self._store.claim(self._now(), _batch(large=large), large=large)
        return {
            asyncio.create_task(self._advance(run, is_canceled=is_canceled, large=large))
            for run, is_canceled in claimed
        }

    async def _advance(self, run: Run, *, is_canceled: bool, large: bool) -> None:
        """Let a run go on by a page. Without success it is looked at again: soon, or when its lease ends."""
        revision, output = run.revision, run.output
        try:
            if output is None:
                decision = runs.ended_by_cancel(run, self._now()) if is_canceled else await self._next(run)
                if decision is None or not await self._decisions.submit(decision):
                    return
                revision, output = run.revision + 1, decision.output
            try:
                await self._publish(run, output)
            except ClarionError as error:
                log.warning("run_waits", event_id=run.event.id, error=error.detail, code=error.code.name)
                await self._hold(run, "unavailable", revision=revision)
                return
            self._report(run, revision, output)
            await self._published.submit((run.id, revision))
            if large:
                self._wakes[large].set()  # its next page is due at once, if it has one
        except _STORE_ERRORS as error:
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
                if runs.is_paged(run.event) and not run.page_upto:
                    # Who is deleted and stored again meanwhile would else be on a second page.
                    run = replace(run, page_upto=await self._recipients.newest(run.event.tenant_id))
                page = await (self._members(run) if runs.is_paged(run.event) else self._named(run))
                planned = await self._planner.plan(
                    run.event,
                    page.people,
                    sequence=run.body.sequence if run.body else 0,
                    with_endpoints=not run.page_after,  # with the first page
                )
            _PEOPLE.inc(len(page.people))
            return runs.decide(run, planned, page.after, len(page.people), self._now())
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

    async def _named(self, run: Run) -> MemberPage:
        """Return the only page of an event that names its recipients."""
        found = await self._stored.find(people.named_ids(run.event))
        return MemberPage(people.named_directly(run.event, found), "")

    async def _members(self, run: Run) -> MemberPage:
        """Return the next page; the first one begins with those whom the event describes itself."""
        membership = runs.membership(run.event)
        page = await self._recipients.page(membership, run.page_after, self._page, run.page_upto)
        if run.page_after:
            return page
        return MemberPage([*await self._described(run, membership), *page.people], page.after)

    async def _described(self, run: Run, membership: Membership) -> list[Person]:
        """Return those whom the event describes itself, without members of the groups that it excludes.

        And those whom it names by id and the tenant does not store, so that the plan says so.
        """
        found = await self._stored.find(people.named_ids(run.event))
        stored_ids = {id_ for _, id_ in found}  # they are on the pages
        direct = people.named_directly(run.event, found)
        described = [person for person in direct if person.recipient.user_id not in stored_ids]
        ids = [one.recipient.user_id for one in described if one.recipient.user_id and not one.is_unknown]
        if not ids or not membership.excluded_groups:
            return described
        stored = await self._stored.find([(membership.tenant_id, id_) for id_ in ids])
        named = Membership(membership.tenant_id, recipients=ids, excluded_groups=membership.excluded_groups)
        left = await self._recipients.page(named, "", len(ids))
        left_ids = {person.recipient.user_id for person in left.people}
        excluded = {id_ for id_ in ids if (membership.tenant_id, id_) in stored and id_ not in left_ids}
        return [person for person in described if person.recipient.user_id not in excluded]

    async def _publish(self, run: Run, output: run_output_pb2.RunOutput) -> None:
        """Return when all of an output is stored. Raises ClarionError; a repeat stores each message once."""
        messages = [_outgoing(run, delivery) for delivery in output.deliveries]
        stored = await asyncio.gather(
            self._deliveries.publish_all(messages), self._trace.write_all(output.records), return_exceptions=True
        )
        for failure in stored:  # both have ended then
            if isinstance(failure, BaseException):
                raise failure

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
        pause_s = runs.pause_s(run, now) if pause_s is None else pause_s
        until_us = now + int(pause_s * _varied() * 1_000_000)
        await self._holds.submit(Hold(run, run.revision if revision is None else revision, reason, crashes, until_us))

    async def _store_decisions(self, decisions: Sequence[Decision]) -> list[bool | BaseException]:
        written = await self._store.decide(decisions, self._now())
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
            await asyncio.sleep(_SWEEP_S * _varied())
            try:
                deleted = _SWEPT
                while deleted >= _SWEPT:
                    now = self._now()
                    deleted = await self._store.forget(now - CANCELED_S * 1_000_000, now - FINISHED_S * 1_000_000)
                    await asyncio.sleep(_SWEEP_PAUSE_S)
            except _STORE_ERRORS as error:
                log.warning("runs_sweep_waits", error=repr(error))


def _batch(*, large: bool) -> int:
    return LARGE_BATCH if large else FEW_BATCH


def _outgoing(run: Run, delivery: event_pb2.Delivery) -> nats.Outgoing:
    subject = topology.delivery_subject(delivery.channel, delivery.tenant_id)
    return nats.Outgoing(subject, runs.with_body(delivery, run).SerializeToString(), msg_id=delivery.id)


def _varied() -> float:
    return random.uniform(0.7, 1.3)  # noqa: S311 - jitter, not a secret
