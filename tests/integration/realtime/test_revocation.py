"""Revoked for good: pages are closed, the hub's memory is emptied; a recipient's inbox is shown, erased, expired."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import asyncpg
import jwt
import pytest
from cent import AsyncClient, PublishRequest
from nats.aio.client import Client

from clarion.realtime.v1 import privacy_pb2, realtime_pb2
from runtime.bucket import ConfigurationBucket
from services.domain import topology
from services.realtime.guard import HubGuard
from services.realtime.hub import MAX_BATCH, CentrifugoHub
from services.realtime.ports import InboxEntry
from services.realtime.privacy import PrivacyStore
from services.realtime.probe import probe
from services.realtime.store import EpochStore, InboxStore
from services.realtime.tokens import Tokens
from tests.contract.hub.servers import Server
from tests.contract.hub.wire import Closed, Wire, connected
from tests.integration.outboxes import PatientOutbox
from tests.integration.realtime.conftest import API_KEY, TOKEN_SECRET, CreateHub, Service, StartRealtime
from tests.keyed import KEYED
from tests.statement_timeouts import refuse_short_timeouts
from tests.waiting import eventually

DAY_US = 86_400 * 1_000_000
FORCE_DISCONNECT = 3503


@asynccontextmanager
async def closing_hub(hub: Server, api_key: str = API_KEY) -> AsyncIterator[CentrifugoHub]:
    """The service's way to the hub, without the service."""
    client = CentrifugoHub(hub.http_url, api_key, HubGuard(lambda: probe(hub.http_url, TOKEN_SECRET)))
    try:
        yield client
    finally:
        await client.close()


async def _token(service: Service, tenant_id: str, user_id: str) -> realtime_pb2.IssueTokenResponse:
    request = realtime_pb2.IssueTokenRequest(tenant_id=tenant_id, user_id=user_id)
    answer: realtime_pb2.IssueTokenResponse = await service.call("IssueToken", request)
    return answer


async def _publish(hub: Server, channel: str, data: str) -> None:
    client = AsyncClient(f"{hub.http_url}/api", API_KEY)
    try:
        await client.publish(PublishRequest(channel=channel, data=data))
    finally:
        await client.close()


async def _nobody_listens(hub: Server) -> None:
    """Wait until the hub has taken notice of closed connections."""
    async with closing_hub(hub) as client:

        async def is_so() -> bool:
            return await client.channels("") == []

        await eventually(is_so)


async def _subscribe(wire: Wire, channel: str, **more: Any) -> dict[str, Any]:
    answer = await wire.ask({"id": 2, "subscribe": {"channel": channel, **more}})
    assert isinstance(answer, dict)
    return answer


def _entry(tenant_id: str, user_id: str, *, age_days: float = 0) -> InboxEntry:
    created = time.time_ns() // 1000 - int(age_days * DAY_US)
    return InboxEntry(str(uuid.uuid4()), tenant_id, user_id, str(uuid.uuid4()), "order.paid", "Paid", "Thanks", created)


async def test_every_page_of_a_tenant_is_closed_and_no_other(
    start_realtime: StartRealtime, hub: Server, session: aiohttp.ClientSession
) -> None:
    """Three users' pages end with a code that forbids coming back; another tenant's stays and goes on receiving."""
    service = await start_realtime(hub)
    users = [("t1", "u1"), ("t1", "u2"), ("t1", "x,y"), ("t2", "u1")]
    issued = [await _token(service, *user) for user in users]
    async with AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(connected(session, hub, one.token)) for one in issued]
        for wire, one in zip(wires, issued, strict=True):
            await _subscribe(wire, one.channels[0])
        answer = await service.call("RevokeTokens", realtime_pb2.RevokeTokensRequest(tenant_id="t1"))
        assert answer.disconnected == 3
        for wire in wires[:3]:
            closed = await wire.next()
            assert isinstance(closed, Closed)
            assert closed.code == FORCE_DISCONNECT
        await _publish(hub, issued[3].channels[0], "still here")
        frame: Any = await wires[3].next()
        assert frame["push"]["pub"]["data"] == "still here"


async def test_a_revoked_token_cannot_even_recover_what_was_published_before(
    start_realtime: StartRealtime, hub: Server, session: aiohttp.ClientSession
) -> None:
    """It still connects until it ends, and asks for the history from its very start: there is none."""
    service = await start_realtime(hub)
    old = await _token(service, "t1", "u1")
    async with connected(session, hub, old.token) as wire:
        start = await _subscribe(wire, old.channels[0])
    epoch = start["subscribe"]["epoch"]
    await _publish(hub, old.channels[0], "secret")
    async with connected(session, hub, old.token) as wire:
        before = await _subscribe(wire, old.channels[0], recover=True, epoch=epoch, offset=0)
        assert [pub["data"] for pub in before["subscribe"]["publications"]] == ["secret"]
        await service.call("RevokeTokens", realtime_pb2.RevokeTokensRequest(tenant_id="t1", user_id="u1"))
    async with connected(session, hub, old.token) as wire:
        after = await _subscribe(wire, old.channels[0], recover=True, epoch=epoch, offset=0)
    assert not after["subscribe"].get("publications")


async def test_a_tenants_absent_users_have_no_history_either(
    start_realtime: StartRealtime,
    hub: Server,
    session: aiohttp.ClientSession,
    pool: "asyncpg.Pool[asyncpg.Record]",
) -> None:
    """Nobody listens at the moment of revocation; who was sent a push lately is known from the inbox."""
    service = await start_realtime(hub)
    old = await _token(service, "t1", "u1")
    async with connected(session, hub, old.token) as wire:
        epoch = (await _subscribe(wire, old.channels[0]))["subscribe"]["epoch"]
    await _publish(hub, old.channels[0], "secret")
    await InboxStore(pool).keep(_entry("t1", "u1"))
    await _nobody_listens(hub)
    answer = await service.call("RevokeTokens", realtime_pb2.RevokeTokensRequest(tenant_id="t1"))
    assert answer.disconnected == 0
    async with connected(session, hub, old.token) as wire:
        after = await _subscribe(wire, old.channels[0], recover=True, epoch=epoch, offset=0)
    assert not after["subscribe"].get("publications")


async def test_revoked_while_the_hub_is_away(start_realtime: StartRealtime, hub: Server) -> None:
    """The tokens are useless all the same, and the answer says that pages may be open still."""
    service = await start_realtime(hub)
    old = await _token(service, "t1", "u1")
    hub.kill()
    answer = await service.call("RevokeTokens", realtime_pb2.RevokeTokensRequest(tenant_id="t1"))
    assert answer.disconnected == -1
    assert set((await _token(service, "t1", "u1")).channels).isdisjoint(old.channels)


@pytest.mark.parametrize(("refused", "done"), [("nosuch:orders#p1", True), ("", False)], ids=["nothing-there", "bad"])
async def test_one_refused_command_stops_no_other(
    hub: Server, session: aiohttp.ClientSession, refused: str, *, done: bool
) -> None:
    """Neither in its own batch nor in the next; False only where something is left to do."""
    tokens = Tokens(TOKEN_SECRET)
    async with closing_hub(hub) as client, connected(session, hub, tokens.issue("p1")) as wire:
        epoch = (await _subscribe(wire, "orders#p1"))["subscribe"]["epoch"]
        await _publish(hub, "orders#p1", "secret")
        await wire.next(30)
        assert await client.end(["p1"], [refused] * (MAX_BATCH + 1) + ["orders#p1"]) is done
        closed = await wire.next(30)
        assert isinstance(closed, Closed)
        assert closed.code == FORCE_DISCONNECT
    async with connected(session, hub, tokens.issue("p1")) as wire:
        after = await _subscribe(wire, "orders#p1", recover=True, epoch=epoch, offset=0)
    assert not after["subscribe"].get("publications")


async def test_a_hub_that_refuses_all_or_is_away_is_told_apart_from_success(hub: Server) -> None:
    """A wrong key, and nobody there: not done, and no exception."""
    async with closing_hub(hub, "another-key") as client:
        assert not await client.end(["p1"], ["orders#p1"])
    hub.kill()
    async with closing_hub(hub) as client:
        assert not await client.end(["p1"], ["orders#p1"])


async def test_a_hub_without_history_prevents_no_erasure(
    start_realtime: StartRealtime,
    create_hub: CreateHub,
    session: aiohttp.ClientSession,
    pool: "asyncpg.Pool[asyncpg.Record]",
) -> None:
    """It answers history_remove with 108: the pages are closed, and the inbox is emptied."""
    hub = create_hub(
        channel={"without_namespace": {"history_size": 0, "history_ttl": "0s", "force_recovery": False}},
    )
    hub.start()
    service = await start_realtime(hub)
    issued = await _token(service, "t1", "u1")
    entry = _entry("t1", "u1")
    await InboxStore(pool).keep(entry)
    async with connected(session, hub, issued.token) as wire:
        await _subscribe(wire, issued.channels[0])
        answer = await service.call("RevokeTokens", realtime_pb2.RevokeTokensRequest(tenant_id="t1", user_id="u1"))
        assert answer.disconnected == 1
        assert isinstance(await wire.next(30), Closed)
    request = privacy_pb2.EraseRecipientRequest(tenant_id="t1", user_id="u1", until_us=entry.created_at_us)
    assert (await service.call("EraseRecipient", request)).notifications == 1


async def test_a_token_lasts_as_long_as_it_is_told(start_realtime: StartRealtime, hub: Server) -> None:
    """CLARION_TOKEN_LIFETIME_S, in the token's own claims."""
    service = await start_realtime(hub, CLARION_TOKEN_LIFETIME_S="90")
    claims = jwt.decode((await _token(service, "t1", "u1")).token, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 90


async def test_one_recipient_is_erased_and_nobody_else(
    start_realtime: StartRealtime, hub: Server, pool: "asyncpg.Pool[asyncpg.Record]"
) -> None:
    """The inbox until the moment, in bounded batches; the tokens with it. Again: nothing more to do."""
    service = await start_realtime(hub)
    inbox = InboxStore(pool)
    old = await _token(service, "t1", "u1")
    mine = [_entry("t1", "u1", age_days=1) for _ in range(1500)]
    later = _entry("t1", "u1")
    others = [_entry("t1", "u2"), _entry("t2", "u1")]
    await asyncio.gather(*[inbox.keep(entry) for entry in [*mine, later, *others]])
    request = privacy_pb2.EraseRecipientRequest(tenant_id="t1", user_id="u1", until_us=later.created_at_us - 1)
    first = await service.call("EraseRecipient", request)
    assert (first.notifications, first.more) == (1500, False)
    assert (await service.call("EraseRecipient", request)).notifications == 0
    kept = await pool.fetch("SELECT id FROM realtime.inbox")
    assert {str(row["id"]) for row in kept} == {later.id, *(other.id for other in others)}
    assert set((await _token(service, "t1", "u1")).channels).isdisjoint(old.channels)


async def test_the_whole_inbox_is_exported_page_by_page(
    start_realtime: StartRealtime, hub: Server, pool: "asyncpg.Pool[asyncpg.Record]"
) -> None:
    """Each row once, newest first, with what was read when; another user's are not in it."""
    service = await start_realtime(hub)
    inbox = InboxStore(pool)
    mine = [_entry("t1", "u1", age_days=number) for number in range(5)]
    await asyncio.gather(*[inbox.keep(entry) for entry in [*mine, _entry("t1", "u2")]])
    await inbox.mark_read("t1", "u1", mine[2].id)
    found: list[privacy_pb2.ExportedNotification] = []
    cursor = ""
    while True:
        request = privacy_pb2.ExportNotificationsRequest(tenant_id="t1", user_id="u1", cursor=cursor, limit=2)
        answer = await service.call("ExportNotifications", request)
        found += answer.notifications
        cursor = answer.next_cursor
        if not cursor:
            break
    assert [one.id for one in found] == [entry.id for entry in mine]
    assert [bool(one.read_at_us) for one in found] == [False, False, True, False, False]
    assert (found[0].title, found[0].event_id) == ("Paid", mine[0].event_id)


async def test_each_tenants_inbox_is_kept_for_its_own_days(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """Default 10 days; one tenant keeps 2, another 50. What is younger stays, however often one looks.

    The statement is given half a minute, though the pool gives it five seconds.
    """
    inbox, store = InboxStore(pool), PrivacyStore(pool)
    entries = {
        (tenant, age): _entry(tenant, "u1", age_days=age) for tenant in ("t1", "t2", "t3") for age in (1, 5, 20, 60)
    }
    await asyncio.gather(*[inbox.keep(entry) for entry in entries.values()])
    await refuse_short_timeouts(pool, "realtime.inbox")
    for _ in range(2):
        assert not await store.expire(10, {"t2": 2, "t3": 50})
    kept = {str(row["id"]) for row in await pool.fetch("SELECT id FROM realtime.inbox")}
    wanted = {("t1", 1), ("t1", 5), ("t2", 1), ("t3", 1), ("t3", 5), ("t3", 20)}
    assert kept == {entries[one].id for one in wanted}


async def test_an_epoch_goes_when_no_token_of_before_can_live(
    pool: "asyncpg.Pool[asyncpg.Record]", connection: Client
) -> None:
    """26 hours after a token of it was last issued: row, key and note go. Its number never comes again."""
    epochs, bucket = EpochStore(pool, PatientOutbox(pool, "realtime", connection)), ConfigurationBucket(connection)
    ada, bob, tenant = ("t1", KEYED.revocation("t1", "ada")), ("t1", KEYED.revocation("t1", "bob")), ("t1", "")
    for one in (ada, bob, tenant):
        await epochs.raise_epoch(*one)
    a_day = "UPDATE realtime.revocations SET used_at = now() - interval '25 hours 59 minutes', epoch = epoch - 93540"
    await pool.execute(f"{a_day} WHERE recipient <> ''")
    [first, _] = await epochs.find([ada, bob])
    assert not await epochs.expire()
    assert await pool.fetchval("SELECT count(*) FROM realtime.revocations") == 3
    await pool.execute("UPDATE realtime.revocations SET used_at = now() - interval '26 hours 1 minute'")
    epochs.note_use(*bob)
    in_use = "SELECT count(*) FROM realtime.revocations WHERE used_at > now() - interval '1 minute'"
    await eventually(lambda: pool.fetchval(in_use))
    assert not await epochs.expire()
    assert [one.user > 0 for one in await epochs.find([ada, bob])] == [False, True]
    assert (await epochs.find([ada]))[0].tenant == 1
    key = topology.revocation_key(*ada)
    assert (await bucket.newest(key)).value is None
    await bucket.forget_deleted(topology.REVOCATIONS, older_than_s=3600)
    assert (await bucket.newest(key)).revision > 0
    await bucket.forget_deleted(topology.REVOCATIONS, older_than_s=0)
    assert (await bucket.newest(key)).revision == 0
    assert (await bucket.newest(topology.revocation_key(*bob))).value
    assert await epochs.raise_epoch(*ada) > first.user


async def test_a_page_of_before_two_revocations_is_closed_by_the_second(
    start_realtime: StartRealtime, hub: Server, session: aiohttp.ClientSession
) -> None:
    """The first one found the hub away: its page is open still, and the next revocation closes it."""
    service = await start_realtime(hub)
    old = await _token(service, "t1", "u1")
    request = realtime_pb2.RevokeTokensRequest(tenant_id="t1", user_id="u1")
    for _ in range(2):
        await service.call("RevokeTokens", request)
    async with connected(session, hub, old.token) as wire:
        await _subscribe(wire, old.channels[0])
        assert (await service.call("RevokeTokens", request)).disconnected == 1
        closed = await wire.next(30)
        assert isinstance(closed, Closed)


async def test_no_log_line_names_the_user(start_realtime: StartRealtime, hub: Server) -> None:
    """Tokens issued and revoked, an inbox erased: by tenant and by the name at the hub."""
    service = await start_realtime(hub)
    await _token(service, "t1", "ada-lovelace")
    for request in (
        realtime_pb2.RevokeTokensRequest(tenant_id="t1", user_id="ada-lovelace"),
        realtime_pb2.RevokeTokensRequest(tenant_id="t1"),
    ):
        await service.call("RevokeTokens", request)
    erase = privacy_pb2.EraseRecipientRequest(tenant_id="t1", user_id="ada-lovelace", until_us=1)
    await service.call("EraseRecipient", erase)
    service.stop()
    log = service.log.read_text()
    assert all(line in log for line in ("token_issued", "tokens_revoked", "inbox_erased"))
    assert "ada-lovelace" not in log
