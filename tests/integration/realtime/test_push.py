"""One push through the real parts: inbox, hub, an open page."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import asyncpg
import pytest

from clarion.common.v1 import event_pb2
from clarion.render.v1 import render_pb2
from runtime.parts import HUB, OwnParts, PartAway
from services.delivery.ports import Verdict
from services.realtime.directory import EpochDirectory
from services.realtime.guard import HubGuard, HubState
from services.realtime.hub import CentrifugoHub
from services.realtime.principal import Epoch, Principals
from services.realtime.probe import probe
from services.realtime.push import Push
from services.realtime.store import InboxStore
from services.realtime.tokens import Tokens
from tests.contract.hub.servers import Server
from tests.contract.hub.wire import Wire, connected
from tests.integration.realtime.conftest import API_KEY, PRINCIPAL_SECRET, TOKEN_SECRET, CreateHub
from tests.keyed import KEYED
from tests.waiting import eventually

_PRINCIPALS = Principals(PRINCIPAL_SECRET)
_CONTENT = render_pb2.Content(title="Paid", body="Thank you")


class Parts:
    """What the service is made of, without its process."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", url: str, api_key: str = API_KEY) -> None:
        self.guard = HubGuard(lambda: probe(url, TOKEN_SECRET))
        self.inbox = InboxStore(pool)
        self.hub = CentrifugoHub(url, api_key, self.guard)
        self.own = OwnParts()
        self.push = Push(self.inbox, EpochDirectory(_PRINCIPALS, _no_epochs, KEYED), self.hub, own=self.own)

    async def kept(self) -> list[str]:
        """Return the ids in u1's inbox."""
        return [kept.id for kept in (await self.inbox.newest("t1", "u1", limit=100)).entries]


async def _no_epochs(users: Any) -> list[Epoch]:
    return [Epoch() for _ in users]


async def _found_safe(parts: Parts) -> None:
    """Probe until the hub is found safe: a probe is brief, and a slow machine may need another."""

    async def is_safe() -> bool:
        return await parts.guard.check() is HubState.SAFE

    await eventually(is_safe)


@pytest.fixture
async def parts(pool: "asyncpg.Pool[asyncpg.Record]", hub: Server) -> AsyncIterator[Parts]:
    """The parts on a running hub that was found safe."""
    made = Parts(pool, hub.http_url)
    await _found_safe(made)
    yield made
    await made.hub.close()


def _delivery(namespace: str = "orders", user_id: str = "u1") -> event_pb2.Delivery:
    return event_pb2.Delivery(
        id=str(uuid.uuid4()),
        event_id=str(uuid.uuid4()),
        tenant_id="t1",
        event_type="order.success",
        channel=event_pb2.CHANNEL_PUSH,
        recipient=event_pb2.Recipient(user_id=user_id),
        push_namespace=namespace,
        accepted_at_us=time.time_ns() // 1000,
        attempt=1,
    )


async def _subscribe(wire: Wire, namespace: str, name: str) -> None:
    answer = await wire.ask({"id": 2, "subscribe": {"channel": f"{namespace}#{name}"}})
    assert isinstance(answer, dict)
    assert "subscribe" in answer, answer


@pytest.mark.parametrize("namespace", ["orders", ""])
async def test_an_open_page_sees_it_and_the_inbox_keeps_it(
    parts: Parts, hub: Server, session: aiohttp.ClientSession, namespace: str
) -> None:
    """On the template's channel, or on the global one."""
    name = _PRINCIPALS.of("t1", "u1", Epoch())
    delivery = _delivery(namespace)
    async with connected(session, hub, Tokens(TOKEN_SECRET).issue(name)) as wire:
        await _subscribe(wire, namespace or "global_system", name)
        result = await parts.push.send(delivery, _CONTENT)
        assert result.verdict is Verdict.SENT
        frame: Any = await wire.next()
    assert frame["push"]["channel"] == f"{namespace or 'global_system'}#{name}"
    assert frame["push"]["pub"]["data"] == {
        "type": "IN_APP_ALERT",
        "title": "Paid",
        "body": "Thank you",
        "category": "success",
        "eventType": "order.success",
        "timestamp": delivery.accepted_at_us // 1_000_000,
        "referenceId": delivery.id,
    }
    assert await parts.kept() == [delivery.id]


async def test_an_attempt_that_comes_again_changes_nothing(
    parts: Parts, hub: Server, session: aiohttp.ClientSession
) -> None:
    """A crash between our yes and the acknowledgement repeats it: one row, one publication."""
    name = _PRINCIPALS.of("t1", "u1", Epoch())
    first, second = _delivery(), _delivery()
    async with connected(session, hub, Tokens(TOKEN_SECRET).issue(name)) as wire:
        await _subscribe(wire, "orders", name)
        for delivery in (first, first, first, second):
            assert (await parts.push.send(delivery, _CONTENT)).verdict is Verdict.SENT
        seen: list[Any] = [await wire.next(), await wire.next()]
    assert [frame["push"]["pub"]["data"]["referenceId"] for frame in seen] == [first.id, second.id]
    assert sorted(await parts.kept()) == sorted([first.id, second.id])


async def test_a_hub_that_is_away_gets_it_when_it_is_back(parts: Parts, hub: Server) -> None:
    """The inbox has it at once; the publication waits, and that is no attempt."""
    delivery = _delivery()
    hub.kill()
    waiting = asyncio.create_task(parts.own.until_answered(lambda: parts.push.send(delivery, _CONTENT)))
    await eventually(lambda: parts.own.is_away(HUB))
    assert await parts.kept() == [delivery.id]
    assert await parts.guard.check() is HubState.AWAY
    assert not waiting.done()
    hub.start()
    await _found_safe(parts)
    assert (await asyncio.wait_for(waiting, 30)).verdict is Verdict.SENT
    assert await parts.kept() == [delivery.id]


async def test_a_hub_that_was_started_anew_is_used_without_a_failed_attempt(parts: Parts, hub: Server) -> None:
    """The kept connection is dead; that is no reason to wait for a retry."""
    assert (await parts.push.send(_delivery(), _CONTENT)).verdict is Verdict.SENT
    hub.kill()
    hub.start()
    assert (await parts.push.send(_delivery(), _CONTENT)).verdict is Verdict.SENT


async def test_a_hung_hub_holds_nobody_for_long(pool: "asyncpg.Pool[asyncpg.Record]", silent_url: str) -> None:
    """A hundred attempts wait together and end by the hub's deadline; once it is known, it is not even asked."""
    parts = Parts(pool, silent_url)
    parts.guard.state = HubState.SAFE  # it was, until it hung
    deliveries = [_delivery() for _ in range(100)]
    attempts = [asyncio.create_task(parts.push.send(delivery, _CONTENT)) for delivery in deliveries]
    await asyncio.wait(attempts, return_when=asyncio.FIRST_COMPLETED)
    assert len(await parts.kept()) > 1  # none waited for another's end
    results = await asyncio.gather(*attempts, return_exceptions=True)
    assert {type(result) for result in results} == {PartAway}
    assert {str(result).partition(":")[0] for result in results} == {"hub_timeout"}
    assert len(await parts.kept()) == 100
    assert await parts.guard.check() is HubState.AWAY
    assert (await parts.hub.publish("c", {}, "k")).reason == "hub_away"
    await parts.hub.close()


async def test_an_open_hub_gets_nothing(pool: "asyncpg.Pool[asyncpg.Record]", create_hub: CreateHub) -> None:
    """What is published there could be read by anyone; the inbox keeps it until the hub is closed."""
    rules = {"allow_user_limited_channels": False, "allow_subscribe_for_client": True}
    hub = create_hub(channel={"without_namespace": rules})
    hub.start()
    parts = Parts(pool, hub.http_url)
    assert await parts.guard.check() is HubState.UNSAFE
    delivery = _delivery()
    with pytest.raises(PartAway, match="hub_unsafe"):
        await parts.push.send(delivery, _CONTENT)
    assert await parts.kept() == [delivery.id]
    await parts.hub.close()


async def test_a_wrong_api_key_is_waited_for_until_it_is_mended(
    pool: "asyncpg.Pool[asyncpg.Record]", hub: Server
) -> None:
    """It is the operator's fault, not the delivery's."""
    parts = Parts(pool, hub.http_url, api_key="wrong")
    await parts.guard.check()
    with pytest.raises(PartAway, match="hub_refuses_api_key"):
        await parts.push.send(_delivery(), _CONTENT)
    await parts.hub.close()
