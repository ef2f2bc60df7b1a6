"""Waiting for the parts of Clarion that a process depends on: PostgreSQL, another service, the realtime hub.

Work that needs an unavailable part waits here. One waiter at a time tries the part again. When it answers, all waiters
continue, in steps, so that a part that has just come back does not receive all calls at once. An unavailable part does
not count as a failed attempt of a delivery.
"""

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextvars import ContextVar
from typing import Protocol, TypeVar

from prometheus_client import Counter, Gauge

from runtime import logs
from runtime.errors import ClarionError, Code

# Names of parts, as metrics and logs show them.
POSTGRES = "postgres"
RENDER = "render"
INGEST = "ingest"
SENDERS = "senders"
ROUTER = "router"
LEDGER = "ledger"
HUB = "hub"

# The pause between two tries while a part is unavailable, seconds; it doubles from the first to the longest.
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 0.5
_JITTER = 0.25
# When the part answers: the number of waiters that continue at first; it doubles with each step, up to the largest.
_FIRST_STEP = 8
_LARGEST_STEP = 64
_STEP_S = 0.02
# The next step waits until at most half of a largest step is still running, but no longer than this, seconds.
_STEP_DEADLINE_S = 1.0
# How often work may find a part unavailable that answers other work, before it fails.
_MAX_REFUSALS = 20

_AWAY = Gauge("clarion_part_away", "1 while a part that this process needs does not answer.", ["part"])
_OUTAGES = Counter(
    "clarion_part_outages_total", "How often a part that this process needs stopped answering.", ["part"]
)

# The part that the current task may try although it is unavailable.
_turn: ContextVar[str] = ContextVar("part_turn", default="")

log = logs.get(__name__)

T = TypeVar("T")


class PartAway(ClarionError):
    """A part does not answer. part: its name."""

    def __init__(self, part: str, detail: str = "") -> None:
        super().__init__(Code.UNAVAILABLE, detail or f"{part} does not answer.", retry_after=1)
        self.part = part


class CannotWait(PartAway):
    """A part does not answer, and the work cannot wait: there is no room, or the part answers other work."""


class Aside(Protocol):
    """What work holds while it waits, such as a message of a stream; see runtime.pulling.Held."""

    def set_aside(self) -> bool:
        """Stop counting as in hand; False: there is no room for more."""

    def take_back(self) -> None:
        """Count as in hand again."""


class OwnParts:
    """The unavailable parts, and the work that waits for them. One object per process."""

    def __init__(self) -> None:
        self._gates: dict[str, _Gate] = {}
        self._stopping = False

    def is_away(self, part: str) -> bool:
        """Whether the part did not answer when it was last asked."""
        gate = self._gates.get(part)
        return gate is not None and gate.is_away

    def check(self, *parts: str) -> None:
        """Raise PartAway if a part is known to be unavailable, unless it is the caller's turn to try it."""
        for part in parts:
            gate = self._gates.get(part)
            if gate is not None and gate.is_away and _turn.get() != part:
                if not gate.take_free_turn():
                    raise PartAway(part)
                _turn.set(part)

    async def ask(self, part: str, work: Callable[[], Awaitable[T]]) -> T:
        """Return the result of work. Raises PartAway if work raised UNAVAILABLE, or was not started for that reason."""
        self.check(part)
        gate = self._gate(part)
        started = time.monotonic()
        try:
            answer = await work()
        except ClarionError as error:
            if error.code is not Code.UNAVAILABLE:
                raise
            gate.note_failure(started, error.detail)
            raise PartAway(part, error.detail) from error
        gate.note_answer()
        return answer

    async def until_answered(
        self, work: Callable[[], Awaitable[T]], *, aside: Aside | None = None, only_aside: Collection[str] = ()
    ) -> T:
        """Return the result of work. While it raises PartAway, wait until that part answers, then call it again.

        aside is set aside during the wait, if there is room. Work that waits for one of only_aside needs that room.
        Raises CannotWait without it, or if the part answers other work but never this; PartAway after stop().
        """
        refusals = 0
        is_let_through = False
        passage: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
        while True:
            try:
                with passage:
                    return await work()
            except PartAway as away:
                gate = self._gate(away.part)
                refusals += is_let_through or not gate.is_away
                if self._stopping:
                    raise
                if refusals > _MAX_REFUSALS:
                    raise CannotWait(away.part, away.detail) from away
                with _set_aside(aside) as is_aside:
                    if away.part in only_aside and not is_aside:
                        raise CannotWait(away.part, away.detail) from away
                    is_let_through = await gate.wait(refusals)
                if self._stopping:
                    raise
                _turn.set("" if is_let_through else away.part)
                passage = gate.passage() if is_let_through else contextlib.nullcontext()

    def stop(self) -> None:
        """End all waiting: work that waits raises PartAway."""
        self._stopping = True
        for gate in self._gates.values():
            gate.let_all_go()

    def _gate(self, part: str) -> "_Gate":
        gate = self._gates.get(part)
        if gate is None:
            gate = self._gates[part] = _Gate(part)
        return gate


class _Gate:
    """One part. While it is unavailable, the waiters try it one after another."""

    def __init__(self, part: str) -> None:
        self._part = part
        self._away_since: float | None = None
        self._answered_at = 0.0
        # Each future's result: True: the part answers; False: it is this waiter's turn to try it.
        self._waiting: deque[asyncio.Future[bool]] = deque()
        self._waited = 0
        # No work waits, so the next call may try the part.
        self._has_free_turn = False
        self._pause = FIRST_PAUSE_S
        # The number of released waiters that are still running, and whether it is small again.
        self._passing = 0
        self._few = asyncio.Event()
        self._opened = asyncio.Event()
        self._letting_go: asyncio.Task[None] | None = None
        _AWAY.labels(part).set(0)

    @property
    def is_away(self) -> bool:
        """Whether the part did not answer when it was last asked."""
        return self._away_since is not None

    def take_free_turn(self) -> bool:
        """Return whether the caller may try the part, because no work is waiting that could."""
        taken, self._has_free_turn = self._has_free_turn, False
        return taken

    def note_failure(self, started: float, detail: str) -> None:
        """Record that a call started at this time (monotonic) failed; the part may have answered another one since."""
        if self._answered_at > started:
            return
        self._see_to_turns()
        if self.is_away:
            return
        self._away_since = time.monotonic()
        self._waited = 0
        self._opened.clear()
        _AWAY.labels(self._part).set(1)
        _OUTAGES.labels(self._part).inc()
        log.warning("part_away", part=self._part, error=detail)

    def note_answer(self) -> None:
        """Record that the part answered."""
        self._answered_at = time.monotonic()
        if self._away_since is None:
            return
        seconds, self._away_since = self._answered_at - self._away_since, None
        self._has_free_turn = False
        self._pause = FIRST_PAUSE_S
        self._opened.set()
        _AWAY.labels(self._part).set(0)
        log.info("part_back", part=self._part, seconds=round(seconds, 3), waited=self._waited)

    async def wait(self, refusals: int) -> bool:
        """Return when the caller may continue; False: it may only try. refusals: how often it has continued before."""
        if not self.is_away:  # it answers others: not this caller, or not at that moment
            await asyncio.sleep(_varied(min(FIRST_PAUSE_S * 2.0 ** min(refusals, 8), LONGEST_PAUSE_S)))
            return True
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._waited = max(self._waited, len(self._waiting))
        self._see_to_turns()
        try:
            return await turn
        finally:
            with contextlib.suppress(ValueError):  # its caller was cancelled
                self._waiting.remove(turn)

    @contextlib.contextmanager
    def passage(self) -> Iterator[None]:
        """Count a released waiter while it runs."""
        self._passing += 1
        try:
            yield
        finally:
            self._passing -= 1
            if self._passing <= _LARGEST_STEP // 2:
                self._few.set()

    def let_all_go(self) -> None:
        """End all waiting."""
        self._let_some_go(len(self._waiting), answers=True)

    def _see_to_turns(self) -> None:
        if self._letting_go is None or self._letting_go.done():
            self._letting_go = asyncio.create_task(self._let_go())

    async def _let_go(self) -> None:
        step = _FIRST_STEP
        while self.is_away or self._waiting:
            if not self.is_away:
                self._let_some_go(step, answers=True)
                step = min(2 * step, _LARGEST_STEP)
                await asyncio.sleep(_STEP_S)
                await self._until_few()
                continue
            step = _FIRST_STEP
            await self._rest()
            if self.is_away and not self._waiting:  # no work is left to try it, or the one that tries gets no answer
                self._has_free_turn = True
                return
            if self.is_away:
                self._let_some_go(1, answers=False)

    async def _until_few(self) -> None:
        """Wait while many released waiters are running; one that hangs delays the others only briefly."""
        self._few.clear()
        if self._passing > _LARGEST_STEP // 2:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STEP_DEADLINE_S):
                    await self._few.wait()

    async def _rest(self) -> None:
        """Wait before the next try. An answer to another call ends the wait."""
        pause, self._pause = self._pause, min(2 * self._pause, LONGEST_PAUSE_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_varied(pause)):
                await self._opened.wait()

    def _let_some_go(self, count: int, *, answers: bool) -> None:
        for _ in range(min(count, len(self._waiting))):
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(answers)


@contextlib.contextmanager
def _set_aside(aside: Aside | None) -> Iterator[bool]:
    """Set aside what the work holds for the duration of the block; yield whether there was room."""
    is_aside = aside is not None and aside.set_aside()
    try:
        yield is_aside
    finally:
        if aside is not None:
            aside.take_back()


def _varied(seconds: float) -> float:
    return seconds * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - jitter, not a secret
