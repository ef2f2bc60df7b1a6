"""A tenant's budget of bytes: exact over processes, released as events finish, smaller while a stream is crowded."""

import asyncio
from typing import TypeAlias

import asyncpg
import pytest

from clarion.common.v1 import error_pb2, event_pb2, trace_pb2
from runtime.ids import new_id
from services.ingest.admission import PostgresAdmission
from services.ingest.ledger.record import merge
from services.ingest.ledger.store import LedgerStore
from services.ingest.ports import AdmissionVerdict, Claim, LimitKind, Reached, TenantSettings
from services.ingest.pressure import Pressure
from services.ingest.retries.store import RetryStore
from tests.integration.ingest import builders
from tests.integration.ingest.builders import DEAD, QUEUED, SENT, SKIPPED
from tests.integration.ingest.conftest import Ingest, new_event
from tests.waiting import eventually

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
TENANT, OTHER = new_id(), new_id()


@pytest.fixture
async def tenants(pool: Pool) -> None:
    """Two with a budget of 1,000 bytes each, less than the admin API allows."""
    for tenant_id in (TENANT, OTHER):
        await builders.insert_tenant(pool, tenant_id, unfinished=0)
    await pool.execute("UPDATE ingest.tenants SET max_unfinished_bytes = 1000")


def door(pool: Pool, pressure: Pressure | None = None) -> PostgresAdmission:
    """One process's admission."""
    return PostgresAdmission(pool, lambda _: TenantSettings(), pressure)


async def let_in(doors: list[PostgresAdmission], sizes: list[int], tenant_id: str = TENANT) -> list[int]:
    """Admit events of these sizes at once, over both processes; return the sizes that were admitted."""
    admitted = await asyncio.gather(
        *[
            doors[n % len(doors)].admit(Claim(tenant_id, new_id().encode(), new_id(), size))
            for n, size in enumerate(sizes)
        ]
    )
    return [size for size, one in zip(sizes, admitted, strict=True) if one.verdict is AdmissionVerdict.NEW]


async def used(pool: Pool, tenant_id: str = TENANT) -> tuple[int, int]:
    """Events and bytes that count as unfinished."""
    row = await pool.fetchrow("SELECT unfinished, unfinished_bytes FROM ingest.backlog WHERE tenant_id = $1", tenant_id)
    assert row is not None
    return row["unfinished"], row["unfinished_bytes"]


@pytest.mark.usefixtures("tenants")
async def test_the_budget_is_exact_over_processes(pool: Pool) -> None:
    """The budget is exact for simultaneous calls; a refused event counts nothing and names the limit."""
    doors = [door(pool) for _ in range(3)]
    assert len(await let_in(doors, [100] * 60)) == 10
    assert await used(pool) == (10, 1000)
    refused = await doors[0].admit(Claim(TENANT, b"k", new_id(), 1))
    assert (refused.verdict, refused.reached) == (AdmissionVerdict.LIMITED, Reached(LimitKind.BYTES, 1000))
    assert await let_in(doors, [100] * 20, OTHER) == [100] * 10


@pytest.mark.usefixtures("tenants")
async def test_the_first_that_fit_are_let_in(pool: Pool) -> None:
    """In their order: an event after one that does not fit is refused, too."""
    assert await let_in([door(pool)], [600, 300, 200, 100]) == [600, 300]
    assert await used(pool) == (2, 900)
    assert await let_in([door(pool)], [100]) == [100]


@pytest.mark.usefixtures("tenants")
async def test_a_duplicate_costs_nothing(pool: Pool) -> None:
    """A known key takes no room, even if none is left."""
    one = door(pool)
    assert (await one.admit(Claim(TENANT, b"k", new_id(), 1000))).verdict is AdmissionVerdict.NEW
    assert (await one.admit(Claim(TENANT, b"k", new_id(), 1000))).verdict is AdmissionVerdict.PENDING
    assert await used(pool) == (1, 1000)


@pytest.mark.usefixtures("tenants")
async def test_while_streams_are_crowded_the_budget_is_smaller(pool: Pool) -> None:
    """A tenant with much unfinished is refused, one with little is admitted."""
    pressure = Pressure()
    one = door(pool, pressure)
    assert await let_in([one], [100] * 5) == [100] * 5
    pressure.record("TIMERS", 70, 100)
    assert await let_in([one], [100]) == []
    assert await let_in([one], [100] * 6, OTHER) == [100] * 5
    pressure.record("TIMERS", 10, 100)
    assert await let_in([one], [100]) == [100]


@pytest.mark.usefixtures("tenants")
async def test_what_is_finished_gives_its_room_back(pool: Pool) -> None:
    """Released in the group that finishes the event, or in a later one, and once for a record that is read twice."""
    store = LedgerStore(pool, pool)
    whole, in_parts = builders.event(TENANT, weight=300), builders.event(TENANT, weight=500)
    await pool.execute("UPDATE ingest.backlog SET unfinished = 3, unfinished_bytes = 1000 WHERE tenant_id = $1", TENANT)
    end: list[event_pb2.Event | trace_pb2.TraceRecord] = [
        whole,
        builders.routed(whole, {builders.delivery_id(whole): SKIPPED}),
    ]
    for _ in range(2):
        await store.write(merge(end))
        assert await used(pool) == (2, 700)
    id_ = builders.delivery_id(in_parts)
    await store.write(merge([in_parts, builders.routed(in_parts, {id_: QUEUED})]))
    assert await used(pool) == (2, 700)
    await store.write(merge([builders.attempted(in_parts, id_, SENT)]))
    assert await used(pool) == (1, 200)


@pytest.mark.usefixtures("tenants")
async def test_a_replayed_dead_letter_takes_its_room_again(pool: Pool) -> None:
    """The event is unfinished again."""
    store = LedgerStore(pool, pool)
    event = builders.event(TENANT, weight=400)
    id_ = builders.delivery_id(event)
    await store.write(merge([event, builders.routed(event, {id_: QUEUED}), builders.attempted(event, id_, DEAD)]))
    assert await used(pool) == (0, 0)

    async def publish(_: object) -> None:
        """Nowhere."""

    assert await RetryStore(pool, pool).replay(id_, publish)
    assert await used(pool) == (1, 400)


@pytest.mark.usefixtures("tenants")
async def test_a_drifted_count_of_bytes_is_put_right(pool: Pool) -> None:
    """From the ledger's unfinished events, and keys admitted within the last minute."""
    store = LedgerStore(pool, pool)
    await store.write(merge([builders.event(TENANT, weight=400)]))
    await door(pool).admit(Claim(TENANT, b"k", new_id(), 50))
    await pool.execute("UPDATE ingest.backlog SET unfinished_bytes = 999 WHERE tenant_id = $1", TENANT)
    await store.tidy(recount=True)
    assert await used(pool) == (2, 450)


async def test_past_its_budget_a_tenant_is_told_so(ingest: Ingest, pool: Pool) -> None:
    """The answer says when to try again; other tenants are not affected."""
    tenant, neighbour = (await ingest.tenant()).tenant, (await ingest.tenant()).tenant
    assert tenant.max_unfinished_bytes == 256 * 2**20
    await pool.execute(
        "UPDATE ingest.backlog SET unfinished_bytes = 256 * 1048576 - 300000 WHERE tenant_id = $1", tenant.id
    )
    large = b'{"a":"' + b"x" * 250_000 + b'"}'
    results = [
        (await ingest.accept(owner, new_event(new_id(), variables=large)))[0]
        for owner in (tenant.id, tenant.id, neighbour.id)
    ]
    assert [result.WhichOneof("result") for result in results] == ["accepted", "error", "accepted"]
    assert results[1].error.code == error_pb2.ERROR_CODE_LIMITED
    assert "take too much space: more than 256 MiB" in results[1].error.detail
    assert results[1].error.retry_after_s == 5
    await eventually(lambda: _is_kept(pool, 250_000))


async def _is_kept(pool: Pool, size: int) -> bool:
    """Tell whether the ledger counts the sizes of both events."""
    sizes = await pool.fetch("SELECT size FROM ingest.events")
    return len(sizes) == 2 and all(row["size"] > size for row in sizes)
