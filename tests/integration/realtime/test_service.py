"""The realtime service as a process: tokens, isolation between tenants, revocation, health, pushes, its end."""

import asyncio
import dataclasses
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import nats
import pytest
from nats.aio.client import Client

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.realtime.v1 import realtime_pb2
from clarion.render.v1 import templates_pb2, templates_pb2_grpc
from runtime.errors import ClarionError, Code
from runtime.grpc import Caller, channel, is_serving
from services.domain import topology
from services.realtime.guard import CALM_S
from services.realtime.ports import InboxEntry
from services.realtime.store import InboxStore
from tests.conftest import NatsServer, free_port
from tests.contract.hub.servers import Server
from tests.contract.hub.wire import Closed, connected
from tests.integration.realtime.conftest import (
    SERVICE_TOKEN,
    CreateHub,
    Service,
    StartRealtime,
    end,
)
from tests.spawning import spawn
from tests.streams import messages_of
from tests.waiting import eventually

_USERS = ["u1", "x,victim", "x", "victim", "a#b", "a", "b", "a:b", "a.b", "*", "ü" * 255]


async def _token(service: Service, tenant_id: str, user_id: str) -> realtime_pb2.IssueTokenResponse:
    request = realtime_pb2.IssueTokenRequest(tenant_id=tenant_id, user_id=user_id)
    answer: realtime_pb2.IssueTokenResponse = await service.call("IssueToken", request)
    return answer


async def _verifies(service: Service, token: str, tenant_id: str, user_id: str) -> bool:
    request = realtime_pb2.VerifyTokenRequest(token=token, tenant_id=tenant_id, user_id=user_id)
    try:
        await service.call("VerifyToken", request)
    except ClarionError as error:
        if error.code is not Code.UNAUTHENTICATED:
            raise
        return False
    return True


def _entry(tenant_id: str, user_id: str) -> InboxEntry:
    ids = (str(uuid.uuid4()), tenant_id, user_id, str(uuid.uuid4()))
    return InboxEntry(*ids, "order.paid", f"for {tenant_id}", "Thank you", time.time_ns() // 1000)


async def test_no_token_opens_anybody_elses_channels(
    start_realtime: StartRealtime, hub: Server, session: aiohttp.ClientSession
) -> None:
    """Two tenants with the same user ids, and ids with the hub's own punctuation in them."""
    service = await start_realtime(hub)
    owners = [(tenant, user) for tenant in ("t1", "t2") for user in _USERS]
    issued = {owner: await _token(service, *owner) for owner in owners}
    own = {owner: answer.channels[0] for owner, answer in issued.items()}
    assert len(set(own.values())) == len(owners)
    for owner in owners:
        async with connected(session, hub, issued[owner].token) as wire:
            tried = {
                name: await wire.ask({"id": 2 + number, "subscribe": {"channel": name}})
                for number, name in enumerate([*own.values(), *(f"orders#{user}" for user in _USERS if user != "u1")])
            }
        allowed = {name for name, answer in tried.items() if isinstance(answer, dict) and "subscribe" in answer}
        assert allowed == {own[owner]}


async def test_a_token_is_good_for_its_own_user_alone(start_realtime: StartRealtime, hub: Server) -> None:
    """The gateway asks this before it lets a page read an inbox."""
    service = await start_realtime(hub)
    token = (await _token(service, "t1", "u1")).token
    assert await _verifies(service, token, "t1", "u1")
    for tenant_id, user_id in (("t2", "u1"), ("t1", "u2"), ("t1", "u1 "), ("", "u1"), ("t1", ""), ("t.1", "u1")):
        assert not await _verifies(service, token, tenant_id, user_id)
    assert not await _verifies(service, token[:-2], "t1", "u1")


async def test_no_tenant_lists_counts_or_marks_anothers_inbox(
    start_realtime: StartRealtime, hub: Server, pool: "asyncpg.Pool[asyncpg.Record]"
) -> None:
    """The same user id in both; the other's notification is not found."""
    service = await start_realtime(hub)
    entries = {tenant: _entry(tenant, "x,victim") for tenant in ("t1", "t2")}
    inbox = InboxStore(pool)
    await asyncio.gather(*[inbox.keep(entry) for entry in entries.values()])
    for tenant, other in (("t1", "t2"), ("t2", "t1")):
        scope: dict[str, Any] = {"tenant_id": tenant, "user_id": "x,victim"}
        listed = await service.call("ListNotifications", realtime_pb2.ListNotificationsRequest(**scope))
        assert [found.id for found in listed.notifications] == [entries[tenant].id]
        assert listed.unread == 1
        foreign = realtime_pb2.MarkReadRequest(**scope, notification_id=entries[other].id)
        assert not (await service.call("MarkRead", foreign)).found
        for user_id in ("x", "victim"):
            of_part = realtime_pb2.CountUnreadRequest(tenant_id=tenant, user_id=user_id)
            assert (await service.call("CountUnread", of_part)).unread == 0
    for tenant, entry in entries.items():
        scope = {"tenant_id": tenant, "user_id": "x,victim"}
        assert (await service.call("CountUnread", realtime_pb2.CountUnreadRequest(**scope))).unread == 1
        mine = realtime_pb2.MarkReadRequest(**scope, notification_id=entry.id)
        assert (await service.call("MarkRead", mine)).found
        listed = await service.call("ListNotifications", realtime_pb2.ListNotificationsRequest(**scope))
        assert [(found.read, listed.unread) for found in listed.notifications] == [(True, 0)]


async def test_nonsense_is_invalid(start_realtime: StartRealtime, hub: Server) -> None:
    """And names the field."""
    service = await start_realtime(hub)
    nonsense = [
        ("IssueToken", "user_id", realtime_pb2.IssueTokenRequest(tenant_id="t1")),
        ("IssueToken", "tenant_id", realtime_pb2.IssueTokenRequest(user_id="u1")),
        ("IssueToken", "user_id", realtime_pb2.IssueTokenRequest(tenant_id="t1", user_id="u" * 256)),
        ("IssueToken", "user_id", realtime_pb2.IssueTokenRequest(tenant_id="t1", user_id="a\x00b")),
        ("RevokeTokens", "tenant_id", realtime_pb2.RevokeTokensRequest(tenant_id="t1.*")),
        ("RevokeTokens", "tenant_id", realtime_pb2.RevokeTokensRequest(tenant_id="T1")),
        ("ListNotifications", "offset", _listing(offset=-1)),
        ("ListNotifications", "offset", _listing(offset=10_001)),
        ("ListNotifications", "limit", _listing(limit=-1)),
        ("ListNotifications", "limit", _listing(limit=1_001)),
    ]
    for method, field, request in nonsense:
        with pytest.raises(ClarionError) as refusal:
            await service.call(method, request)
        assert refusal.value.code is Code.INVALID
        assert [name for name, _ in refusal.value.fields] == [field]


async def test_a_page_of_the_inbox_is_as_long_as_asked(
    start_realtime: StartRealtime, hub: Server, pool: "asyncpg.Pool[asyncpg.Record]"
) -> None:
    """50 unless asked, and never cut: who steps by 200 sees each notification once."""
    service = await start_realtime(hub)
    inbox = InboxStore(pool)
    entries = [_entry("t1", "u1") for _ in range(420)]
    await asyncio.gather(*[inbox.keep(entry) for entry in entries])
    for limit, expected in ((0, 50), (1, 1), (100, 100), (200, 200), (1_000, 420)):
        listed = await service.call("ListNotifications", _listing(limit=limit))
        assert (len(listed.notifications), listed.unread) == (expected, 420)
    pages = [await service.call("ListNotifications", _listing(limit=200, offset=offset)) for offset in (0, 200, 400)]
    seen = [notification.id for page in pages for notification in page.notifications]
    assert sorted(seen) == sorted(entry.id for entry in entries)


async def test_a_page_too_large_to_be_sent_is_refused(
    start_realtime: StartRealtime, hub: Server, pool: "asyncpg.Pool[asyncpg.Record]"
) -> None:
    """The limit is named, not the database or gRPC; a smaller page has all of it."""
    service = await start_realtime(hub)
    inbox = InboxStore(pool)
    large = [dataclasses.replace(_entry("t1", "u1"), body="é" * 500_000) for _ in range(10)]
    for entry in large:
        await inbox.keep(entry)
    with pytest.raises(ClarionError) as refused:
        await service.call("ListNotifications", _listing(limit=10))
    assert refused.value.code is Code.INVALID
    description = "must be smaller: 10 of these notifications have more than 8 MiB of text"
    assert refused.value.fields == (("limit", description),)
    listed = await service.call("ListNotifications", _listing(limit=8))
    assert [len(one.body) for one in listed.notifications] == [500_000] * 8


def _listing(limit: int = 0, offset: int = 0) -> realtime_pb2.ListNotificationsRequest:
    return realtime_pb2.ListNotificationsRequest(tenant_id="t1", user_id="u1", limit=limit, offset=offset)


@pytest.mark.parametrize("whole_tenant", [False, True])
async def test_revoked_tokens_are_useless_everywhere(
    start_realtime: StartRealtime, hub: Server, session: aiohttp.ClientSession, *, whole_tenant: bool
) -> None:
    """Revoked at one process, refused by the other; the new token's channels are new ones; a neighbour keeps his."""
    first, second = await asyncio.gather(start_realtime(hub), start_realtime(hub))
    old = await _token(first, "t1", "u1")
    neighbour = await _token(first, "t2", "u1")
    assert await _verifies(second, old.token, "t1", "u1")
    async with connected(session, hub, old.token) as wire:
        await wire.ask({"id": 2, "subscribe": {"channel": old.channels[0]}})
        user_id = "" if whole_tenant else "u1"
        answer = await first.call("RevokeTokens", realtime_pb2.RevokeTokensRequest(tenant_id="t1", user_id=user_id))
        assert isinstance(await wire.next(), Closed)
        assert answer.disconnected == 1
    assert not await _verifies(first, old.token, "t1", "u1")
    await eventually(lambda: _refused(second, old.token))
    new = await _token(second, "t1", "u1")
    assert set(new.channels).isdisjoint(old.channels)
    async with connected(session, hub, old.token) as wire:
        answer = await wire.ask({"id": 2, "subscribe": {"channel": new.channels[0]}})
        assert isinstance(answer, dict)
        assert answer["error"]["code"] == 103
    assert await _verifies(second, neighbour.token, "t2", "u1")


async def _refused(service: Service, token: str) -> bool:
    return not await _verifies(service, token, "t1", "u1")


async def test_an_inactive_tenant_gets_no_tokens(
    start_realtime: StartRealtime, hub: Server, nats_server: NatsServer
) -> None:
    """And those it has count for nothing."""
    service = await start_realtime(hub)
    token = (await _token(service, "t1", "u1")).token
    connection = await nats.connect(nats_server.url)
    bucket = await connection.jetstream().key_value("CONFIG")
    await bucket.put(topology.tenant_key("t1"), b'{"id": "t1", "active": false}')
    await eventually(lambda: _refused(service, token))
    with pytest.raises(ClarionError) as refusal:
        await _token(service, "t1", "u1")
    assert refusal.value.code is Code.UNAUTHENTICATED
    await connection.close()


async def test_an_open_hub_stops_the_service_until_it_is_closed(
    start_realtime: StartRealtime, create_hub: CreateHub
) -> None:
    """NOT_SERVING, no tokens, a clear line in the log; the inbox can still be read."""
    port = free_port()
    rules = {"allow_user_limited_channels": False, "allow_subscribe_for_client": True}
    hub = create_hub(http_server={"port": port}, channel={"without_namespace": rules})
    hub.start()
    service = await start_realtime(hub, serving=False)
    await eventually(lambda: "another user's channel" in service.log.read_text())
    assert not await service.is_serving()
    with pytest.raises(ClarionError) as refusal:
        await _token(service, "t1", "u1")
    assert refusal.value.code is Code.UNAVAILABLE
    count = realtime_pb2.CountUnreadRequest(tenant_id="t1", user_id="u1")
    assert (await service.call("CountUnread", count)).unread == 0
    hub.kill()
    create_hub(http_server={"port": port}).start()
    await eventually(service.is_serving)
    assert (await _token(service, "t1", "u1")).token


async def test_a_hub_that_opens_while_the_service_runs_stops_it(
    start_realtime: StartRealtime, create_hub: CreateHub
) -> None:
    """Somebody edits its configuration and restarts it: the next probe sees it."""
    port = free_port()
    hub = create_hub(http_server={"port": port})
    hub.start()
    service = await start_realtime(hub)
    hub.kill()
    create_hub(http_server={"port": port}, channel={"without_namespace": {"allow_subscribe_for_client": True}}).start()

    async def stopped() -> bool:
        return not await service.is_serving()

    await eventually(stopped, 2 * CALM_S)


async def test_a_hub_that_is_away_does_not_stop_the_service(
    start_realtime: StartRealtime, create_hub: CreateHub
) -> None:
    """It starts, serves tokens for later, and finds the hub when it comes."""
    hub = create_hub()
    service = await start_realtime(hub)
    assert (await _token(service, "t1", "u1")).token
    hub.start()
    await eventually(lambda: "hub_safe" in service.log.read_text())


@pytest.fixture
async def render_address(postgres_url: str, nats_server: NatsServer, tmp_path: Path) -> AsyncIterator[str]:
    """A process of the render service."""
    address = f"127.0.0.1:{free_port()}"
    environment = {
        "CLARION_GRPC_ADDRESS": address,
        "CLARION_SERVICE_TOKEN": SERVICE_TOKEN,
        "CLARION_POSTGRES_URL": postgres_url,
        "CLARION_NATS_URL": nats_server.url,
    }
    process = spawn("services.render", environment, tmp_path / "render.log")
    try:
        await eventually(lambda: is_serving(address), 60)
        yield address
    finally:
        end(process)


async def _template(render_address: str, tenant_id: str, namespace: str) -> str:
    caller = Caller(SERVICE_TOKEN)
    async with channel(render_address) as connection:
        stub = templates_pb2_grpc.TemplateServiceStub(connection)
        created = await caller(
            stub.CreateTemplate,
            templates_pb2.CreateTemplateRequest(
                tenant_id=tenant_id,
                event_type="order.success",
                channel=event_pb2.CHANNEL_PUSH,
                subject="Order {{number}}",
                body="Thank you, {{name}}",
                push_namespace=namespace,
            ),
            deadline=30,
        )
        version_id: str = created.template.id
        request = templates_pb2.ActivateTemplateRequest(template_version_id=version_id)
        await caller(stub.ActivateTemplate, request, deadline=30)
    return version_id


async def test_a_routed_push_reaches_the_page_and_the_inbox(
    start_realtime: StartRealtime,
    hub: Server,
    render_address: str,
    nats_server: NatsServer,
    session: aiohttp.ClientSession,
) -> None:
    """From DELIVERIES by way of render to the channel that the token's answer named, and onto TRACE; then a drain."""
    service = await start_realtime(hub, CLARION_RENDER_ADDRESS=render_address)
    tenant_id = str(uuid.uuid4())
    version_id = await _template(render_address, tenant_id, "orders")

    async def issued() -> realtime_pb2.IssueTokenResponse | None:
        answer = await _token(service, tenant_id, "a#b")
        return answer if any(name.startswith("orders#") for name in answer.channels) else None

    answer = await eventually(issued)
    assert answer is not None
    assert [name.partition("#")[0] for name in answer.channels] == ["global_system", "orders"]
    now_us = time.time_ns() // 1000
    delivery = event_pb2.Delivery(
        id=str(uuid.uuid4()),
        event_id=str(uuid.uuid4()),
        tenant_id=tenant_id,
        event_type="order.success",
        channel=event_pb2.CHANNEL_PUSH,
        recipient=event_pb2.Recipient(user_id="a#b"),
        variables=b'{"number": 7, "name": "Ada"}',
        template_version_id=version_id,
        push_namespace="orders",
        accepted_at_us=now_us,
        planned_at_us=now_us,
        attempt=1,
    )
    connection = await nats.connect(nats_server.url)
    async with connected(session, hub, answer.token) as wire:
        await wire.ask({"id": 2, "subscribe": {"channel": answer.channels[1]}})
        subject = topology.delivery_subject(event_pb2.CHANNEL_PUSH, tenant_id)
        await connection.jetstream().publish(subject, delivery.SerializeToString())
        frame: Any = await wire.next(10)
    data = frame["push"]["pub"]["data"]
    assert (data["title"], data["body"], data["category"]) == ("Order 7", "Thank you, Ada", "success")
    listing = realtime_pb2.ListNotificationsRequest(tenant_id=tenant_id, user_id="a#b")
    (kept,) = (await service.call("ListNotifications", listing)).notifications
    assert (kept.id, kept.title, kept.read) == (data["referenceId"], "Order 7", False)
    record = await _first_record(connection)
    assert record.attempted.status == trace_pb2.DELIVERY_STATUS_SENT
    assert (record.attempted.delivery_id, record.attempted.provider) == (delivery.id, "realtime")
    assert service.stop() == 0
    assert '"stopped"' in service.log.read_text()
    await connection.close()


async def _first_record(connection: Client) -> trace_pb2.TraceRecord:
    jetstream = connection.jetstream()

    async def found() -> Any:
        return await messages_of(jetstream, topology.TRACE)

    [message, *_] = await eventually(found)
    return trace_pb2.TraceBatch.FromString(message.data).records[0]
