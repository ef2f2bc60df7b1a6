"""Decides whether the hub may be used: only after a probe showed that it refuses what it must refuse.

The guard is also the circuit breaker: while the hub does not answer, no publication waits for it.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from enum import Enum

from prometheus_client import Gauge

from runtime import logs
from services.realtime.probe import Report

# Seconds between probes while the hub is safe, and while it is not.
CALM_S = 5.0
ALERT_S = 0.5

_STATE = Gauge("clarion_realtime_hub", "1 for the state the realtime hub is in.", ["state"])

log = logs.get(__name__)


class State(Enum):
    """What is known about the hub."""

    SAFE = "safe"
    # It does not answer, or was not probed yet.
    AWAY = "away"
    # It answers, but allows what it must refuse, or refuses our tokens. No tokens are issued and nothing is published.
    UNSAFE = "unsafe"


class Guard:
    """Watches one hub. probe: tests it once."""

    def __init__(self, probe: Callable[[], Awaitable[Report]]) -> None:
        self._probe = probe
        self._doubt = asyncio.Event()
        self._listener: Callable[[], Awaitable[None]] | None = None
        self.state = State.AWAY
        self.faults: tuple[str, ...] = ()

    @property
    def may_serve(self) -> bool:
        """Whether tokens may be issued. A hub that is away is probed again before anything is published to it."""
        return self.state is not State.UNSAFE

    def on_change(self, listener: Callable[[], Awaitable[None]]) -> None:
        """Call listener after each change of state."""
        self._listener = listener

    def doubt(self) -> None:
        """Probe the hub now, because a call to it failed."""
        self._doubt.set()

    async def check(self) -> State:
        """Probe the hub once. An unsafe hub stays unsafe until a probe shows that it is safe, even while it is away."""
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
        """Probe again and again until cancelled."""
        while True:
            wait = CALM_S if self.state is State.SAFE else ALERT_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._doubt.wait()
            self._doubt.clear()
            await self.check()
            await asyncio.sleep(ALERT_S / 2)  # many failed calls cause one probe

    def _tell(self, report: Report) -> None:
        match self.state:
            case State.UNSAFE:
                log.error("hub_unsafe", faults=self.faults, consequence="no tokens, no publications until it is closed")
            case State.AWAY:
                log.warning("hub_away", detail=report.detail)
            case State.SAFE:
                log.info("hub_safe")
