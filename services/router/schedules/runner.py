"""Has ingest accept the events of schedules whose time has come, in every router."""

import asyncio
import contextlib
import random
from collections.abc import Iterator, Sequence

import asyncpg
import grpc.aio
from prometheus_client import Counter, Histogram

from clarion.ingest.v1 import ingest_pb2, ingest_pb2_grpc
from runtime import clock, logs, postgres
from runtime.errors import ClarionError, Code
from runtime.grpc import Caller
from services.router.runs.ports import InactiveTenants
from services.router.runs.under_way import UnderWay
from services.router.schedules import outcome
from services.router.schedules.outcome import Held, Passed
from services.router.schedules.schedule import Schedule
from services.router.schedules.store import ScheduleStore

# Schedules of one claim, and of one call to ingest, which admits 512 and 5 MiB.
BATCH = 200
_MAX_CALL_BYTES = 4 * 1024 * 1024
# Batches that may be under way, and how long the next one waits for room, seconds.
_MOST_UNDER_WAY = 4
_TOGETHER_S = 0.25
# How long to look away at most while nothing is due, and after a failure, seconds.
_IDLE_S = 2.0
_FAILED_S = 1.0
_BUSY_S = 0.05
# For accepting the events of one call; with the notes less than a lease.
_ACCEPT_S = 10.0
_STORE_ERRORS = (ClarionError, *postgres.CONNECTION_ERRORS, asyncpg.PostgresError)

_LATENESS = Histogram(
    "clarion_schedule_lateness_seconds",
    "From the time at which a schedule is due until its event is accepted.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
_TIMES = Counter("clarion_schedule_times_total", "Times of schedules, by what came of them.", ["outcome"])

log = logs.get(__name__)


class Schedules:
    """Works off one process's share of the schedules. now: the same for all routers."""

    def __init__(
        self,
        store: ScheduleStore,
        ingest: grpc.aio.Channel,
        caller: Caller,
        is_inactive: InactiveTenants,
        *,
        now: clock.Clock = clock.now_us,
    ) -> None:
        self._store = store
        self._stub = ingest_pb2_grpc.IngestServiceStub(ingest)
        self._caller = caller
        self._is_inactive = is_inactive
        self._now = now
        self._wake = asyncio.Event()
        self._stopping = False

    def wake(self) -> None:
        """Look for due schedules now."""
        self._wake.set()

    async def drain(self) -> None:
        """Begin nothing more; run() returns when what is in hand is noted."""
        self._stopping = True
        self.wake()

    async def run(self) -> None:
        """Work until drain()."""
        under_way = UnderWay(_MOST_UNDER_WAY - 1)
        while not self._stopping:
            self._wake.clear()
            pause = await self._start_or_idle(under_way)
            if pause > 0 and not self._stopping:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wake.wait()
            while len(under_way) >= _MOST_UNDER_WAY:
                await under_way.room(_TOGETHER_S)
        await under_way.end()

    async def work(self) -> int:
        """Work off one batch; return the number of schedules in it. Raises UNAVAILABLE."""
        claimed = await self._store.claim(self._now(), BATCH)
        if claimed:
            await self._work_off(claimed)
        return len(claimed)

    async def _start_or_idle(self, under_way: UnderWay) -> float:
        """Start what is due; return how long nothing will be, seconds."""
        try:
            if claimed := await self._store.claim(self._now(), BATCH):
                under_way.add([asyncio.create_task(self._work_off(claimed))])
                return 0.0
            until = await self._store.until_next(self._now())
            idle = _IDLE_S * _varied()
            return idle if until is None else min(idle, max(until, _BUSY_S))
        except _STORE_ERRORS as error:
            log.warning("schedules_wait", error=repr(error))
        except Exception:  # our own fault: what was claimed is claimed again when its lease ends
            log.exception("schedules_crashed")
        return _FAILED_S * _varied()

    async def _work_off(self, claimed: Sequence[Schedule]) -> None:
        """Bring schedules to an end, or to another try. Without success they are claimed again when the lease ends."""
        try:
            now = self._now()
            inactive = [one for one in claimed if self._is_inactive(one.tenant_id)]
            if inactive:
                await self._conclude([outcome.tenant_inactive(one, now) for one in inactive])
            for some in _calls([one for one in claimed if one not in inactive]):
                await self._conclude(await self._accept(some))
        except _STORE_ERRORS as error:
            log.warning("schedules_wait", error=repr(error))
        except Exception:
            log.exception("schedules_crashed")

    async def _conclude(self, results: Sequence[Passed | Held]) -> None:
        for one in results:
            self._report(one)
        await self._store.conclude(
            [one for one in results if isinstance(one, Passed)], [one for one in results if isinstance(one, Held)]
        )

    async def _accept(self, some: Sequence[tuple[Schedule, ingest_pb2.AcceptItem]]) -> list[Passed | Held]:
        request = ingest_pb2.AcceptEventsRequest(items=[item for _, item in some])
        try:
            answer = await self._caller(self._stub.AcceptEvents, request, deadline=_ACCEPT_S)
        except ClarionError as error:
            now = self._now()
            # Whatever it is, the events are not to blame. Whether they are accepted is not known.
            away = ClarionError(Code.UNAVAILABLE, f"Events cannot be accepted at the moment: {error.detail}")
            return [outcome.refused(schedule, away, now, _varied()) for schedule, _ in some]
        now = self._now()
        return [
            outcome.accepted(schedule, result.accepted.event_id, now)
            if result.HasField("accepted")
            else outcome.refused(schedule, ClarionError.from_proto(result.error), now, _varied())
            for (schedule, _), result in zip(some, answer.results, strict=True)
        ]

    def _report(self, one: Passed | Held) -> None:
        schedule, late_us = one.schedule, self._now() - one.schedule.next_us
        told = "held" if isinstance(one, Held) else one.error or "accepted"
        _TIMES.labels(told).inc()
        if isinstance(one, Passed) and one.event_id:
            _LATENESS.observe(max(0, late_us) / 1_000_000)
        log.info(
            "schedule_due",
            schedule_id=schedule.id,
            tenant_id=schedule.tenant_id,
            event_id=one.event_id if isinstance(one, Passed) else "",
            outcome=told,
            error=one.error,
            late_ms=late_us / 1000,
        )


def _calls(due: Sequence[Schedule]) -> Iterator[list[tuple[Schedule, ingest_pb2.AcceptItem]]]:
    """Yield what fits into one call."""
    some: list[tuple[Schedule, ingest_pb2.AcceptItem]] = []
    size = 0
    for schedule in due:
        item = ingest_pb2.AcceptItem(tenant_id=schedule.tenant_id, event=outcome.event_of(schedule))
        if some and size + item.ByteSize() > _MAX_CALL_BYTES:
            yield some
            some, size = [], 0
        some.append((schedule, item))
        size += item.ByteSize()
    if some:
        yield some


def _varied() -> float:
    return random.uniform(0.7, 1.3)  # noqa: S311 - jitter, not a secret
