"""Retries within a process, by tenacity: exponential pauses with jitter, and an end.

A retry of a delivery is not one of them: it is a message in JetStream (services/delivery/retry.py). Neither is a loop
that polls, or that runs once an hour. Publishing to JetStream has its own loop (runtime/nats.py): it decides by the
server's answers, and runs for every message, where tenacity would take 20 to 35 microseconds.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    retry_if_not_exception_type,
    stop_after_delay,
    stop_never,
    wait_exponential,
    wait_random,
)
from tenacity.stop import StopBaseT

from runtime import logs
from runtime.errors import ClarionError

# Of RetryUntilAccepted, seconds; see retry().
FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 1.0

T = TypeVar("T")

Failures = type[BaseException] | tuple[type[BaseException], ...]
Sleep = Callable[[float], Awaitable[None]]

log = logs.get(__name__)


async def retry(
    work: Callable[[], Awaitable[T]],
    failures: Failures,
    *,
    first_s: float,
    longest_s: float,
    unless: Failures = (),
    within_s: float | None = None,
    stop: StopBaseT = stop_never,
    before_pause: Callable[[BaseException, int], None] | None = None,
    sleep: Sleep = asyncio.sleep,
) -> T:
    """Call work until it raises none of failures, and return its result.

    Pauses grow from first_s to longest_s, doubling, and each is longer by up to first_s at random. It ends after
    within_s seconds, or when stop says so: then the last failure is raised. With neither it ends with the process, so
    its callers must be bounded in number. unless: subclasses of failures that are raised at once. before_pause gets the
    failure and the number of the attempt.
    """

    def tell(state: RetryCallState) -> None:
        failure = state.outcome.exception() if state.outcome is not None else None
        if before_pause is not None and failure is not None:
            before_pause(failure, state.attempt_number)

    async def attempt() -> T:  # tenacity awaits only what is declared async: a lambda is not
        return await work()

    caller = AsyncRetrying(
        retry=retry_if_exception_type(failures) & retry_if_not_exception_type(unless),
        wait=wait_exponential(multiplier=first_s, max=longest_s) + wait_random(0, first_s),
        stop=stop if within_s is None else stop_after_delay(within_s),
        before_sleep=tell,
        sleep=sleep,
        reraise=True,
    )
    return await caller(attempt)


class RetryUntilAccepted:
    """Retry until the server accepts, or until stop(). Its callers bound how much of it is in progress."""

    def __init__(self) -> None:
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End all pauses: work that waits is tried once more, at once; a failure from now on is final."""
        self._stopping.set()

    async def __call__(
        self, work: Callable[[], Awaitable[object]], failure: ClarionError | None = None, **fields: object
    ) -> None:
        """Return when work has succeeded. Work may run twice. Raises its last ClarionError after stop().

        failure: of the first attempt, if it was made already. fields: of the log line that is written once.
        """
        # Nearly all work succeeds at once: it pays nothing for retries.
        if failure is None and (failure := await failure_of(work)) is None:
            return

        async def attempt() -> None:
            nonlocal failure
            if failure is not None:
                known, failure = failure, None
                raise known
            await work()

        def tell(error: BaseException, number: int) -> None:
            if number == 1 and isinstance(error, ClarionError):
                log.warning("operation_retried", error=error.detail, code=error.code.name, **fields)

        await retry(
            attempt,
            ClarionError,
            first_s=FIRST_PAUSE_S,
            longest_s=LONGEST_PAUSE_S,
            stop=lambda _: self._stopping.is_set(),
            before_pause=tell,
            sleep=self._pause,
        )

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()


async def failure_of(work: Callable[[], Awaitable[object]]) -> ClarionError | None:
    """Do work; return its ClarionError, or None if it succeeded."""
    try:
        await work()
    except ClarionError as error:
        return error
    return None
