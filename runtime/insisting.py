"""Going on with what a server does not take now, for as long as it takes."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable

from runtime import logs
from runtime.errors import ClarionError

# Between two tries, seconds: twice as long each time, from the one to the other.
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 1.0
# Each pause is longer or shorter by up to this share, so that those who failed together do not come back together.
_JITTER = 0.25

log = logs.get(__name__)


class Insister:
    """Tries again what failed with a ClarionError, until it is done or stop() is called. Its callers bound its work."""

    def __init__(self) -> None:
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Wait no more: whoever waits tries once again, at once, and what fails from now on has failed."""
        self._stopping.set()

    async def until_done(
        self, work: Callable[[], Awaitable[object]], failure: ClarionError | None = None, **fields: object
    ) -> None:
        """Return when work, which may be done twice, has ended well. Raises its last ClarionError after stop().

        failure: how it went before, where it was tried. fields: for the line that the log gets once.
        """
        pause = FIRST_PAUSE_S
        while failure is not None or (failure := await failure_of(work)) is not None:
            if self._stopping.is_set():
                raise failure
            if pause == FIRST_PAUSE_S:
                log.warning("tried_again", error=failure.detail, code=failure.code.name, **fields)
            await self._wait(pause * random.uniform(1 - _JITTER, 1 + _JITTER))  # noqa: S311 - jitter, not a secret
            failure, pause = None, min(2 * pause, LONGEST_PAUSE_S)

    async def _wait(self, pause_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._stopping.wait()


async def failure_of(work: Callable[[], Awaitable[object]]) -> ClarionError | None:
    """Do it and return how it failed; None: it did not."""
    try:
        await work()
    except ClarionError as error:
        return error
    return None
