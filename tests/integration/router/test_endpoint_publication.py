"""What is published of endpoints: always what their tables say, whoever writes, in whatever order."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import asyncpg
import nats
import pytest
from nats.aio.client import Client

from clarion.router.v1 import endpoints_pb2
from runtime import postgres
from runtime.configuration import ConfigurationOutbox, ConfigurationWatch
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from runtime.reconcile import Reconciler
from services.domain import topology
from services.domain.endpoints import event_type_id
from services.router import configuration_sources
from services.router.endpoints import servicer
from services.router.endpoints.servicer import EndpointServicer
from services.router.endpoints.subscriptions import store as subscriptions
from services.router.endpoints.subscriptions.store import SubscriptionStore
from services.router.endpoints.writing import TenantWrites
from services.router.workflows.check import WorkflowFields
from services.router.workflows.document import Document, parse
from tests.conftest import NatsServer
from tests.integration.outboxes import PatientOutbox
from tests.integration.router.endpoint_world import GUARD, PREFIXES, EndpointWorld
from tests.waiting import end, eventually

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
TENANT, OTHER = new_id(), new_id()
# Whether somebody waits for a tenant's lock.
_WAITS = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)"


@pytest.fixture
def router(pool: Pool, connection: Client) -> EndpointWorld:
    """One router process."""
    return EndpointWorld(pool, connection)


@pytest.fixture
async def second(postgres_url: str, nats_server: NatsServer) -> AsyncIterator[EndpointWorld]:
    """Another router process, with connections of its own."""
    pool = await postgres.connect(postgres_url, name="test", size=4)
    connection = await nats.connect(nats_server.url)
    yield EndpointWorld(pool, connection)
    await connection.close()
    await pool.close()


async def _differences(pool: Pool, connection: Client) -> int:
    return (await Reconciler(pool, connection, "router", configuration_sources.SOURCES).differences()).total


class _Changes:
    """Random changes of two tenants' endpoints, some of which are refused."""

    def __init__(self, world: EndpointWorld, seed: int) -> None:
        self.world = world
        self._random = random.Random(seed)
        self._names = [f"type-{number}" for number in range(4)]
        self._types: list[tuple[str, str]] = []
        self._applications: list[tuple[str, str]] = []
        self._endpoints: list[tuple[str, str]] = []
        self._workflows: list[tuple[str, str]] = []

    async def one(self) -> None:
        """Make a change. What is gone or exists already is refused, and changes nothing."""
        kinds: list[tuple[int, Callable[[], Awaitable[object]]]] = [
            (3, self._create_type),
            (6, self._create),
            (8, self._subscribe),
            (1, self._unsubscribe),
            (3, self._enable),
            (1, self._disable),
            (1, self._rotate),
            (1, self._delete),
            (1, self._delete_type),
            (2, self._create_application),
            (1, self._delete_application),
            (3, self._create_workflow),
            (3, self._change_workflow),
            (1, self._delete_workflow),
        ]
        (change,) = self._random.choices([kind for _, kind in kinds], [weight for weight, _ in kinds])
        try:
            await change()
        except ClarionError as error:
            if error.code not in {Code.NOT_FOUND, Code.CONFLICT}:
                raise

    def _any(self, known: list[tuple[str, str]], tenant_id: str = "") -> tuple[str, str]:
        of_tenant = [one for one in known if tenant_id in {"", one[0]}]
        return self._random.choice(of_tenant) if of_tenant else (tenant_id or TENANT, new_id())

    async def _create_type(self) -> None:
        tenant_id = self._random.choice((TENANT, OTHER))
        self._types.append((tenant_id, await self.world.event_type(tenant_id, self._random.choice(self._names))))

    async def _create(self) -> None:
        tenant_id, application_id = self._any(self._applications)
        if not self._applications or self._random.random() < 0.5:
            application_id = ""
        self._endpoints.append((tenant_id, await self.world.create(tenant_id, application_id=application_id)))

    async def _create_application(self) -> None:
        self._applications.append((TENANT, await self.world.application(TENANT)))

    async def _subscribe(self) -> None:
        tenant_id, endpoint_id = self._any(self._endpoints)
        rule = self._random.choice((None, "", '{"==":[1,1]}'))
        await self.world.subscribe(tenant_id, endpoint_id, self._any(self._types, tenant_id)[1], rule=rule)

    async def _unsubscribe(self) -> None:
        tenant_id, endpoint_id = self._any(self._endpoints)
        await self.world.subscriptions.unsubscribe(tenant_id, endpoint_id, self._any(self._types, tenant_id)[1])

    async def _enable(self) -> None:
        await self.world.set_active(*self._any(self._endpoints), active=self._random.random() < 0.5)

    async def _disable(self) -> None:
        await self.world.endpoints.disable(*self._any(self._endpoints), self._random.randrange(1, 4), "failing")

    async def _rotate(self) -> None:
        await self.world.endpoints.rotate_secret(*self._any(self._endpoints), "", 3600)

    async def _delete(self) -> None:
        await self.world.endpoints.delete(*self._any(self._endpoints))

    async def _delete_type(self) -> None:
        await self.world.event_types.delete(*self._any(self._types))

    async def _delete_application(self) -> None:
        await self.world.applications.delete(*self._any(self._applications))

    async def _create_workflow(self) -> None:
        tenant_id = self._random.choice((TENANT, OTHER))
        self._workflows.append((tenant_id, await self.world.workflow(tenant_id, self._random.choice(self._names))))

    async def _change_workflow(self) -> None:
        step = b'{"steps":[{"id":"s%d","kind":"stop"}]}' % self._random.randrange(1_000_000)
        document = parse(step) if self._random.random() < 0.5 else None
        event_type, is_active = self._random.choice(self._names), self._random.random() < 0.5

        def change(old: WorkflowFields) -> tuple[WorkflowFields, Document | None]:
            return replace(old, event_type=event_type, active=is_active), document

        await self.world.workflows.update(*self._any(self._workflows), change, expected_version=0, by="")

    async def _delete_workflow(self) -> None:
        await self.world.workflows.delete(*self._any(self._workflows))


@pytest.mark.parametrize("seed", range(4))
async def test_after_any_changes_the_bucket_is_what_the_tables_say(
    router: EndpointWorld, second: EndpointWorld, pool: Pool, connection: Client, seed: int
) -> None:
    """Of two processes at a time, of two tenants; and the counts are those of the rows."""
    changes = [_Changes(router, seed), _Changes(second, seed + 100)]
    for _ in range(40):
        await asyncio.gather(*[one.one() for one in changes])
    assert await router.everything()
    assert await _differences(pool, connection) == 0
    for tenant_id in (TENANT, OTHER):
        counted = await pool.fetchrow("SELECT * FROM router.endpoint_counts WHERE tenant_id = $1", tenant_id)
        actual = {
            table: await pool.fetchval(f"SELECT count(*) FROM router.{table} WHERE tenant_id = $1", tenant_id)
            for table in ("endpoints", "event_types", "applications", "subscriptions")
        }
        assert counted is not None
        assert {name: counted[name] for name in actual} == actual
    for row in await pool.fetch(
        "SELECT t.subscribers, t.filter_bytes, count(s.*) AS rows, coalesce(sum(octet_length(s.filter)), 0) AS bytes"
        " FROM router.event_types t LEFT JOIN router.subscriptions s"
        " ON s.tenant_id = t.tenant_id AND s.event_type_id = t.id GROUP BY t.tenant_id, t.id"
    ):
        assert (row["subscribers"], row["filter_bytes"]) == (row["rows"], row["bytes"])
    assert not await pool.fetchval(
        "SELECT count(*) FROM router.applications a WHERE a.endpoints <>"
        " (SELECT count(*) FROM router.endpoints e WHERE e.tenant_id = a.tenant_id AND e.application_id = a.id)"
    )


class _HeldOutbox(PatientOutbox):
    """Waits after a change's rows are written, until it is let go."""

    def __init__(self, pool: Pool, connection: Client) -> None:
        super().__init__(pool, "router", connection)
        self.is_holding, self.go_on = asyncio.Event(), asyncio.Event()

    async def add_all(self, connection: Any, changes: Sequence[tuple[str, bytes | None]]) -> None:
        """Record changes, and wait."""
        await super().add_all(connection, changes)
        self.is_holding.set()
        await self.go_on.wait()


async def test_two_processes_never_publish_a_stale_list(
    router: EndpointWorld, second: EndpointWorld, pool: Pool, connection: Client
) -> None:
    """A change whose list is written, but not committed yet, holds up the others of its tenant, and of no other."""
    ids = [await router.create(TENANT) for _ in range(3)]
    for tenant_id in (TENANT, OTHER):
        await router.event_type(tenant_id, "order.paid")
    theirs = await router.create(OTHER)
    for tenant_id, endpoint_id in ((OTHER, theirs), *((TENANT, one) for one in ids)):
        await router.subscribe(tenant_id, endpoint_id, event_type_id(tenant_id, "order.paid"))
    held = _HeldOutbox(pool, connection)
    router.writes._outbox = held
    first = asyncio.create_task(router.set_active(TENANT, ids[0], active=False))
    await held.is_holding.wait()
    other = asyncio.create_task(second.set_active(TENANT, ids[1], active=False))

    async def waits() -> bool:
        return other.done() or bool(await pool.fetchval(_WAITS))

    await eventually(waits)
    await second.set_active(OTHER, theirs, active=False)
    held.go_on.set()
    await asyncio.gather(first, other)
    assert await router.subscriber_ids(TENANT, "order.paid") == ids[2:]
    assert await router.subscriber_ids(OTHER, "order.paid") == []


async def test_many_changes_of_one_list_at_a_time_are_all_published(
    router: EndpointWorld, second: EndpointWorld, pool: Pool, connection: Client
) -> None:
    """Endpoints subscribe, are disabled and deleted in two processes."""
    event_type = await router.event_type(TENANT, "order.paid")
    ids = [await router.create(TENANT) for _ in range(12)]
    await asyncio.gather(*[(router, second)[at % 2].subscribe(TENANT, one, event_type) for at, one in enumerate(ids)])
    assert await router.subscriber_ids(TENANT, "order.paid") == ids
    await asyncio.gather(
        *[(second, router)[at % 2].set_active(TENANT, one, active=False) for at, one in enumerate(ids[:6])],
        *[(router, second)[at % 2].endpoints.delete(TENANT, one) for at, one in enumerate(ids[6:9])],
    )
    assert await router.subscriber_ids(TENANT, "order.paid") == ids[9:]
    assert await _differences(pool, connection) == 0


async def test_all_keys_that_a_change_affects_are_written(router: EndpointWorld) -> None:
    """Disabled, enabled and deleted endpoints, deleted types and applications."""
    paid, sent = [await router.event_type(TENANT, name) for name in ("order.paid", "order.sent")]
    application_id = await router.application(TENANT)
    one, two, three = (
        await router.create(TENANT),
        await router.create(TENANT, application_id=application_id),
        await router.create(TENANT, application_id=application_id),
    )
    for endpoint_id in (one, two, three):
        await router.subscribe(TENANT, endpoint_id, paid, sent)

    async def lists() -> list[list[str]]:
        return [await router.subscriber_ids(TENANT, name) for name in ("order.paid", "order.sent")]

    assert await lists() == [[one, two, three]] * 2
    await router.set_active(TENANT, one, active=False)
    found = await router.published(TENANT, one)
    assert found is not None and not found.active  # noqa: PT018
    assert await lists() == [[two, three]] * 2
    await router.set_active(TENANT, one, active=True)
    assert await lists() == [[one, two, three]] * 2
    stored = await router.endpoints.get(TENANT, two)
    assert not await router.endpoints.disable(TENANT, two, stored.row["revision"] - 1, "gone")
    assert not await router.endpoints.disable(OTHER, two, stored.row["revision"], "gone")
    assert await router.endpoints.disable(TENANT, two, stored.row["revision"], "gone")
    assert not await router.endpoints.disable(TENANT, two, stored.row["revision"] + 1, "gone")
    assert await lists() == [[one, three]] * 2
    await router.subscriptions.unsubscribe(TENANT, three, sent)
    assert await lists() == [[one, three], [one]]
    await router.event_types.delete(TENANT, paid)
    assert await lists() == [[], [one]]
    await router.applications.delete(TENANT, application_id)
    assert [await router.published(TENANT, two), await router.published(TENANT, three)] == [None, None]
    await router.endpoints.delete(TENANT, one)
    assert await lists() == [[], []]
    assert await router.everything() == {topology.workflows_key(TENANT, "order.sent"): b"[]"}  # a type that is declared


async def test_a_copy_that_reached_a_changes_revision_has_the_change(
    router: EndpointWorld, second: EndpointWorld, connection: Client
) -> None:
    """Also when another process published it, and when there was nothing left to publish."""
    watch = ConfigurationWatch(connection, PREFIXES)
    event_type = await router.event_type(TENANT, "order.paid")
    ids = [await router.create(TENANT) for _ in range(10)]

    async def subscribe(world: EndpointWorld, endpoint_id: str) -> None:
        _, revision = await world.subscriptions.subscribe(TENANT, endpoint_id, [event_type], None)
        assert await watch.reached(revision, 30)
        value = watch.get(topology.subscribers_key(TENANT, "order.paid")) or b""
        assert endpoint_id.encode() in value

    following = asyncio.create_task(watch.run())
    try:
        await watch.ready(30)
        await asyncio.gather(*[subscribe((router, second)[at % 2], one) for at, one in enumerate(ids)])
        _, again = await router.subscriptions.subscribe(TENANT, ids[0], [event_type], None)
        assert again
        deleted = await second.endpoints.delete(TENANT, ids[0])
        assert await watch.reached(deleted, 30)
        assert watch.get(topology.endpoint_key(TENANT, ids[0])) is None
    finally:
        await end(following)


async def test_a_change_is_stored_while_the_broker_is_away(
    router: EndpointWorld, pool: Pool, connection: Client, nats_server: NatsServer
) -> None:
    """It answers revision 0, and is published with the next change."""
    event_type = await router.event_type(TENANT, "order.paid")
    one, two = await router.create(TENANT), await router.create(TENANT)
    impatient = SubscriptionStore(pool, TenantWrites(pool, ConfigurationOutbox(pool, "router", connection)))
    nats_server.kill()
    assert await impatient.subscribe(TENANT, one, [event_type], None) == (1, 0)
    nats_server.start()
    await router.subscribe(TENANT, two, event_type)
    assert await router.subscriber_ids(TENANT, "order.paid") == [one, two]


async def test_lists_have_bounds(router: EndpointWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of subscribers, subscriptions and filters; what is refused changes nothing."""
    types = [await router.event_type(TENANT, f"type-{number}") for number in range(3)]
    one, two = await router.create(TENANT), await router.create(TENANT)
    rule = '{"==":[{"var":"type"},"' + "x" * 100 + '"]}'

    async def refused(*event_types: str, rule: str | None = None) -> str:
        with pytest.raises(ClarionError) as fault:
            await router.subscribe(TENANT, two, *event_types, rule=rule)
        assert fault.value.code is Code.CONFLICT
        return fault.value.detail

    await router.subscribe(TENANT, one, types[0], rule=rule)
    for name, value, word in (
        ("MAX_SUBSCRIBERS", 1, "at most 1 subscribers"),
        ("MAX_OF_TENANT", 1, "at most 1 subscriptions"),
        ("MAX_FILTERS_OF_TYPE", len(rule) + 1, "filters of an event type"),
        ("MAX_FILTERS_OF_TENANT", len(rule) + 1, "filters of a tenant"),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(subscriptions, name, value)
            assert word in await refused(types[0], rule=rule)
    monkeypatch.setattr(subscriptions, "MAX_OF_ENDPOINT", 2)
    assert "at most 2 subscriptions" in await refused(*types)
    assert await router.subscribe(TENANT, two, *types[:2]) == 2
    assert [row["name"] for row in await router.subscriptions.list(TENANT, two)] == ["type-0", "type-1"]
    counts = await router.pool.fetchrow("SELECT * FROM router.endpoint_counts WHERE tenant_id = $1", TENANT)
    assert counts is not None
    assert (counts["subscriptions"], counts["filter_bytes"]) == (3, len(rule))


async def test_a_page_of_large_endpoints_ends_early(router: EndpointWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer stays below the size that gRPC carries; the next page goes on behind it."""
    ids = [await router.create(TENANT, description="x" * 1000) for _ in range(5)]
    monkeypatch.setattr(servicer, "_PAGE_BYTES", 3000)
    service = EndpointServicer(router.endpoints, router.subscriptions, GUARD)
    pages: list[list[str]] = []
    cursor = ""
    while not pages or cursor:
        request = endpoints_pb2.ListEndpointsRequest(tenant_id=TENANT, cursor=cursor)
        answer = await service.ListEndpoints(request, None)
        pages.append([one.id for one in answer.endpoints])
        cursor = answer.next_cursor
    assert pages == [ids[:2], ids[2:4], ids[4:]]
