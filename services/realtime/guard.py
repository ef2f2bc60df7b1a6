"""Decides whether the hub may be used: only after a probe showed that it refuses what it must refuse.

The guard is also the circuit breaker: while the hub does not answer, no publication waits for it.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from enum import Enum

from prometheus_client import Gauge

from runtime import logs
from services.realtime.probe import ProbeReport

# Seconds between probes while the hub is safe, and while it is not.
CALM_S = 5.0
ALERT_S = 0.5

_STATE = Gauge("clarion_realtime_hub", "1 for the state the realtime hub is in.", ["state"])

log = logs.get(__name__)


class HubState(Enum):
    """What is known about the hub."""

    SAFE = "safe"
    # It does not answer, or was not probed yet.
    AWAY = "away"
    # It answers, but allows what it must refuse, or refuses our tokens. No tokens are issued and nothing is published.
    UNSAFE = "unsafe"


class HubGuard:
    """Watches one hub. probe: tests it once."""

    def __init__(self, probe: Callable[[], Awaitable[ProbeReport]]) -> None:
        self._probe = probe
        self._doubt = asyncio.Event()
        self._listener: Callable[[], Awaitable[None]] | None = None
        self.state = HubState.AWAY
        self.faults: tuple[str, ...] = ()

    @property
    def may_serve(self) -> bool:
        """Whether tokens may be issued. A hub that is away is probed again before anything is published to it."""
        return self.state is not HubState.UNSAFE

    def on_change(self, listener: Callable[[], Awaitable[None]]) -> None:
        """Call listener after each change of state."""
        self._listener = listener

    def doubt(self) -> None:
        """Probe the hub now, because a call to it failed."""
        self._doubt.set()

    async def check(self) -> HubState:
        """Probe the hub once. An unsafe hub stays unsafe until a probe shows that it is safe, even while it is away."""
        report = await self._probe()
        before, known = self.state, self.faults
        if report.is_safe:
            self.state, self.faults = HubState.SAFE, ()
        elif report.reachable:
            self.state, self.faults = HubState.UNSAFE, report.faults
        elif self.state is not HubState.UNSAFE:
            self.state = HubState.AWAY
        if (before, known) != (self.state, self.faults):
            self._tell(report)
            if self._listener is not None:
                await self._listener()
        for state in HubState:
            _STATE.labels(state.value).set(state is self.state)
        return self.state

    async def run(self) -> None:
        """Probe again and again until cancelled."""
        while True:
            wait = CALM_S if self.state is HubState.SAFE else ALERT_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._doubt.wait()
            self._doubt.clear()
            await self.check()
            await asyncio.sleep(ALERT_S / 2)  # many failed calls cause one probe

    def _tell(self, report: ProbeReport) -> None:
        match self.state:
            case HubState.UNSAFE:
                log.error("hub_unsafe", faults=self.faults, consequence="no tokens, no publications until it is closed")
            case HubState.AWAY:
                log.warning("hub_away", detail=report.detail)
            case HubState.SAFE:
                log.info("hub_safe")
