"""PostgreSQL's time, so that processes agree on what is due and on when a lease ends, whatever their own clocks say."""

import asyncio
import random
import time
from collections.abc import Callable

import asyncpg

from runtime import clock, logs, postgres
from runtime.errors import ClarionError

_PAUSE_S = 10.0
# A machine whose clock differs by more is reported: its other times are wrong, too.
_REPORTED_US = 2_000_000

log = logs.get(__name__)


class DatabaseClock:
    """Implements runtime.clock.Clock. Until PostgreSQL has answered once, it is the machine's own clock.

    ticks: seconds that only grow, whatever happens to the machine's clock.
    """

    def __init__(
        self,
        pool: "asyncpg.Pool[asyncpg.Record]",
        *,
        own: clock.Clock = clock.now_us,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._own = own
        self._ticks = ticks
        self._zero_us: int | None = None
        self._is_reported = False

    def __call__(self) -> int:
        """Return the Unix time in microseconds."""
        return self._own() if self._zero_us is None else self._zero_us + self._ticked_us()

    async def adjust(self) -> None:
        """Ask PostgreSQL for the time. Raises UNAVAILABLE."""
        began = self._ticked_us()
        with postgres.unavailable_while_down():
            at_us: int = await self._pool.fetchval("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
        self._zero_us = at_us - (began + self._ticked_us()) // 2
        difference_us = self._own() - at_us
        is_wrong = abs(difference_us) > _REPORTED_US
        if is_wrong and not self._is_reported:
            log.warning("clocks_differ", seconds=difference_us / 1_000_000, hint="synchronise this machine's clock")
        self._is_reported = is_wrong

    async def run(self) -> None:
        """Ask again every few seconds, for ever."""
        while True:
            try:
                await self.adjust()
            except (ClarionError, asyncpg.PostgresError) as error:
                log.warning("database_clock_waits", error=repr(error))
            await asyncio.sleep(_PAUSE_S * random.uniform(0.7, 1.3))  # noqa: S311 - jitter, not a secret

    def _ticked_us(self) -> int:
        return int(self._ticks() * 1_000_000)
