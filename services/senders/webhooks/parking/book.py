"""What this process knows of endpoints, from the published configuration: how their deliveries must wait, if so."""

from collections.abc import Callable
from typing import Protocol

import msgspec

from clarion.common.v1 import event_pb2
from runtime import logs
from services.delivery.ports import ParkedDelivery
from services.domain import endpoints, topology
from services.domain.endpoints import Endpoint, State
from services.domain.reasons import Reason
from services.senders.webhooks.parking.ports import EndpointKey, Rows

PREFIXES = (topology.ENDPOINTS, topology.ENDPOINT_STATES, "tenants")

# How many deliveries of one endpoint may wait, where the tenant's configuration does not say.
DEFAULT_BOUND = 100_000

log = logs.get(__name__)


class _TenantBound(msgspec.Struct, frozen=True):
    max_parked_per_endpoint: int = DEFAULT_BOUND


class _Active(msgspec.Struct, frozen=True):
    active: bool = True


class PublishedEndpoint(Protocol):
    """An endpoint as this process has it."""

    @property
    def endpoint(self) -> Endpoint:
        """Return what is published of it."""


class PublishedEndpoints(Protocol):
    """See services.senders.webhooks.directory."""

    def known(self, tenant_id: str, endpoint_id: str) -> PublishedEndpoint | None:
        """Return an endpoint as last published."""

    async def exists(self, tenant_id: str, endpoint_id: str) -> bool:
        """Return whether an endpoint that is not published exists. Raises PartAway."""


_tenant_bound = msgspec.json.Decoder(_TenantBound).decode
_active = msgspec.json.Decoder(_Active).decode


class EndpointBook:
    """Implements ports.EndpointDirectory. on_change belongs to a ConfigurationWatch over PREFIXES.

    on_enabled: is called with an endpoint that was disabled and is not any more. on_changed: with one that changed in
    any other way, or was deleted.
    """

    def __init__(self, published: PublishedEndpoints) -> None:
        self._published = published
        self._bounds: dict[str, int] = {}
        self._states: dict[EndpointKey, State] = {}
        # Whether each endpoint is active, as last seen.
        self._active: dict[EndpointKey, bool] = {}
        self.on_enabled: Callable[[EndpointKey], None] = lambda _: None
        self.on_changed: Callable[[EndpointKey], None] = lambda _: None

    def on_change(self, key: str, value: bytes | None) -> None:
        """Apply one change of the configuration."""
        prefix, _, rest = key.partition(".")
        try:
            if prefix == "tenants":
                self._set_bound(rest, value)
            elif prefix == topology.ENDPOINTS:
                self._set_active(EndpointKey(*rest.split(".", 1)), value)
            elif prefix == topology.ENDPOINT_STATES:
                self._set_state(EndpointKey(*rest.split(".", 1)), value)
        except (msgspec.DecodeError, TypeError) as error:  # the previous value stays
            log.error("configuration_unreadable", key=key, error=str(error))

    def endpoint(self, key: EndpointKey) -> Endpoint | None:
        """See ports.EndpointDirectory."""
        found = self._published.known(*key)
        return found.endpoint if found is not None else None

    def resting(self, key: EndpointKey) -> str:
        """See ports.EndpointDirectory."""
        found = self.endpoint(key)
        if found is None:
            return ""
        if not found.active:
            return Reason.ENDPOINT_DISABLED
        return Reason.POLLED if found.mode == endpoints.POLLED else ""

    async def is_gone(self, key: EndpointKey) -> bool:
        """See ports.EndpointDirectory."""
        return not await self._published.exists(*key)

    def backlog_bound(self, tenant_id: str) -> int:
        """See ports.EndpointDirectory."""
        return self._bounds.get(tenant_id, DEFAULT_BOUND)

    def state(self, key: EndpointKey) -> str:
        """Return the state of an endpoint's breaker; empty: closed."""
        found = self._states.get(key)
        return found.state if found is not None else ""

    def must_wait(self, delivery: event_pb2.Delivery) -> ParkedDelivery | None:
        """See services.delivery.ports.Parking. An endpoint with a rate limit gets everything from its rows."""
        key = EndpointKey(delivery.tenant_id, delivery.webhook.endpoint_id)
        found = self._published.known(*key)
        if found is None:  # the attempt will find out why
            return None
        reason = self._reason(key, found.endpoint)
        return ParkedDelivery(delivery, reason) if reason else None

    def _reason(self, key: EndpointKey, endpoint: Endpoint) -> str:
        if reason := self.resting(key):
            return reason
        if endpoint.mode == endpoints.ORDERED:
            return Reason.IN_ORDER
        if self._states and self.state(key):
            return Reason.ENDPOINT_DOWN
        return Reason.ENDPOINT_BUSY if endpoint.rate_per_s else ""

    def _set_bound(self, tenant_id: str, value: bytes | None) -> None:
        if value is None:
            self._bounds.pop(tenant_id, None)
        else:
            self._bounds[tenant_id] = _tenant_bound(value).max_parked_per_endpoint or DEFAULT_BOUND

    def _set_active(self, key: EndpointKey, value: bytes | None) -> None:
        if value is None:
            self._active.pop(key, None)
            self.on_changed(key)
            return
        is_active, was_active = _active(value).active, self._active.get(key)
        self._active[key] = is_active
        if is_active and was_active is False:
            self.on_enabled(key)
        elif was_active is not None:
            self.on_changed(key)

    def _set_state(self, key: EndpointKey, value: bytes | None) -> None:
        if value is None:
            self._states.pop(key, None)
        else:
            self._states[key] = endpoints.decode_state(value)


class ParkedDeliveries:
    """Implements services.delivery.ports.Parking, of what this process knows and its rows."""

    def __init__(self, book: EndpointBook, rows: "ParkingRows") -> None:
        self.must_wait = book.must_wait
        self.park = rows.park
        self.find = rows.find


class ParkingRows(Rows, Protocol):
    """The rows, as the worker fills them. See services.delivery.ports.Parking."""

    async def park(self, parked: ParkedDelivery, *, is_claimed: bool = False) -> bool:
        """Store a row."""

    async def find(self, delivery: event_pb2.Delivery) -> ParkedDelivery | None:
        """Find the row of a delivery."""
