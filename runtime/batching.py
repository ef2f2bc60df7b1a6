"""Group commit: what waits while the previous batch is under way makes up the next one.

No delay is added when idle: a lone item starts its own batch at once. Under load batches may be paced, so that
each carries more.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar, cast

from runtime.errors import ClarionError, Code

T = TypeVar("T")
R = TypeVar("R")


class Batcher(Generic[T, R]):
    """Collects single items into batches for one function that is cheaper in bulk.

    flush takes a batch and returns one result per item, in order; a result that is an exception is
    raised to that item's submitter, an exception raised by flush to all of the batch.
    max_items and max_bytes bound one batch, max_waiting the queue behind it, concurrency how many
    batches are under way at a time. One that is not the only one starts when beside_from items wait,
    or when nothing was started for patience_s: few at a time are cheaper together, but one call that
    hangs must not hold up all. Two batches start at least pace_s seconds apart; one that follows
    a batch of busy_from items or more starts at least rest_s after its end. A full one never waits.
    """

    def __init__(
        self,
        flush: Callable[[list[T]], Awaitable[Sequence[R | BaseException]]],
        *,
        max_items: int,
        max_waiting: int,
        max_bytes: int | None = None,
        size: Callable[[T], int] | None = None,
        concurrency: int = 1,
        beside_from: int = 1,
        patience_s: float = 0.0,
        pace_s: float = 0.0,
        rest_s: float = 0.0,
        busy_from: int = 8,
    ) -> None:
        if (max_bytes is None) != (size is None):
            raise ValueError("max_bytes and size go together")
        self._flush = flush
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._size = size
        self._max_waiting = max_waiting
        self._concurrency = concurrency
        self._beside_from = beside_from
        self._patience_s = patience_s
        self._pace_s = pace_s
        self._rest_s = rest_s
        self._busy_from = busy_from
        self._not_before = 0.0
        self._waiting: deque[tuple[T, asyncio.Future[R]]] = deque()
        # Whoever sends batches, and since when the last one of each is under way.
        self._under_way: dict[asyncio.Task[None], float] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def submit(self, item: T) -> R:
        """Return flush's result for this item. Raises OVERLOADED when too many wait already."""
        return await self.enqueue(item)

    def enqueue(self, item: T) -> "asyncio.Future[R]":
        """As submit, without a task of its own: the future of this item's result."""
        if len(self._waiting) >= self._max_waiting:
            raise ClarionError(Code.OVERLOADED, "Too much work is waiting; try again shortly.", retry_after=1)
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        self._start_if_due()
        return future

    async def submit_all(self, items: Sequence[T]) -> list[R]:
        """As submit, of several, which need not be of one batch. Raises the first failure once all have ended."""
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
        """Wait until nothing waits and nothing is under way."""
        while self._under_way:
            await asyncio.wait(set(self._under_way))

    def _start_if_due(self) -> None:
        under_way = self._under_way
        if len(under_way) >= self._concurrency:
            return
        if under_way and len(self._waiting) < self._beside_from:
            left = max(under_way.values()) + self._patience_s - time.monotonic()
            if left > 0:
                self._timer = self._timer or asyncio.get_running_loop().call_later(left, self._look_again)
                return
        task = asyncio.create_task(self._run())
        under_way[task] = time.monotonic()
        task.add_done_callback(self._forget)

    def _look_again(self) -> None:
        self._timer = None
        if self._waiting:
            self._start_if_due()

    def _forget(self, task: "asyncio.Task[None]") -> None:
        self._under_way.pop(task, None)

    async def _run(self) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        try:
            while self._waiting:
                await self._keep_pace()
                if batch := self._take():
                    self._under_way[task] = time.monotonic()
                    await self._run_one(batch)
                    if len(batch) >= self._busy_from:
                        self._not_before = max(self._not_before, time.monotonic() + self._rest_s)
                if len(self._under_way) > 1 and len(self._waiting) < self._beside_from:
                    break
        finally:
            # At once, not when the task is collected: whoever was just answered may submit again before that.
            self._forget(task)
        if self._waiting:  # left to those under way, which may hang
            self._start_if_due()

    async def _keep_pace(self) -> None:
        now = time.monotonic()
        start = now if len(self._waiting) >= self._max_items else max(now, self._not_before)
        self._not_before = start + self._pace_s
        if start > now:
            await asyncio.sleep(start - now)

    async def _run_one(self, batch: list[tuple[T, asyncio.Future[R]]]) -> None:
        items = [item for item, _ in batch]
        try:
            results = await self._flush(items)
            if len(results) != len(items):
                raise RuntimeError(f"flush gave {len(results)} results for {len(items)} items")
        except asyncio.CancelledError:
            for _, future in batch:
                future.cancel()
            raise
        except Exception as error:
            _reject(batch, error)
            return
        for (_, future), result in zip(batch, results, strict=True):
            _settle(future, result)

    def _take(self) -> list[tuple[T, asyncio.Future[R]]]:
        batch: list[tuple[T, asyncio.Future[R]]] = []
        size = 0
        while self._waiting and len(batch) < self._max_items:
            item, future = self._waiting[0]
            if future.done():  # its submitter gave up waiting
                self._waiting.popleft()
                continue
            if self._size is not None and self._max_bytes is not None:
                size += self._size(item)
                if batch and size > self._max_bytes:
                    break
            self._waiting.popleft()
            batch.append((item, future))
        return batch


def _settle(future: "asyncio.Future[R]", result: R | BaseException) -> None:
    if future.done():
        return
    if isinstance(result, BaseException):
        future.set_exception(result)
    else:
        future.set_result(result)


def _reject(batch: "list[tuple[T, asyncio.Future[R]]]", error: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
            # Each submitter sees the same fault; one that gave up must not make the loop complain.
            future.exception()
