"""Tells of outages: each is an event of the alert tenant, so that it is retried, traced and listed like any other."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from runtime import clock, logs
from runtime.errors import ClarionError
from services.domain.checks import invalid
from services.senders.alerts.outages import Alert, AlertSettings, Kind, Outage, Phase, alert_of

# Seconds between two looks while nothing is to be told, and after a failure.
_IDLE_S = 5.0
_FAILED_S = 10.0
_TAKEN_S = 60.0
_AT_ONCE = 20
# Alerts of one kind in an hour, so that a tenant whose endpoints come and go silences no provider. The others wait, and
# those that have ended by then are only listed.
MAX_OF_HOUR = 60
_PUT_OFF_S = 600.0
# Stored of an outage that is over, of which nobody was told.
_NOT_TOLD = 3
_HOUR_US = 3_600 * 1_000_000
# Every so many looks the table is tidied.
_TIDY_EVERY = 60

log = logs.get(__name__)

# Returns the name of a tenant, empty if it is not known.
TenantName = Callable[[str], str]


class OutageReader(Protocol):
    """The stored outages. Each method raises UNAVAILABLE."""

    async def take(self, limit: int, taken_s: float) -> list[Outage]:
        """Return outages of which something is to be told, that nobody else takes for taken_s seconds."""

    async def told(self, outage: Outage, phase: int) -> None:
        """Store what was told."""

    async def put_off(self, outages: Sequence[Outage], pause_s: float) -> None:
        """Tell these later."""

    async def told_since(self, lowest_id: str, kind: int) -> int:
        """Return how many outages of a kind with this id or a later one were told."""

    async def settings(self) -> AlertSettings:
        """Return where alerts go."""

    async def tidy(self) -> None:
        """End outages of deleted providers, and delete old ones."""


class AlertSender(Protocol):
    """Ingest. Raises ClarionError: UNAVAILABLE if it is away."""

    async def send(self, settings: AlertSettings, alert: Alert) -> list[str]:
        """Send an alert to people and endpoints; return the ids of the events. A repeat sends nothing more."""


class Teller:
    """Works off what the processes have stored."""

    def __init__(
        self,
        store: OutageReader,
        sender: AlertSender,
        tenant_name: TenantName,
        *,
        public_url: str,
        lowest_id: Callable[[int], str],
        now: clock.Clock = clock.now_us,
    ) -> None:
        self._store = store
        self._sender = sender
        self._tenant_name = tenant_name
        self._public_url = public_url
        self._lowest_id = lowest_id
        self._now = now

    async def run(self) -> None:
        """Work until canceled."""
        looks = 0
        while True:
            pause = _IDLE_S
            try:
                if await self.tell_due():
                    pause = 0.0
                looks += 1
                if looks % _TIDY_EVERY == 0:
                    await self._store.tidy()
            except ClarionError as error:
                log.warning("alerts_wait", error=error.detail)
                pause = _FAILED_S
            except Exception:  # our own fault: what was taken is taken again
                log.exception("alerts_failed")
                pause = _FAILED_S
            await asyncio.sleep(pause * random.uniform(0.7, 1.3))  # noqa: S311 - jitter, not a secret

    async def tell_due(self) -> bool:
        """Tell what is due; return whether there was something. Raises UNAVAILABLE."""
        taken = await self._store.take(_AT_ONCE, _TAKEN_S)
        if not taken:
            return False
        settings = await self._store.settings()
        lowest, left = self._lowest_id(self._now() - _HOUR_US), dict[Kind, int]()
        for outage in taken:
            if not settings.wants(outage):
                await self._store.told(outage, _NOT_TOLD)
                continue
            if outage.told == 0:
                if outage.kind not in left:
                    left[outage.kind] = MAX_OF_HOUR - await self._store.told_since(lowest, int(outage.kind))
                if left[outage.kind] <= 0:
                    log.warning("alerts_limited", kind=outage.kind.name)
                    await self._store.put_off([outage], _PUT_OFF_S)
                    continue
                left[outage.kind] -= 1
            await self._tell(settings, outage)
        return True

    async def _tell(self, settings: AlertSettings, outage: Outage) -> None:
        phase = Phase.BEGAN if outage.told == 0 else Phase.ENDED
        alert = alert_of(outage, phase, self._tenant_name(outage.tenant_id), self._public_url)
        await self._sender.send(settings, alert)
        await self._store.told(outage, phase)
        log.info("alert_sent", outage_id=outage.id, event_type=alert.event_type, tenant_id=outage.tenant_id)

    async def test(self, settings: AlertSettings, id_: str) -> list[str]:
        """Send an alert about a provider that does not exist; return the ids of the events.

        Raises INVALID if the settings name no alert tenant, and what ingest raises.
        """
        if not settings.tenant_id:
            raise invalid("tenant_id", "must be set before an alert can be sent")
        now = self._now()
        outage = Outage(id_, Kind.PROVIDER, settings.tenant_id, "", 0, "test", "test", "", now)
        alert = alert_of(outage, Phase.BEGAN, self._tenant_name(settings.tenant_id), self._public_url)
        title, message = "Test alert", "This is a test. Nothing is wrong: alerts of this installation arrive here."
        variables = {**alert.variables, "test": "true"}
        return await self._sender.send(settings, replace(alert, title=title, message=message, variables=variables))
