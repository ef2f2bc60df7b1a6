"""The end of a process: what fails on the way out keeps nothing else from its end."""

import asyncio
import gc
from collections.abc import Iterator

import pytest

from runtime import service
from runtime.service import Process


class _Server:
    """Serves nobody."""

    async def set_serving(self, *, serving: bool) -> None:
        """Tell nobody."""

    async def stop(self, grace: float) -> None:
        """Have nothing to stop."""


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """A process that serves sets the collector for itself; the tests go on with theirs."""
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


async def test_a_loop_that_failed_does_not_keep_the_rest_from_draining() -> None:
    """A drain callback that waits for the failed loop fails, too; the others run, connections close, status 1."""
    process, done = Process("test"), list[str]()

    async def work() -> None:
        raise RuntimeError("a fault of ours")

    loop: asyncio.Task[None] = process.start(work(), name="loop")

    async def finish() -> None:
        await loop

    async def drain() -> None:
        done.append("drained")

    async def close() -> None:
        done.append("closed")

    process.on_drain(finish)
    process.on_drain(drain)
    process.on_close(close)
    assert await process.serve(_Server()) == 1
    assert done == ["drained", "closed"]


def test_an_end_takes_ten_seconds_at_most() -> None:
    """By its bounds: how long one takes on a machine that is busy proves nothing."""
    assert service.DRAIN_S + service._LOOPS_S + service._CLOSE_S <= 10
