"""Collects how the providers of this process are doing, and stores it: changes at once, counts every ten seconds.

No call waits for it, and a call costs no statement. The senders know their breakers without it: what cannot be stored
is only missing in what operators see.
"""

import asyncio
import contextlib
import random

from runtime import clock, logs
from runtime.errors import ClarionError
from services.delivery.ports import SendResult, Verdict
from services.domain import masking
from services.senders.health.ports import Counts, Failure, HealthStore, OpenBreaker

# Seconds between two writes of breakers that change, and of everything else.
PACE_S = 0.25
INTERVAL_S = 10.0
# Of the steps in which calls are counted, seconds.
STEP_S = 300
_STEP_US = STEP_S * 1_000_000
_EXPIRE_EVERY_S = 600.0
# More providers than this are not noted until the next write.
_MAX_NOTED = 20_000
_MAX_DETAIL = 300

_FAILED = frozenset({Verdict.TRANSIENT, Verdict.THROTTLED, Verdict.CREDENTIALS})

log = logs.get(__name__)


class HealthRecorder:
    """Implements ports.HealthObserver. process_id: a UUID of this process."""

    def __init__(
        self,
        store: HealthStore,
        process_id: str,
        *,
        now: clock.Clock = clock.now_us,
        pace_s: float = PACE_S,
        interval_s: float = INTERVAL_S,
    ) -> None:
        self._store = store
        self._process_id = process_id
        self._now = now
        self._pace_s = pace_s
        self._interval_s = interval_s
        self._paused: dict[str, OpenBreaker] = {}
        # Not stored yet.
        self._changed: set[str] = set()
        self._counts: dict[str, list[int]] = {}
        self._failures: dict[str, Failure] = {}
        self._wake = asyncio.Event()
        self._is_ending = False
        # So that nothing is written after the end of the process is.
        self._writing = asyncio.Lock()

    def called(self, provider_id: str, result: SendResult) -> None:
        """See ports.HealthObserver."""
        counts = self._counts.get(provider_id)
        if counts is None:
            if len(self._counts) >= _MAX_NOTED:
                return
            counts = self._counts[provider_id] = [0, 0, 0]
        counts[0] += 1
        if result.verdict in _FAILED:
            counts[1] += 1
            detail = masking.redacted(result.detail)[:_MAX_DETAIL]
            self._failures[provider_id] = Failure(self._now(), str(result.reason), detail)
        elif result.verdict is Verdict.PERMANENT:
            counts[2] += 1

    def paused(self, tenant_id: str, provider_id: str, reason: str, pause_s: float) -> None:
        """See ports.HealthObserver."""
        now_us = self._now()
        before = self._paused.get(provider_id)
        since_us = before.since_us if before is not None else now_us
        next_try_us = now_us + int(pause_s * 1_000_000)
        self._paused[provider_id] = OpenBreaker(provider_id, tenant_id, str(reason), since_us, next_try_us)
        self._changed.add(provider_id)
        self._wake.set()

    def resumed(self, provider_id: str) -> None:
        """See ports.HealthObserver."""
        if self._paused.pop(provider_id, None) is not None:
            self._changed.add(provider_id)
            self._wake.set()

    async def run(self) -> None:
        """Store what was noted, until drain()."""
        loop = asyncio.get_running_loop()
        counted_at = expired_at = loop.time()
        while not self._is_ending:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(counted_at + self._interval_s):
                    await self._wake.wait()
            self._wake.clear()
            is_due = loop.time() >= counted_at + self._interval_s
            try:
                await self.write(is_due=is_due)
                if loop.time() >= expired_at + _EXPIRE_EVERY_S:
                    await self._store.delete_expired()
                    expired_at = loop.time()
            except ClarionError as error:
                log.warning("provider_health_not_stored", error=error.detail)
                # Again in a second or two.
                counted_at = loop.time() - random.uniform(0.8, 0.9) * self._interval_s  # noqa: S311 - jitter
            else:
                counted_at = loop.time() if is_due else counted_at
            await asyncio.sleep(self._pace_s)

    async def drain(self) -> None:
        """Store what was noted, and that the breakers of this process are no more."""
        self._is_ending = True
        self._wake.set()
        with contextlib.suppress(ClarionError):
            await self.write(is_due=True)
        async with self._writing:
            with contextlib.suppress(ClarionError):
                await self._store.end_process(self._process_id)

    async def write(self, *, is_due: bool) -> None:
        """Store the breakers that changed and the last failures; if is_due, all breakers and the counts as well.

        Raises UNAVAILABLE; then it is stored by the next call.
        """
        async with self._writing:
            await self._write(is_due)

    async def _write(self, is_due: bool) -> None:  # noqa: FBT001 - as write()
        changed = self._changed | (self._paused.keys() if is_due else set())
        self._changed = set()
        failures, self._failures = self._failures, {}
        try:
            # Before the breakers, so that none is open without its reason.
            if failures:
                await self._store.write_failures(failures)
                failures = {}
            if changed:
                paused = [self._paused[one] for one in changed if one in self._paused]
                await self._store.write_breakers(
                    self._process_id, paused, changed - {one.provider_id for one in paused}
                )
        except BaseException:
            self._changed |= changed
            self._failures = {**failures, **self._failures}
            raise
        if is_due and self._counts:
            await self._write_counts()

    async def _write_counts(self) -> None:
        counts, self._counts = self._counts, {}
        now_us = self._now()
        try:
            await self._store.write_calls(
                now_us - now_us % _STEP_US, {one: Counts(*numbers) for one, numbers in counts.items()}
            )
        except BaseException:
            for provider_id, numbers in counts.items():
                later = self._counts.get(provider_id, [0, 0, 0])
                self._counts[provider_id] = [sum(pair) for pair in zip(numbers, later, strict=True)]
            raise
