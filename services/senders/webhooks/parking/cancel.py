"""Cancellation: what waits of a canceled event ends.

What has a row may wait for longer than a cancellation is published. So the rows of an event end when its cancellation
is seen, and again a while later, because an attempt that was under way then may have left a row for its retry.
"""

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from runtime import clock, logs
from runtime.errors import ClarionError
from services.domain import topology
from services.domain.reasons import Reason
from services.senders.webhooks.parking.erase import EndingRows, end_rows
from services.senders.webhooks.parking.ports import Row, Trace

# How long an attempt and the storing of its retry may take, seconds.
AGAIN_S = 120.0
# Before rows are looked for again, seconds: while another process does it, and without the database.
_BUSY_S = 0.5
_FAILED_S = 2.0
_ZERO = "00000000-0000-0000-0000-000000000000"

log = logs.get(__name__)


class CanceledEvent(NamedTuple):
    """An event that was canceled."""

    tenant_id: str
    event_id: str


class Place(NamedTuple):
    """Where a page of rows ended; first it is before all of them."""

    delivery_id: str = _ZERO
    endpoint_id: str = _ZERO
    replay: int = -1


class CancelableRows(EndingRows, Protocol):
    """See services.senders.webhooks.parking.rows. Each method raises UNAVAILABLE."""

    def alone(self) -> AbstractAsyncContextManager[bool]:
        """Whether no other process is in a block of this."""

    async def of_event(self, tenant_id: str, event_id: str, after: Place) -> tuple[Sequence[Row], Place | None]:
        """Return a page of an event's rows, and where it ended; None: it was the last one."""


class CanceledEvents:
    """The canceled events whose rows are still to be ended, kept up to date by the configuration's watch."""

    def __init__(self) -> None:
        # In the order in which they came; and those that were looked at, with the time of their next look.
        self._new: dict[CanceledEvent, None] = {}
        self._again: deque[tuple[float, CanceledEvent]] = deque()
        self._known: set[CanceledEvent] = set()
        self._woken = asyncio.Event()

    def on_change(self, changed: str, value: bytes | None) -> None:
        """Apply a change of the configuration; ignores other keys. An event whose key is deleted is forgotten."""
        prefix, _, canceled = changed.partition(".")
        if prefix != topology.CANCELED:
            return
        tenant_id, _, event_id = canceled.partition(".")
        event = CanceledEvent(tenant_id, event_id)
        if value is None:
            self._known.discard(event)
            self._new.pop(event, None)
            return
        self._known.add(event)
        self._new[event] = None
        self._woken.set()

    def next(self) -> tuple[CanceledEvent, bool] | None:
        """Return the next event to look at, and whether it was looked at before; None: there is none now."""
        if self._new:
            return next(iter(self._new)), False
        while self._again and self._again[0][0] <= time.monotonic():
            event = self._again[0][1]
            if event in self._known:
                return event, True
            self._again.popleft()
        return None

    def done(self, event: CanceledEvent, *, was_seen: bool, again_in_s: float | None) -> None:
        """Note that an event was looked at. again_in_s: look once more then, seconds; None: not any more."""
        if was_seen:
            self._again.popleft()
        else:
            self._new.pop(event, None)
        if event not in self._known:
            return
        if again_in_s is None:
            self._known.discard(event)
        else:
            self._again.append((time.monotonic() + again_in_s, event))

    async def wait(self) -> None:
        """Return when there may be an event to look at."""
        left_s = max(0.0, self._again[0][0] - time.monotonic()) if self._again else None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(left_s):
                await self._woken.wait()
        self._woken.clear()


class CanceledRows:
    """Ends the rows of canceled events as skipped; those of each event in one process at a time, a page at a time."""

    def __init__(
        self,
        events: CanceledEvents,
        rows: CancelableRows,
        trace: Trace,
        *,
        now: clock.Clock,
        again_s: float = AGAIN_S,
    ) -> None:
        self._events = events
        self._rows = rows
        self._trace = trace
        self._now = now
        self._again_s = again_s

    async def run(self) -> None:
        """Work for ever."""
        while True:
            if (found := self._events.next()) is None:
                await self._events.wait()
                continue
            event, was_seen = found
            try:
                ended = await self._end(event)
            except ClarionError as error:
                log.warning("canceled_rows_wait", error=error.detail)
                await asyncio.sleep(_FAILED_S * _varied())
                continue
            if ended is None:
                await asyncio.sleep(_BUSY_S * _varied())
                continue
            is_last = was_seen and not ended
            self._events.done(event, was_seen=was_seen, again_in_s=None if is_last else self._again_s)

    async def _end(self, event: CanceledEvent) -> int | None:
        """End an event's rows; return how many, or None while another process does that. Raises UNAVAILABLE."""
        async with self._rows.alone() as is_alone:
            if not is_alone:
                return None
            ended, after = 0, Place()
            while True:
                rows, place = await self._rows.of_event(*event, after)
                await end_rows(rows, self._rows, self._trace, Reason.CANCELED, self._now())
                ended += len(rows)
                if place is None:
                    break
                after = place
        if ended:
            log.info("parked_canceled", tenant_id=event.tenant_id, event_id=event.event_id, rows=ended)
        return ended


def _varied() -> float:
    return random.uniform(0.7, 1.3)  # noqa: S311 - jitter, not a secret
