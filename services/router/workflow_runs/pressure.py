"""Whether an event's deliveries are crowded, asked for many workflow runs of one event at once."""

import time
from collections.abc import Callable

from runtime.single_flight import SingleFlight
from services.router.runs.ports import Progress

# An event with fewer deliveries never has to wait.
_FEW = 1_000
# How long an answer counts, seconds; and how many are kept.
_KEPT_S = 0.5
_MAX_KEPT = 1_000


class Pressure:
    """Asks Progress. ticks: seconds that only grow."""

    def __init__(self, progress: Progress, *, ticks: Callable[[], float] = time.monotonic) -> None:
        self._progress = progress
        self._ticks = ticks
        self._flight: SingleFlight[str] = SingleFlight()
        # By event: until when it counts, and the answer.
        self._kept: dict[str, tuple[float, str]] = {}

    async def obstacle(self, event_id: str, planned: int) -> str:
        """Return why nothing more of an event is planned now; empty: it may be. planned: its deliveries so far.

        Raises UNAVAILABLE.
        """
        if planned < _FEW:
            return ""
        until, reason = self._kept.get(event_id, (0.0, ""))
        if until > self._ticks():
            return reason

        async def ask() -> str:
            answer = await self._progress.obstacle(event_id, planned)
            if len(self._kept) >= _MAX_KEPT:
                self._kept.clear()
            self._kept[event_id] = self._ticks() + _KEPT_S, answer
            return answer

        return await self._flight.run(event_id, ask)
