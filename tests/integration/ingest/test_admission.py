"""Admission over several processes: one key, one event; the quota to the last event; with a server away."""

import asyncio
from itertools import cycle
from typing import TypeAlias

import asyncpg
import pytest

from clarion.common.v1 import error_pb2
from clarion.ingest.v1 import ingest_pb2, tenants_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from tests.conftest import NatsServer, PostgresServer
from tests.integration.ingest.conftest import Ingest, new_event
from tests.streams import Streams
from tests.waiting import eventually

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


async def test_a_hundred_at_once_with_one_key(pair: list[Ingest], streams: Streams) -> None:
    """Over several processes there is one event and one id in all answers, and one answer is not a duplicate."""
    tenant = (await pair[0].tenant()).tenant
    calls = [ingest.accept(tenant.id, new_event("k")) for ingest, _ in zip(cycle(pair), range(100), strict=False)]
    answers = [results[0].accepted for results in await asyncio.gather(*calls)]
    events = await streams.events()
    assert [event.id for event in events] == [answers[0].event_id]
    assert {answer.event_id for answer in answers} == {events[0].id}
    assert sum(not answer.duplicate for answer in answers) == 1


async def test_keys_belong_to_their_tenant_and_kind(pair: list[Ingest], streams: Streams) -> None:
    """The same key of another tenant is another event, and so is a key that reads like another event's content."""
    one, other = [(await pair[0].tenant()).tenant.id for _ in range(2)]
    content = new_event()
    spelled = new_event(key="content" + one + content.event_type)
    for tenant_id in (one, other):
        for event in (new_event("k"), content, spelled):
            [first], [again] = [await ingest.accept(tenant_id, event) for ingest in pair]
            assert (first.accepted.duplicate, again.accepted.duplicate) == (False, True)
            assert first.accepted.event_id == again.accepted.event_id
    assert len(await streams.events()) == 6


async def test_the_quota_is_exact(pair: list[Ingest], streams: Streams, pool: Pool) -> None:
    """Of 300 events over two processes exactly 50 are accepted; the others leave nothing behind."""
    tenant = (await pair[0].tenant(max_unfinished_events=50)).tenant
    calls = [
        ingest.accept(tenant.id, *[new_event(f"{turn}-{number}") for number in range(5)])
        for turn, ingest in zip(range(60), cycle(pair), strict=False)
    ]
    results = [result for answer in await asyncio.gather(*calls) for result in answer]
    refused = [result.error for result in results if result.HasField("error")]
    assert len(refused) == 250
    assert {error.code for error in refused} == {error_pb2.ERROR_CODE_LIMITED}
    assert all(error.retry_after_s > 0 for error in refused)
    assert len(await streams.events()) == 50
    assert await _backlog(pool, tenant.id) == 50
    assert await pool.fetchval("SELECT count(*) FROM ingest.admission") == 50


async def test_a_refused_key_stays_refused(pair: list[Ingest], streams: Streams) -> None:
    """Many calls with one key beyond the quota: none is admitted as another's repeat; duplicates use no quota."""
    tenant = (await pair[0].tenant(max_unfinished_events=1)).tenant
    [first] = await pair[0].accept(tenant.id, new_event("within"))
    for _ in range(10):
        calls = [ingest.accept(tenant.id, new_event("past")) for ingest in pair * 4]
        answers = [results[0] for results in await asyncio.gather(*calls)]
        assert {answer.error.code for answer in answers} == {error_pb2.ERROR_CODE_LIMITED}
    [again] = await pair[1].accept(tenant.id, new_event("within"))
    assert again.accepted == ingest_pb2.Accepted(
        event_id=first.accepted.event_id, duplicate=True, first_type="order.confirmed"
    )
    assert len(await streams.events()) == 1


async def test_room_that_is_made_is_room(ingest: Ingest) -> None:
    """A quota that the operator raises applies at once."""
    tenant = (await ingest.tenant(max_unfinished_events=1)).tenant
    await ingest.accept(tenant.id, new_event("1"))
    [refused] = await ingest.accept(tenant.id, new_event("2"))
    assert refused.HasField("error")
    request = tenants_pb2.UpdateTenantRequest(tenant_id=tenant.id, max_unfinished_events=2)
    await ingest.call("TenantService.UpdateTenant", request)
    [accepted] = await ingest.accept(tenant.id, new_event("2"))
    assert not accepted.accepted.duplicate


async def test_no_answer_before_the_broker_has_it(
    ingest: Ingest, streams: Streams, nats_server: NatsServer, pool: Pool
) -> None:
    """NATS away: UNAVAILABLE with a pending row; back again: the repeat is the one event, under the row's id."""
    tenant = (await ingest.tenant()).tenant
    nats_server.kill()
    [refused] = await ingest.accept(tenant.id, new_event("k"))
    assert refused.error.code == error_pb2.ERROR_CODE_UNAVAILABLE
    assert refused.error.retry_after_s > 0
    row = await pool.fetchrow("SELECT event_id, stored FROM ingest.admission")
    assert row is not None
    assert not row["stored"]
    await asyncio.to_thread(nats_server.start)
    results = await asyncio.gather(*[_accepted(ingest, tenant.id, "k") for _ in range(5)])
    assert {result.event_id for result in results} == {str(row["event_id"])}
    assert [event.id for event in await streams.events()] == [str(row["event_id"])]
    await eventually(lambda: pool.fetchval("SELECT stored FROM ingest.admission"))


async def test_a_stored_key_is_answered_from_its_row(ingest: Ingest, streams: Streams, pool: Pool) -> None:
    """After the broker's window the row finds the duplicate; after 24 hours the key is free."""
    tenant = (await ingest.tenant()).tenant
    first = await _accepted(ingest, tenant.id, "k")
    await eventually(lambda: pool.fetchval("SELECT stored FROM ingest.admission"))
    await streams.forget()
    again = await _accepted(ingest, tenant.id, "k")
    assert (again.event_id, again.duplicate) == (first.event_id, True)
    assert await streams.events() == []
    await pool.execute(
        "UPDATE ingest.admission SET created_at = created_at - interval '24 hours 1 second',"
        " expires_at = expires_at - interval '24 hours 1 second'"
    )
    anew = await _accepted(ingest, tenant.id, "k")
    assert not anew.duplicate
    assert anew.event_id != first.event_id


async def test_without_postgres(
    pair: list[Ingest], streams: Streams, postgres_server: PostgresServer, pool: Pool
) -> None:
    """Events are accepted, the broker alone keeps them single; the ledger brings rows and the quota up to date."""
    tenant = (await pair[0].tenant()).tenant
    postgres_server.kill()
    try:
        calls = [_accepted(ingest, tenant.id, key) for ingest in pair for key in ("a", "b") * 4]
        answers = await asyncio.gather(*calls)
    finally:
        postgres_server.start()  # in this thread: the server ends with the thread that starts it
    events = await streams.events()
    assert len(events) == 2
    assert {answer.event_id for answer in answers} == {event.id for event in events}
    assert sum(not answer.duplicate for answer in answers) == 2

    async def rows() -> bool:
        found = await pool.fetch("SELECT event_id FROM ingest.admission WHERE stored")
        return {str(row["event_id"]) for row in found} == {event.id for event in events}

    await eventually(rows)


async def test_without_postgres_each_process_keeps_the_quota(
    pair: list[Ingest], streams: Streams, postgres_server: PostgresServer
) -> None:
    """Each process admits each tenant's quota, counted from the start of the outage."""
    created = await pair[0].tenant(max_unfinished_events=3)
    tenant, neighbour = created.tenant, (await pair[0].tenant()).tenant
    postgres_server.kill()
    try:
        for ingest in pair:
            await eventually(lambda ingest=ingest: _is_known(ingest, created.api_key))  # from its copy alone
            results = await ingest.accept(tenant.id, *[new_event(new_id()) for _ in range(5)])
            assert [result.WhichOneof("result") for result in results] == ["accepted"] * 3 + ["error"] * 2
            assert results[-1].error.code == error_pb2.ERROR_CODE_LIMITED
            await _accepted(ingest, neighbour.id, new_id())
    finally:
        postgres_server.start()
    assert len(await streams.events()) == 8


async def test_a_row_lost_or_never_written_is_put_right(ingest: Ingest, streams: Streams, pool: Pool) -> None:
    """If PostgreSQL lost the row and the broker knows the id, the repeat's row names the first event for 24 hours."""
    tenant = (await ingest.tenant()).tenant
    first = await _accepted(ingest, tenant.id, "k")
    await eventually(lambda: pool.fetchval("SELECT stored FROM ingest.admission"))
    await pool.execute("DELETE FROM ingest.admission")
    again = await _accepted(ingest, tenant.id, "k")
    assert (again.event_id, again.duplicate) == (first.event_id, True)
    await streams.forget()
    later = await _accepted(ingest, tenant.id, "k")
    assert (later.event_id, later.duplicate) == (first.event_id, True)
    assert await streams.events() == []


async def test_a_postgres_that_hangs_holds_nobody_up_for_long(ingest: Ingest, streams: Streams, pool: Pool) -> None:
    """Admission gives up waiting for a lock and goes on without: the event is accepted while somebody holds it."""
    tenant = (await ingest.tenant()).tenant
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE ingest.admission")
        accepted = await _accepted(ingest, tenant.id, "k")
    assert [event.id for event in await streams.events()] == [accepted.event_id]


async def test_nonsense_from_a_caller_spares_its_neighbours(ingest: Ingest) -> None:
    """Each item has its own answer; more than 512 are refused as a whole."""
    tenant = (await ingest.tenant()).tenant
    results = await ingest.accept(tenant.id, new_event("1"), ingest_pb2.NewEvent(), new_event("2"))
    assert [result.WhichOneof("result") for result in results] == ["accepted", "error", "accepted"]
    assert results[1].error.code == error_pb2.ERROR_CODE_INVALID
    [nobody] = await ingest.accept("not-a-tenant", new_event("3"))
    assert nobody.error.code == error_pb2.ERROR_CODE_INVALID
    with pytest.raises(ClarionError) as refused:
        await ingest.accept(tenant.id, *[new_event(str(number)) for number in range(513)])
    assert refused.value.code is Code.INVALID


async def _is_known(ingest: Ingest, key: str) -> bool:
    try:
        await ingest.call("IngestService.Authenticate", ingest_pb2.AuthenticateRequest(api_key=key))
    except ClarionError:
        return False
    return True


async def _accepted(ingest: Ingest, tenant_id: str, key: str) -> ingest_pb2.Accepted:
    [result] = await ingest.accept(tenant_id, new_event(key))
    assert result.HasField("accepted"), result
    return result.accepted


async def _backlog(pool: Pool, tenant_id: str) -> int:
    found: int = await pool.fetchval("SELECT unfinished FROM ingest.backlog WHERE tenant_id = $1", tenant_id)
    return found
