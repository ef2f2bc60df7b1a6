"""The shutdown of a process: a failure in one step does not prevent the other steps."""

import asyncio
import gc
import os
import subprocess
import sys
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


# A service that cannot start while one of its loops does not end, as one does that takes a cancellation for a timeout.
_STUBBORN = """
import asyncio
from runtime import service

async def wire(settings, process):
    started = asyncio.Event()

    async def work():
        started.set()
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                pass

    process.start(work(), name="loop")
    await started.wait()
    raise OSError("the port is taken")

service.run("stubborn", service.ProcessSettings, wire)
"""


def test_what_cannot_start_ends() -> None:
    """Else nobody would start it again: the supervisor waits for its end."""
    done = subprocess.run(
        [sys.executable, "-c", _STUBBORN],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "CLARION_GRPC_ADDRESS": "127.0.0.1:1", "CLARION_SERVICE_TOKEN": "a-service-token-of-tests"},
    )
    assert (done.returncode, "stubborn cannot start: the port is taken" in done.stderr) == (1, True), done.stderr


def test_the_limits_of_a_shutdown_add_up_to_ten_seconds() -> None:
    """Checked by the limits, because the duration on a busy machine proves nothing."""
    assert service.DRAIN_S + service._LOOPS_S + service._CLOSE_S <= 10
