"""Batching, with a flush that the test controls."""

import asyncio

import pytest

from runtime.batching import Batcher, BatchLimits, BatchTiming
from runtime.errors import ClarionError, Code


class _Gate:
    """A flush that waits for release(), and remembers its batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self._open = asyncio.Semaphore(0)

    async def flush(self, items: list[int]) -> list[int | BaseException]:
        self.batches.append(items)
        await self._open.acquire()
        return [ValueError("odd") if item % 2 else item * 10 for item in items]

    def release(self, times: int = 1) -> None:
        for _ in range(times):
            self._open.release()


async def test_waiting_items_form_the_next_batch() -> None:
    """Items that arrive while a batch is in progress go together in the next one."""
    gate = _Gate()
    batcher = Batcher(gate.flush, BatchLimits(items=100, waiting=100))
    first = batcher.enqueue(0)
    await asyncio.sleep(0)
    rest = [batcher.enqueue(number) for number in (2, 4, 6)]
    gate.release(2)
    assert await asyncio.gather(first, *rest) == [0, 20, 40, 60]
    assert gate.batches == [[0], [2, 4, 6]]


async def test_a_failure_reaches_only_its_item() -> None:
    """A result that is an exception is raised to that item's submitter."""
    gate = _Gate()
    batcher = Batcher(gate.flush, BatchLimits(items=100, waiting=100))
    good, bad = batcher.enqueue(2), batcher.enqueue(3)
    gate.release()
    assert await good == 20
    with pytest.raises(ValueError, match="odd"):
        await bad


async def test_an_interval_makes_larger_batches() -> None:
    """The first batch starts at once; items that follow soon wait for the next one; a full batch does not wait."""
    batches: list[list[int]] = []

    async def flush(items: list[int]) -> list[int]:
        batches.append(items)
        return items

    batcher = Batcher(flush, BatchLimits(items=3, waiting=100), BatchTiming(interval_s=60))
    await batcher.enqueue(1)
    waiting = batcher.enqueue(2)
    for _ in range(10):
        await asyncio.sleep(0)
    assert batches == [[1]]
    waiting.cancel()
    fast: Batcher[int, int] = Batcher(flush, BatchLimits(items=3, waiting=100), BatchTiming(interval_s=0.01))
    batches.clear()
    await fast.enqueue(1)
    second = fast.enqueue(2)
    await asyncio.sleep(0)
    assert list(await asyncio.gather(second, fast.enqueue(3))) == [2, 3]
    assert batches == [[1], [2, 3]]


async def test_few_items_wait_for_the_batch_in_progress() -> None:
    """An additional batch starts only when enough items wait."""
    gate = _Gate()
    batcher = Batcher(
        gate.flush, BatchLimits(items=100, waiting=100), BatchTiming(concurrency=3, extra_from=3, extra_after_s=60)
    )
    futures = [batcher.enqueue(0)]
    await asyncio.sleep(0)
    futures += [batcher.enqueue(number) for number in (2, 4)]
    await asyncio.sleep(0)
    assert gate.batches == [[0]]
    futures.append(batcher.enqueue(6))
    await asyncio.sleep(0)
    assert gate.batches == [[0], [2, 4, 6]]
    futures.append(batcher.enqueue(8))
    await asyncio.sleep(0)
    assert gate.batches == [[0], [2, 4, 6]]
    gate.release(2)  # of those two, the one that ends first leaves it to the other: both send no batches of one
    await asyncio.gather(*futures[:4])
    gate.release()
    assert await futures[4] == 80
    assert gate.batches == [[0], [2, 4, 6], [8]]
    await batcher.drain()


async def test_a_batch_that_hangs_does_not_block_others() -> None:
    """Few items wait for a limited time, then start an additional batch; later ones start at once."""
    hung, seen = asyncio.Event(), asyncio.Semaphore(0)
    batches: list[list[int]] = []

    async def flush(items: list[int]) -> list[int]:
        batches.append(items)
        seen.release()
        if items == [0]:
            await hung.wait()
        return items

    batcher = Batcher(
        flush, BatchLimits(items=100, waiting=100), BatchTiming(concurrency=2, extra_from=50, extra_after_s=0.02)
    )
    first = batcher.enqueue(0)
    await seen.acquire()
    assert list(await asyncio.gather(batcher.enqueue(1), batcher.enqueue(2))) == [1, 2]
    late = batcher.enqueue(3)
    await asyncio.sleep(0)
    assert batches == [[0], [1, 2], [3]]
    assert await late == 3
    hung.set()
    assert await first == 0
    await batcher.drain()


async def test_bounds() -> None:
    """A batch has at most limits.items; above limits.waiting the submitter is refused."""
    gate = _Gate()
    batcher = Batcher(gate.flush, BatchLimits(items=2, waiting=3))
    futures = [batcher.enqueue(number) for number in (0, 2, 4)]
    with pytest.raises(ClarionError) as refused:
        batcher.enqueue(6)
    assert refused.value.code is Code.OVERLOADED
    gate.release(2)
    await asyncio.gather(*futures)
    assert gate.batches == [[0, 2], [4]]


async def test_bytes_limit_a_batch_but_not_a_single_item() -> None:
    """An item larger than limits.bytes is sent alone."""
    gate = _Gate()
    batcher = Batcher(gate.flush, BatchLimits(items=10, waiting=10, bytes=10), size=lambda item: item)
    futures = [batcher.enqueue(number) for number in (4, 4, 4, 40, 2)]
    gate.release(4)
    await asyncio.gather(*futures)
    assert gate.batches == [[4, 4], [4], [40], [2]]


async def test_submitting_after_an_answer_starts_a_batch() -> None:
    """A submitter may submit again as soon as it is answered, while the previous runner is still ending."""
    gate = _Gate()
    batcher = Batcher(gate.flush, BatchLimits(items=10, waiting=10))
    gate.release(100)

    async def chain() -> int:
        for _ in range(20):
            await batcher.submit(2)
        return 20

    assert await asyncio.wait_for(chain(), 30) == 20


async def test_a_cancelled_item_is_not_sent() -> None:
    """The batch is made of the other items."""
    gate = _Gate()
    batcher = Batcher(gate.flush, BatchLimits(items=10, waiting=10))
    first = batcher.enqueue(0)
    await asyncio.sleep(0)
    gone, kept = batcher.enqueue(2), batcher.enqueue(4)
    gone.cancel()
    gate.release(2)
    await asyncio.gather(first, kept)
    assert gate.batches == [[0], [4]]


async def test_an_item_that_no_batch_takes_in_time_never_is_in_one() -> None:
    """TIMEOUT, while the batch before it hangs; what has no such time goes on waiting."""
    gate = _Gate()
    batcher = Batcher(gate.flush, BatchLimits(items=100, waiting=100))
    first = batcher.enqueue(0)
    await asyncio.sleep(0)
    late, patient = batcher.enqueue(2, within=0.01), batcher.enqueue(4)
    with pytest.raises(ClarionError) as refused:
        await late
    assert refused.value.code is Code.TIMEOUT
    gate.release(2)
    assert [await first, await patient] == [0, 40]
    assert gate.batches == [[0], [4]]


async def test_an_item_that_a_batch_has_taken_is_waited_for() -> None:
    """However long the batch takes: its time is over before the batch ends."""
    gate = _Gate()
    batcher = Batcher(gate.flush, BatchLimits(items=100, waiting=100))
    taken = batcher.enqueue(2, within=0.01)
    over = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.02, over.set_result, None)
    await over
    assert not taken.done()
    gate.release()
    assert await taken == 20


async def test_an_item_that_is_given_up_has_no_time_left_over() -> None:
    """Its submitter leaves first; nothing fails when its time comes."""
    gate = _Gate()
    batcher = Batcher(gate.flush, BatchLimits(items=100, waiting=100))
    first = batcher.enqueue(0)
    await asyncio.sleep(0)
    batcher.enqueue(2, within=0.01).cancel()
    with pytest.raises(ClarionError):
        await batcher.enqueue(4, within=0.02)
    gate.release()
    assert await first == 0
    await batcher.drain()
    assert gate.batches == [[0]]
