"""A catalog with its copy of the configuration and its owners, in memory."""

from typing import Any

from runtime.ids import new_id
from runtime.parts import OwnParts
from services.domain import topology
from services.domain.endpoints import Subscriber
from services.router.catalog import Catalog
from services.router.definitions import Definition
from services.router.owners import ConfigurationOwners
from tests.fakes.configuration import MemoryWatch
from tests.fakes.grpc import MemoryCaller, MemoryChannel
from tests.fakes.router import Owners

TENANT, TYPE = new_id(), "order.confirmed"
INGEST_SERVICE, RENDER_SERVICE, SENDERS_SERVICE = (
    "clarion.ingest.v1.TenantService",
    "clarion.render.v1.TemplateService",
    "clarion.senders.v1.ProviderService",
)


class Desk:
    """A catalog, its copy and its owners."""

    def __init__(self) -> None:
        self.watch = MemoryWatch()
        self.owners = Owners()  # type: ignore[abstract]  # the other methods are never called
        self.caller = MemoryCaller(dict.fromkeys((INGEST_SERVICE, RENDER_SERVICE, SENDERS_SERVICE), self.owners))
        channel: Any = MemoryChannel()
        watch: Any = self.watch
        caller: Any = self.caller
        self.own = OwnParts()
        owners = ConfigurationOwners(ingest=channel, render=channel, senders=channel, caller=caller, own=self.own)
        self.catalog = Catalog(watch, owners)

    def tenant(self, *channels: str) -> None:
        """Bring the tenant, with a channel policy."""
        self.watch.put(topology.tenant_key(TENANT), {"id": TENANT, "delivery_channels": channels})

    def templates(self, *templates: dict[str, Any], event_type: str = TYPE, tenant_id: str = TENANT) -> None:
        """Bring an event type's active templates; none: there are none any more."""
        self.watch.put(topology.templates_key(tenant_id, event_type), list(templates) or None)

    def providers(self, **channels: str) -> None:
        """Bring the tenant's providers, by their ids: p1="SMS"."""
        records = [{"id": id_, "channel": channel} for id_, channel in channels.items()]
        self.watch.put(topology.providers_key(TENANT), records or None)

    def subscribers(self, *found: Subscriber, event_type: str = TYPE) -> None:
        """Bring the endpoints that subscribe to an event type; none: there are none any more."""
        self.watch.put(topology.subscribers_key(TENANT, event_type), found or None)

    async def ask(self, event_type: str = TYPE) -> Definition:
        """Return what an event means."""
        return await self.catalog.definition(TENANT, event_type)
