"""The shutdown of a process: a failure in one step does not prevent the other steps."""

import asyncio
import gc
from collections.abc import Iterator

import pytest

from runtime import service
from runtime.service import Process


class _Server:
    """A server that does nothing."""

    async def set_serving(self, *, serving: bool) -> None:
        """Do nothing."""

    async def stop(self, grace: float) -> None:
        """Do nothing."""


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """Restore the garbage collector's settings, which a serving process changes."""
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


async def test_a_failed_loop_does_not_prevent_the_drain() -> None:
    """A drain callback that waits for the failed loop fails; the others run, connections close, the status is 1."""
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


def test_the_limits_of_a_shutdown_add_up_to_ten_seconds() -> None:
    """Checked by the limits, because the duration on a busy machine proves nothing."""
    assert service.DRAIN_S + service._LOOPS_S + service._CLOSE_S <= 10
