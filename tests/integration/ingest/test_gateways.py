"""Two gateways before four ingest processes: one event stays one, for 24 hours; the limits are exact."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import aiohttp
import asyncpg
import pytest

from checks.client import Answer, Tenant
from services.domain import topology
from tests.conftest import NatsServer, PostgresServer
from tests.integration.ingest.clock import stopped
from tests.integration.ingest.conftest import PATIENT
from tests.integration.ingest.gateways import Door, Gateway, gateway
from tests.integration.ingest.processes import Service, StartService
from tests.streams import Streams
from tests.waiting import eventually

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

OpenDoor: TypeAlias = Callable[..., Awaitable[Door]]

INGESTS = 4
GATEWAYS = 2
LIMITED = {"CLARION_AUTH_FAILURES_PER_MINUTE": "5"}


@pytest.fixture
async def open_door(
    start: StartService, tmp_path: Path, nats_server: NatsServer, postgres_server: PostgresServer
) -> AsyncIterator[OpenDoor]:
    """Return what starts gateways before ingest processes."""
    opened: list[Gateway] = []
    timeout, connector = aiohttp.ClientTimeout(total=60), aiohttp.TCPConnector(limit=0)

    async def open_them(*, gateways: int = 1, ingests: int = 1) -> Door:
        services = await asyncio.gather(*[start("services.ingest", **PATIENT) for _ in range(ingests)])
        opened.extend(gateway(tmp_path, services, LIMITED) for _ in range(gateways))
        made = Door(opened, services, session, nats_server, postgres_server)
        await made.ready()
        return made

    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        yield open_them
    for one in opened:
        one.kill()


@pytest.fixture
async def door(open_door: OpenDoor) -> Door:
    """Two gateways before four ingest processes."""
    return await open_door(gateways=GATEWAYS, ingests=INGESTS)


def event(number: int = 0) -> dict[str, Any]:
    """An event of one order."""
    return {"eventType": "order.confirmed", "payload": {"userId": "u1"}, "variables": {"order": number}}


async def test_a_hundred_of_five_hundred(door: Door, streams: Streams, capsys: pytest.CaptureFixture[str]) -> None:
    """With a limit of 100 exactly 100 of 500 simultaneous calls pass; the others hear the contract's sentence."""
    tenant = await door.tenant(rate_limit_per_minute=100)
    answers = await asyncio.gather(*[tenant.trigger(event(number)) for number in range(500)])
    counts = Counter(answer.status for answer in answers)
    _say(capsys, f"limit 100/min, {GATEWAYS} gateways, {INGESTS} ingest processes, 500 calls at once: {dict(counts)}")
    assert counts == {200: 100, 429: 400}
    for answer in answers:
        if answer.status == 429:
            _assert_limited(answer, "Rate limit exceeded for tenant Acorn Shop. Limit: 100/min", 60)
    assert len(await streams.events()) == 100
    asked = [await _asked(one) for one in door.ingests]
    _say(capsys, f"let in and refused by each process: {asked}")
    assert sum(let_in for let_in, _ in asked) == 100
    assert sum(let_in + refused > 0 for let_in, refused in asked) > 1

    # What passed is answered as before; a limit that is raised makes room at once, one that is taken away has no end.
    passed = next(number for number, answer in enumerate(answers) if answer.status == 200)
    assert (await tenant.trigger(event(passed))).event_id == answers[passed].event_id
    await door.operator.must("PATCH", f"/tenants/{tenant.id}", json={"rate_limit_per_minute": 103, "daily_cap": 102})
    more = await asyncio.gather(*[tenant.trigger(event(1000 + number)) for number in range(10)])
    assert Counter(answer.status for answer in more) == {200: 2, 429: 8}
    full = next(answer for answer in more if answer.status == 429)
    _assert_limited(full, "Rate limit exceeded for tenant Acorn Shop. Limit: 102/day", 86_400)
    await door.operator.must("PATCH", f"/tenants/{tenant.id}", json={"rate_limit_per_minute": None, "daily_cap": None})
    assert (await tenant.trigger(event(2000))).status == 200


async def test_readyz_says_whether_events_can_be_taken(open_door: OpenDoor, streams: Streams) -> None:
    """503 with its reason while EVENTS is full, and while ingest is away; 200 by itself when triggers pass again."""
    door = await open_door()
    tenant = await door.tenant()
    assert (await tenant.trigger(event(1))).status == 200

    async def readyz() -> tuple[int, str]:
        answer = await door.http.call("GET", "/readyz")
        return answer.status, answer.body.get("reason", "")

    async def is_refused(reason: str) -> bool:
        status, said = await readyz()
        return status == 503 and reason in said

    await streams.refuse(topology.EVENTS)
    assert (await tenant.trigger(event(2))).status == 503
    await eventually(lambda: is_refused("NATS does not store in EVENTS"))
    health = (await door.http.call("GET", "/healthz")).body["dependencies"]
    assert (health["nats.events"], health["nats.deliveries"], health["nats"]) == ("unavailable", "serving", "serving")
    await streams.relent(topology.EVENTS)
    await door.ready()
    assert (await tenant.trigger(event(3))).status == 200
    door.ingests[0].kill()
    await eventually(lambda: is_refused("ingest does not answer"))
    await door.ingests[0].start()
    await door.ready()
    assert (await tenant.trigger(event(4))).status == 200


async def test_one_event_for_24_hours_whatever_is_killed(
    door: Door, streams: Streams, pool: Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    """By key and by content: the same answer at once, after kill -9 of everything, at 23:59 h; at 24:01 h a new one."""
    clock = await stopped(pool)
    tenant, other = await door.tenant(), await door.tenant()
    first = await _twice_fifty(door, tenant, other)
    assert len(await streams.events()) == 4
    _say(capsys, f"at once: 4 events asked for 50 times each: {len(await streams.events())} events")

    await eventually(lambda: _all_stored(pool, 4), 30)
    # Marks reach the disk a little later; one lost in a crash costs a repeat nothing but its way to the broker.
    await pool.execute("SELECT pg_logical_emit_message(true, 'test', '')")  # a commit that waits for all before it
    await door.kill_all()
    assert await _twice_fifty(door, tenant, other) == first
    assert len(await streams.events()) == 4
    _say(capsys, f"after kill -9 of {GATEWAYS} gateways, {INGESTS} ingest, NATS and PostgreSQL: 4 events")

    await eventually(lambda: _all_stored(pool, 4), 30)
    await streams.forget()  # the broker's ten minutes are over long before
    await clock.forward(hours=23, minutes=59)
    assert await _twice_fifty(door, tenant, other) == first
    _say(capsys, f"at 23:59 h: {len(await streams.events())} new events")
    assert await streams.events() == []

    await clock.forward(minutes=2)
    anew = await _twice_fifty(door, tenant, other)
    _say(capsys, f"at 24:01 h: {len(await streams.events())} new events")
    assert len(await streams.events()) == 4
    assert not set(anew) & set(first)


async def test_the_content_key_of_the_contract_s_letter(open_door: OpenDoor) -> None:
    """A tenant may choose it: two orders of one user are then one event; chosen back, they are two."""
    door = await open_door()
    tenant = await door.tenant(content_key="seed")
    one, other = await tenant.accept(event(1)), await tenant.accept(event(2))
    assert one == other
    assert await tenant.accept(event(2), headers={"X-Idempotency-Key": "another"}) != one
    await door.operator.must("PATCH", f"/tenants/{tenant.id}", json={"content_key": "full"})

    async def two() -> bool:
        return await tenant.accept(event(1)) != await tenant.accept(event(2))

    await eventually(two)


async def test_failures_are_limited_by_address(open_door: OpenDoor) -> None:
    """Of wrong keys five a minute get 401, the rest 429 in the contract's shape; every valid credential is let in."""
    door = await open_door()
    tenant = await door.tenant()
    one = door.http
    await tenant.accept(event(1))
    answers = [await Tenant(one, tenant.id, f"guess-{number}").trigger(event()) for number in range(8)]
    assert [answer.status for answer in answers] == [401] * 5 + [429] * 3
    _assert_limited(
        answers[-1], "Too many failed authentications from this address. Try again later, or send a valid key.", 61
    )
    await tenant.accept(event(2))
    assert (await door.operator.call("GET", "/tenants")).status == 200
    # A key that this gateway has never seen, from the address whose failures are spent.
    await (await door.tenant()).accept(event(3))
    forged = await Tenant(one, tenant.id, "guess").trigger(event(), headers={"X-Forwarded-For": "203.0.113.9"})
    assert forged.status == 429
    wrong = await one.call("GET", "/api/v1/admin/tenants", headers={"Authorization": "Bearer wrong"})
    assert (wrong.status, wrong.body["type"]) == (429, "urn:clarion:problem:limited")
    assert (await door.operator.call("GET", "/tenants")).status == 200


async def _twice_fifty(door: Door, tenant: Tenant, other: Tenant) -> list[str]:
    """Ask for four events, 50 times each at once; return their ids, of which each must be one."""
    named = {"X-Idempotency-Key": "order-1"}
    kinds = [(tenant, named), (tenant, None), (other, named), (other, None)]
    ids = []
    for one, headers in kinds:
        answers = await asyncio.gather(*[one.trigger(event(), headers=headers) for _ in range(50)])
        assert {answer.status for answer in answers} == {200}, answers[0].body
        assert len({str(answer.body) for answer in answers}) == 1
        [event_id] = {answer.event_id for answer in answers}
        ids.append(event_id)
    assert len(set(ids)) == len(ids)
    return ids


def _assert_limited(answer: Answer, message: str, longest: int) -> None:
    wait = answer.body["retryAfter"]
    assert answer.body == {"statusCode": 429, "error": "Too Many Requests", "message": message, "retryAfter": wait}
    assert answer.headers["Retry-After"] == str(wait)
    assert 1 <= wait <= longest


async def _asked(ingest: Service) -> tuple[int, int]:
    """Return how many events a process let in, and how many it refused, by its log."""
    text = await asyncio.to_thread(ingest.log.read_text)
    return text.count('"event":"event"'), text.count('"event":"event_refused"')


async def _all_stored(pool: Pool, number: int) -> bool:
    try:
        return bool(await pool.fetchval("SELECT count(*) = $1 FROM ingest.admission WHERE stored", number))
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False


def _say(capsys: pytest.CaptureFixture[str], text: str) -> None:
    with capsys.disabled():
        print(f"\n  {text}", end="", flush=True)
