"""Tells of outages: each is an event of a tenant, so that it is retried, traced and listed like any other.

The operator's alerts are events of the alert tenant, a tenant's own are its events.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from runtime import clock, logs
from runtime.errors import ClarionError, Code
from services.domain.checks import invalid
from services.senders.alerts.outages import Alert, AlertSettings, Audience, Kind, Outage, Phase, alert_of

# Seconds between two looks while nothing is to be told, and after a failure.
_IDLE_S = 5.0
_FAILED_S = 10.0
_TAKEN_S = 60.0
_AT_ONCE = 20
# Alerts of one kind in an hour, so that a tenant whose endpoints come and go silences no provider. The others wait, and
# those that have ended by then are only listed.
MAX_OF_HOUR = 60
_PUT_OFF_S = 600.0
# Pauses after ingest has not accepted an alert, seconds: twice as long each time. After so many attempts, about a day,
# it is given up; the outage is still listed.
_FIRST_PAUSE_S = 10.0
_LONGEST_PAUSE_S = 900.0
MAX_ATTEMPTS = 100
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

    async def failed(self, outage: Outage, pause_s: float) -> None:
        """Store that it could not be told, and is tried again after pause_s seconds."""

    async def told_since(self, lowest_id: str, kind: int, tenant_id: str | None) -> int:
        """Return how many outages of a kind with this id or a later one a tenant was told; None: the operator."""

    async def settings(self) -> AlertSettings:
        """Return where the operator's alerts go."""

    async def settings_of(self, tenant_ids: Sequence[str]) -> dict[str, AlertSettings]:
        """Return where alerts of these tenants go, if they have settings."""

    async def tidy(self) -> None:
        """End outages of deleted providers, and delete old ones."""


class AlertSender(Protocol):
    """Ingest. Raises ClarionError: LIMITED if the tenant may send nothing now, UNAVAILABLE if ingest is away."""

    async def send(self, settings: AlertSettings, alert: Alert) -> list[str]:
        """Send an alert to people and endpoints; return the ids of the events. A repeat sends nothing more."""


def pause_after(attempts: int) -> float:
    """Return the pause after a failure in seconds, with jitter. attempts: how many there were before it."""
    return min(_FIRST_PAUSE_S * 2.0 ** min(attempts, 16), _LONGEST_PAUSE_S) * random.uniform(0.7, 1.3)  # noqa: S311


class _Left:
    """How many outages of each kind the operator, and each tenant, may still be told of within this hour."""

    def __init__(self, store: OutageReader, lowest_id: str) -> None:
        self._store = store
        self._lowest_id = lowest_id
        self._left: dict[tuple[Kind, str | None], int] = {}

    async def take(self, outage: Outage) -> bool:
        """Return whether this one may be told. Raises UNAVAILABLE."""
        tenant_id = outage.tenant_id if outage.audience is Audience.TENANT else None
        key = outage.kind, tenant_id
        if key not in self._left:
            told = await self._store.told_since(self._lowest_id, int(outage.kind), tenant_id)
            self._left[key] = MAX_OF_HOUR - told
        if self._left[key] <= 0:
            log.warning("alerts_limited", kind=outage.kind.name, audience=outage.audience.name)
            return False
        self._left[key] -= 1
        return True


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
        tenants = {outage.tenant_id for outage in taken if outage.audience is Audience.TENANT}
        own = await self._store.settings_of(sorted(tenants)) if tenants else {}
        left = _Left(self._store, self._lowest_id(self._now() - _HOUR_US))
        away: ClarionError | None = None
        for outage in taken:
            whom = settings
            if outage.audience is Audience.TENANT:
                whom = own.get(outage.tenant_id, AlertSettings()).beside(settings, outage)
            if not whom.wants(outage):
                await self._store.told(outage, _NOT_TOLD)
                continue
            if outage.told == 0 and not await left.take(outage):
                await self._store.put_off([outage], _PUT_OFF_S)
                continue
            try:
                if away is not None:  # nor would it accept the next one
                    raise away
                await self._tell(whom, outage)
            except ClarionError as error:
                if error.code is not Code.LIMITED:  # of this tenant alone
                    away = error
                await self._retry(outage, error)
        return True

    async def _retry(self, outage: Outage, error: ClarionError) -> None:
        """Let an alert that was not accepted be tried again later, or give it up."""
        about = {"outage_id": outage.id, "tenant_id": outage.tenant_id, "error": error.detail}
        if outage.attempts + 1 >= MAX_ATTEMPTS:
            log.error("alert_given_up", **about)
            await self._store.told(outage, _NOT_TOLD)
            return
        log.warning("alert_waits", **about)
        await self._store.failed(outage, pause_after(outage.attempts))

    async def _tell(self, settings: AlertSettings, outage: Outage) -> None:
        phase = Phase.BEGAN if outage.told == 0 else Phase.ENDED
        alert = alert_of(outage, phase, self._tenant_name(outage.tenant_id), self._public_url)
        await self._sender.send(settings, alert)
        await self._store.told(outage, phase)
        log.info("alert_sent", outage_id=outage.id, event_type=alert.event_type, tenant_id=outage.tenant_id)

    async def test(self, settings: AlertSettings, id_: str) -> list[str]:
        """Send an alert about a provider that does not exist; return the ids of the events.

        Raises INVALID if the settings name no alert tenant, or nobody, or ingest refuses all of it, and what ingest
        raises.
        """
        if not settings.tenant_id:
            raise invalid("tenant_id", "must be set before an alert can be sent")
        if not (settings.recipients or settings.endpoints):
            raise invalid("recipients", "must be set, or endpoints, before an alert can be sent")
        now = self._now()
        outage = Outage(id_, Kind.PROVIDER, settings.tenant_id, "", 0, "test", "test", "", now)
        alert = alert_of(outage, Phase.BEGAN, self._tenant_name(settings.tenant_id), self._public_url)
        title, message = "Test alert", "This is a test. Nothing is wrong: alerts arrive here."
        variables = {**alert.variables, "test": "true"}
        told = replace(alert, title=title, message=message, variables=variables)
        if ids := await self._sender.send(settings, told):
            return ids
        raise invalid("tenant_id", "refused the alert: look whether the tenant is active, and at its refused requests")
