"""What compiling with pybars3 may cost: its grammar works letter by letter, and can be made to try for ever."""

import resource
import signal
import time
from collections.abc import Callable
from typing import Any, TypeVar

from services.render.engines import CompileLimitError

# How often time and memory are read, in seconds of processor time.
_TICK_S = 0.05
# Stopped so far below the process's limit: where nothing is left, Python cannot even handle the error (python/cpython
# pushes an integer before a finally block, and tries again for ever). pybars3 takes some 5 MiB in a tick.
_RESERVE = 12 * 1024 * 1024
_TOO_LONG = (
    "pybars3 needs more than {:g} s of processor time to compile this template with its layout and partials: shorten "
    "them, or raise CLARION_RENDER_COMPILE_S"
)
_TOO_LARGE = (
    "pybars3 needs more memory than a worker has to compile this template with its layout and partials: shorten them, "
    "or raise CLARION_RENDER_MEMORY_MIB"
)


T = TypeVar("T")


class _LimitPassedError(BaseException):
    """Nothing that catches errors may catch it."""


def limited(seconds: float, work: Callable[[], T]) -> T:
    """Return what work returns, with bounded processor time and memory. Raises CompileLimitError.

    In the main thread only. Not a context manager: a tick could raise within its __exit__, past every handler here.
    """
    deadline = time.process_time() + seconds
    most = resource.getrlimit(resource.RLIMIT_AS)[0]

    def tick(_number: int, _frame: Any) -> None:
        # Should a destructor swallow what is raised here, the next tick raises it again.
        if time.process_time() > deadline:
            raise _LimitPassedError(_TOO_LONG.format(seconds))
        if most != resource.RLIM_INFINITY and _address_space() > most - _RESERVE:
            raise _LimitPassedError(_TOO_LARGE)

    before = signal.signal(signal.SIGVTALRM, tick)
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, _TICK_S, _TICK_S)
        try:
            return work()
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    except _LimitPassedError as passed:
        raise CompileLimitError(str(passed)) from None
    except MemoryError:
        raise CompileLimitError(_TOO_LARGE) from None
    finally:
        signal.signal(signal.SIGVTALRM, before)


def _address_space() -> int:
    """Return the bytes of address space that the process holds."""
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - as in worker.py
        return int(statm.read().split()[0]) * resource.getpagesize()
