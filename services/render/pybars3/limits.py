"""What compiling with pybars3 may cost: its grammar works letter by letter, and can be made to try for ever."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from services.render.engines import CompileLimitError

# Raised again so often, seconds of processor time, should one be lost in a destructor.
_REPEAT_S = 0.1


class _TimeIsUpError(BaseException):
    """Nothing that catches errors may catch it."""


@contextmanager
def compile_limits(seconds: float) -> Iterator[None]:
    """Bound the processor time of what is compiled inside. Raises CompileLimitError. In the main thread only."""
    before = signal.signal(signal.SIGVTALRM, _stop)
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds, _REPEAT_S)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    except _TimeIsUpError:
        message = (
            f"pybars3 needs more than {seconds:g} s of processor time to compile this template with its layout and "
            "partials: shorten them, or raise CLARION_RENDER_COMPILE_S"
        )
        raise CompileLimitError(message) from None
    except MemoryError:
        message = (
            "pybars3 needs more memory than a worker has to compile this template with its layout and partials: "
            "shorten them, or raise CLARION_RENDER_MEMORY_MIB"
        )
        raise CompileLimitError(message) from None
    finally:
        signal.signal(signal.SIGVTALRM, before)


def _stop(_number: int, _frame: Any) -> None:
    raise _TimeIsUpError
