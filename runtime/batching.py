"""Batching (group commit): items that arrive while a batch is in progress form the next batch.

A single item in an idle process is sent at once. Under load a pause between batches makes them larger; BatchTiming has
the choices.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from runtime import tracing
from runtime.errors import ClarionError, Code

T = TypeVar("T")
R = TypeVar("R")

# An item, where its result goes, and the span that it was submitted in.
_Waiting = tuple[T, "asyncio.Future[R]", object]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLimits:
    """How large a batch may be, and how many items may wait for the next one.

    bytes: of one batch, as Batcher's size counts them; an item larger than this is sent alone.
    """

    items: int = 500
    waiting: int = 20_000
    bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchTiming:
    """When a batch starts. A batch that is full never waits.

    interval_s: the least time between the starts of two batches.
    rest_s: the pause after a batch of at least rest_from items, so that the next one is large as well.
    concurrency: how many batches may be in progress at once. An additional one starts when extra_from items wait, or
    when no batch has started for extra_after_s: few batches cost less, but one call that hangs must not block the rest.
    """

    interval_s: float = 0.0
    rest_s: float = 0.0
    rest_from: int = 8
    concurrency: int = 1
    extra_from: int = 1
    extra_after_s: float = 0.0


# The next batch starts as soon as the previous one has ended.
IMMEDIATE = BatchTiming()
# For calls to PostgreSQL and to other services under load: a short pause makes batches larger.
GROUPED = BatchTiming(rest_s=0.015)


class Batcher(Generic[T, R]):
    """Collect single items into batches for a function that is cheaper in bulk.

    flush takes a batch and returns one result per item, in order. A result that is an exception is raised to that
    item's submitter; an exception raised by flush is raised to every submitter of the batch.
    size: the bytes of an item, for limits.bytes.
    """

    def __init__(
        self,
        flush: Callable[[list[T]], Awaitable[Sequence[R | BaseException]]],
        limits: BatchLimits = BatchLimits(),
        timing: BatchTiming = IMMEDIATE,
        *,
        size: Callable[[T], int] | None = None,
    ) -> None:
        if (limits.bytes is None) != (size is None):
            raise ValueError("limits.bytes and size go together")
        self._flush = flush
        self._limits = limits
        self._timing = timing
        self._size = size
        self._not_before = 0.0
        self._waiting: deque[_Waiting[T, R]] = deque()
        # The tasks that send batches, and when the last batch of each started.
        self._under_way: dict[asyncio.Task[None], float] = {}
        self._timer: asyncio.TimerHandle | None = None
        # Of items that wait no longer than some time.
        self._expiring: dict[asyncio.Future[R], asyncio.TimerHandle] = {}

    async def submit(self, item: T, *, within: float | None = None) -> R:
        """Return flush's result for this item. Raises OVERLOADED when too many wait already.

        within: TIMEOUT is raised if no batch has taken the item after so many seconds; then none ever does. Once a
        batch has it, its result is waited for, however long that takes.
        """
        return await self.enqueue(item, within=within)

    def enqueue(self, item: T, *, within: float | None = None) -> "asyncio.Future[R]":
        """Return a future of flush's result for this item: as submit, without a task. Raises OVERLOADED."""
        if len(self._waiting) >= self._limits.waiting:
            raise ClarionError(Code.OVERLOADED, "Too much work is waiting; try again shortly.", retry_after=1)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._waiting.append((item, future, tracing.current()))
        if within is not None:
            self._expiring[future] = loop.call_later(within, self._expire, future)
        self._maybe_start()
        return future

    async def submit_all(self, items: Sequence[T]) -> list[R]:
        """Return the results of several items, which may be in several batches. Raises the first failure at the end."""
        futures = []
        failure: BaseException | None = None
        for item in items:
            try:
                futures.append(self.enqueue(item))
            except ClarionError as error:
                failure = error
                break
        results = []
        try:
            for future in futures:
                try:
                    results.append(await future)
                except Exception as error:
                    failure = failure or error
        finally:
            for future in futures:  # of a caller that was cancelled
                future.cancel()
        if failure is not None:
            raise failure
        return results

    async def drain(self) -> None:
        """Wait until all items have been sent and answered."""
        while self._under_way:
            await asyncio.wait(set(self._under_way))

    def _maybe_start(self) -> None:
        under_way = self._under_way
        if len(under_way) >= self._timing.concurrency:
            return
        if under_way and len(self._waiting) < self._timing.extra_from:
            left = max(under_way.values()) + self._timing.extra_after_s - time.monotonic()
            if left > 0:
                self._timer = self._timer or asyncio.get_running_loop().call_later(left, self._on_timer)
                return
        task = asyncio.create_task(self._run())
        under_way[task] = time.monotonic()
        task.add_done_callback(self._forget)

    def _on_timer(self) -> None:
        self._timer = None
        if self._waiting:
            self._maybe_start()

    def _expire(self, future: "asyncio.Future[R]") -> None:
        del self._expiring[future]
        if not future.done():
            future.set_exception(ClarionError(Code.TIMEOUT, "There was no time to begin it, and nothing was done."))

    def _forget(self, task: "asyncio.Task[None]") -> None:
        self._under_way.pop(task, None)

    async def _run(self) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        try:
            while self._waiting:
                await self._wait_for_start()
                if batch := self._take():
                    self._under_way[task] = time.monotonic()
                    await self._run_one(batch)
                    if len(batch) >= self._timing.rest_from:
                        self._not_before = max(self._not_before, time.monotonic() + self._timing.rest_s)
                if len(self._under_way) > 1 and len(self._waiting) < self._timing.extra_from:
                    break
        finally:
            # Not only when the task is done: a submitter that was just answered may submit again before that.
            self._forget(task)
        if self._waiting:  # the batches in progress may hang
            self._maybe_start()

    async def _wait_for_start(self) -> None:
        now = time.monotonic()
        start = now if len(self._waiting) >= self._limits.items else max(now, self._not_before)
        self._not_before = start + self._timing.interval_s
        if start > now:
            await asyncio.sleep(start - now)

    async def _run_one(self, batch: "list[_Waiting[T, R]]") -> None:
        items = [item for item, _, _ in batch]
        try:
            # This task inherits the context of the first submitter. The batch is not part of that span.
            with tracing.batch([span for _, _, span in batch]):
                results = await self._flush(items)
            if len(results) != len(items):
                raise RuntimeError(f"flush gave {len(results)} results for {len(items)} items")
        except asyncio.CancelledError:
            for _, future, _ in batch:
                future.cancel()
            raise
        except Exception as error:
            _reject(batch, error)
            return
        for (_, future, _), result in zip(batch, results, strict=True):
            _settle(future, result)

    def _take(self) -> "list[_Waiting[T, R]]":
        batch: list[_Waiting[T, R]] = []
        size = 0
        while self._waiting and len(batch) < self._limits.items:
            item, future, _ = self._waiting[0]
            if future.done():  # its submitter gave up waiting
                self._waiting.popleft()
                continue
            if self._size is not None and self._limits.bytes is not None:
                size += self._size(item)
                if batch and size > self._limits.bytes:
                    break
            if self._expiring and (timer := self._expiring.pop(future, None)) is not None:
                timer.cancel()
            batch.append(self._waiting.popleft())
        return batch


def _settle(future: "asyncio.Future[R]", result: R | BaseException) -> None:
    if future.done():
        return
    if isinstance(result, BaseException):
        future.set_exception(result)
    else:
        future.set_result(result)


def _reject(batch: "list[_Waiting[T, R]]", error: Exception) -> None:
    for _, future, _ in batch:
        if not future.done():
            future.set_exception(error)
            # Mark it as seen: asyncio reports the failure of a future if no caller awaits it.
            future.exception()
