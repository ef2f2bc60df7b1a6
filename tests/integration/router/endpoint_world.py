"""The stores of endpoints of one router process, on a database and broker that others may share."""

from collections.abc import Sequence
from typing import Any

import asyncpg
from nats.aio.client import Client

from clarion.router.v1 import endpoints_pb2
from runtime.bucket import ConfigurationBucket
from runtime.egress import EgressGuard, EgressPolicy, Ports
from runtime.encryption import Vault
from runtime.ids import new_id
from services.domain import topology
from services.domain.endpoints import Endpoint, Subscriber, decode_endpoint, decode_subscribers
from services.router.catalogs.applications.store import ApplicationStore, NewApplication
from services.router.catalogs.environments.store import EnvironmentStore
from services.router.catalogs.event_types.store import EventTypeStore
from services.router.endpoints import check
from services.router.endpoints.store import EndpointStore
from services.router.endpoints.subscriptions.store import SubscriptionStore
from services.router.endpoints.writing import TenantWrites
from services.router.workflows.check import WorkflowFields
from services.router.workflows.document import parse
from services.router.workflows.store import WorkflowStore
from tests.integration.outboxes import PatientOutbox
from tests.unit.senders.builders import encryption_key

GUARD = EgressGuard(EgressPolicy(), Ports(frozenset({80, 443}), "CLARION_EGRESS_WEBHOOK_PORTS"))
VAULT_KEY = encryption_key()
PREFIXES = (topology.ENDPOINTS, topology.SUBSCRIBERS, topology.WORKFLOWS)
STOP = parse(b'{"steps":[{"id":"a","kind":"stop"}]}')


class EndpointWorld:
    """One router process. vault: a process with another one cannot read what this one encrypted."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", connection: Client, *, vault: Vault | None = None) -> None:
        self.pool = pool
        self.connection = connection
        self.vault = vault or Vault(VAULT_KEY)
        self.bucket = ConfigurationBucket(connection)
        self.outbox = PatientOutbox(pool, "router", connection)
        self.writes = TenantWrites(pool, self.outbox)
        self.environments = EnvironmentStore(pool, self.writes)
        self.endpoints = EndpointStore(pool, self.writes, self.environments, self.vault)
        self.subscriptions = SubscriptionStore(pool, self.writes)
        self.event_types = EventTypeStore(pool, self.writes)
        self.applications = ApplicationStore(pool, self.writes)
        self.workflows = WorkflowStore(pool, self.writes)

    async def create(self, tenant_id: str, *, secret: str = "", **fields: Any) -> str:
        """Store an endpoint; return its id."""
        wanted = endpoints_pb2.Endpoint(**{"url": "https://shop.example/hook", **fields})
        request = endpoints_pb2.CreateEndpointRequest(tenant_id=tenant_id, endpoint=wanted)
        stored, _, _ = await self.endpoints.create(tenant_id, check.new_endpoint(request, GUARD), secret)
        return stored.id

    async def set_active(self, tenant_id: str, endpoint_id: str, *, active: bool) -> None:
        """Enable or disable an endpoint, as an operator does."""
        request = endpoints_pb2.UpdateEndpointRequest(tenant_id=tenant_id, endpoint_id=endpoint_id, active=active)
        await self.endpoints.update(
            tenant_id, endpoint_id, lambda old, hidden: check.changed(old, hidden, request, GUARD)
        )

    async def event_type(self, tenant_id: str, name: str) -> str:
        """Store an event type; return its id."""
        return str((await self.event_types.create(tenant_id, name, ""))[0]["id"])

    async def workflow(self, tenant_id: str, event_type: str, *, scope: str = "", name: str = "") -> str:
        """Store an active workflow; return its id."""
        fields = WorkflowFields(scope, name or new_id(), "", event_type, active=True)
        return (await self.workflows.create(tenant_id, fields, STOP, ""))[0].id

    async def application(self, tenant_id: str, *, most: int | None = None, external_id: str = "") -> str:
        """Store an application; return its id."""
        new = NewApplication(external_id, "Acme", {}, most, show_event_types=False)
        return str((await self.applications.create(tenant_id, new))["id"])

    async def subscribe(self, tenant_id: str, endpoint_id: str, *ids: str, rule: str | None = None) -> int:
        """Subscribe an endpoint to event types; return the number of new subscriptions."""
        return (await self.subscriptions.subscribe(tenant_id, endpoint_id, ids, rule))[0]

    async def published(self, tenant_id: str, endpoint_id: str) -> Endpoint | None:
        """Return an endpoint as the bucket has it."""
        value = (await self.bucket.newest(topology.endpoint_key(tenant_id, endpoint_id))).value
        return None if value is None else decode_endpoint(value)

    async def subscribers(self, tenant_id: str, event_type: str) -> Sequence[Subscriber]:
        """Return the subscribers of a type as the bucket has them."""
        value = (await self.bucket.newest(topology.subscribers_key(tenant_id, event_type))).value
        return () if value is None else decode_subscribers(value)

    async def subscriber_ids(self, tenant_id: str, event_type: str) -> list[str]:
        """Return the ids of the subscribers of a type as the bucket has them."""
        return [one.endpoint_id for one in await self.subscribers(tenant_id, event_type)]

    async def everything(self) -> dict[str, bytes]:
        """Return all that the bucket has of endpoints and subscribers."""
        found: dict[str, bytes] = {}
        for prefix in PREFIXES:
            async for keys in self.bucket.keys(prefix):
                found.update(await self.bucket.read(keys) if keys else {})
        return found


async def write_endpoints(pool: "asyncpg.Pool[asyncpg.Record]", connection: Client, tenant_id: str) -> None:
    """Write some of everything that is published, changed and deleted things included."""
    world = EndpointWorld(pool, connection)
    first, second, over = [await world.event_type(tenant_id, name) for name in ("order.paid", "order-sent", "over")]
    app = await world.application(tenant_id, external_id="acme")
    one = await world.create(
        tenant_id, headers={"X-Team": "a"}, auth_username="ada", config=b'{"a":[1]}', retry_delays_s=[5, 60]
    )
    two = await world.create(tenant_id, mode=endpoints_pb2.ENDPOINT_MODE_POLLED, url="", application_id=app)
    gone = await world.create(tenant_id, kind=endpoints_pb2.ENDPOINT_KIND_SLACK)
    other = await world.create(new_id(), rate_per_s=3)
    assert other not in {one, two, gone}
    for endpoint in (one, two, gone):
        await world.subscribe(tenant_id, endpoint, first, second, over)
    await world.subscribe(tenant_id, one, first, rule='{"==":[{"var":"type"},"é"]}')
    await world.endpoints.rotate_secret(tenant_id, one, "", 3600)
    await world.endpoints.rotate_secret(tenant_id, one, "", 0)
    await world.set_active(tenant_id, two, active=False)
    await world.endpoints.delete(tenant_id, gone)
    await world.event_types.delete(tenant_id, over)
    await world.workflow(tenant_id, "order.paid")
    await world.workflow(tenant_id, "UserSignup")
    await world.workflows.delete(tenant_id, await world.workflow(tenant_id, "never"))
