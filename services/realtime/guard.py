"""Decides whether the hub may be used: only one that was tried and refuses what it must.

It is the circuit breaker too: while the hub is away or hangs, nobody waits for it.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from enum import Enum

from prometheus_client import Gauge

from runtime import logs
from services.realtime.probe import Report

# Seconds between probes: while all is well, and while it is not.
CALM_S = 5.0
ALERT_S = 0.5

_STATE = Gauge("clarion_realtime_hub", "1 for the state the realtime hub is in.", ["state"])

log = logs.get(__name__)


class State(Enum):
    """What is known of the hub."""

    SAFE = "safe"
    # Not there, hung, or not yet tried.
    AWAY = "away"
    # There, and open or not usable: nothing may be sent to it, nobody be sent to it.
    UNSAFE = "unsafe"


class Guard:
    """Watches one hub. probe: tries it once."""

    def __init__(self, probe: Callable[[], Awaitable[Report]]) -> None:
        self._probe = probe
        self._doubt = asyncio.Event()
        self._listener: Callable[[], Awaitable[None]] | None = None
        self.state = State.AWAY
        self.faults: tuple[str, ...] = ()

    @property
    def may_serve(self) -> bool:
        """Whether browsers may be sent to the hub. One that is away will be tried before anything is sent to it."""
        return self.state is not State.UNSAFE

    def on_change(self, listener: Callable[[], Awaitable[None]]) -> None:
        """Call listener after each change of state."""
        self._listener = listener

    def doubt(self) -> None:
        """Take in that the hub failed somebody: try it now."""
        self._doubt.set()

    async def check(self) -> State:
        """Try the hub once. One found unsafe stays so until it is proven safe, also while it is away."""
        report = await self._probe()
        before, known = self.state, self.faults
        if report.is_safe:
            self.state, self.faults = State.SAFE, ()
        elif report.reachable:
            self.state, self.faults = State.UNSAFE, report.faults
        elif self.state is not State.UNSAFE:
            self.state = State.AWAY
        if (before, known) != (self.state, self.faults):
            self._tell(report)
            if self._listener is not None:
                await self._listener()
        for state in State:
            _STATE.labels(state.value).set(state is self.state)
        return self.state

    async def run(self) -> None:
        """Go on checking, for ever."""
        while True:
            wait = CALM_S if self.state is State.SAFE else ALERT_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._doubt.wait()
            self._doubt.clear()
            await self.check()
            await asyncio.sleep(ALERT_S / 2)  # many doubts at a time are one

    def _tell(self, report: Report) -> None:
        match self.state:
            case State.UNSAFE:
                log.error("hub_unsafe", faults=self.faults, consequence="no tokens, no publications until it is closed")
            case State.AWAY:
                log.warning("hub_away", detail=report.detail)
            case State.SAFE:
                log.info("hub_safe")
