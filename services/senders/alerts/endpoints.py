"""Stores the outages of endpoints, of which the notices of their breakers tell."""

from services.domain import channels
from services.senders.alerts.outages import ENDPOINT_DISABLED, ENDPOINT_DOWN, Kind, Outage
from services.senders.alerts.watch import Outages
from services.senders.webhooks.parking.notices import Notice

_WEBHOOK = channels.BY_PUBLIC_NAME["WEBHOOK"]


class EndpointWatch:
    """Implements services.senders.webhooks.parking.notices.EndpointOutages."""

    def __init__(self, store: Outages) -> None:
        self._store = store

    async def note(self, notice: Notice) -> None:
        """See EndpointOutages."""
        key = notice.key
        if notice.kind == "recovered":
            await self._store.end(Kind.ENDPOINT, key.endpoint_id, notice.at_us)
            return
        reason = ENDPOINT_DISABLED if notice.kind == "disable" else ENDPOINT_DOWN
        outage = Outage(
            "",
            Kind.ENDPOINT,
            key.tenant_id,
            key.endpoint_id,
            _WEBHOOK,
            "",
            reason,
            notice.reason,
            notice.failing_since_us or notice.at_us,
        )
        await self._store.begin(outage)
