"""ports.Hub: what is published reaches the channel once per key; a hub's no is an answer, not an exception."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from services.realtime.guard import HubGuard
from services.realtime.hub import CentrifugoHub
from services.realtime.ports import Hub, PublishOutcome, PublishResult
from services.realtime.probe import probe
from tests.contract.hub.servers import Server
from tests.contract.ports.implementations import either
from tests.fakes.realtime import MemoryHub
from tests.integration.realtime.conftest import API_KEY, TOKEN_SECRET

_CHANNEL = "orders#principal"


@dataclass
class Subject:
    """An implementation, and the world around it."""

    hub: Hub
    # What stands in a channel, oldest first.
    published: Callable[[str], Awaitable[list[dict[str, Any]]]]
    go_away: Callable[[], None]


def _fake() -> Subject:
    hub = MemoryHub()

    async def published(channel: str) -> list[dict[str, Any]]:
        return hub.published.get(channel, [])

    def go_away() -> None:
        hub.answer = PublishResult(PublishOutcome.AWAY, "hub_error", "away")

    return Subject(hub, published, go_away)


@pytest.fixture
async def real(hub: Server) -> AsyncIterator[Subject]:
    """A running hub that was found to be safe."""
    guard = HubGuard(lambda: probe(hub.http_url, TOKEN_SECRET))
    await guard.check()
    client = CentrifugoHub(hub.http_url, API_KEY, guard)

    async def published(channel: str) -> list[dict[str, Any]]:
        async with aiohttp.ClientSession(headers={"X-API-Key": API_KEY}) as session:
            body = {"channel": channel, "limit": 100}
            async with session.post(f"{hub.api_url}/history", json=body) as answer:
                return [one["data"] for one in (await answer.json())["result"]["publications"]]

    yield Subject(client, published, hub.kill)
    await client.close()


subject = either(_fake)


async def test_what_is_published_is_in_its_channel_once_per_key(subject: Subject) -> None:
    """A repeat is DONE and changes nothing; another key is another publication, another channel's too."""
    one, other = {"title": "Paid", "n": 1}, {"title": "Grüße 💚", "n": 2}
    asked = [(_CHANNEL, one, "k1"), (_CHANNEL, one, "k1"), (_CHANNEL, other, "k2"), ("orders#another", one, "k3")]
    answers = [await subject.hub.publish(*publication) for publication in asked]
    assert answers == [PublishResult(PublishOutcome.DONE)] * 4
    assert await subject.published(_CHANNEL) == [one, other]
    assert await subject.published("orders#another") == [one]


@pytest.mark.parametrize("channel", ["", "nowhere:orders#principal"])
async def test_what_the_hub_never_takes_is_refused(subject: Subject, channel: str) -> None:
    """No channel, or one of a namespace that the hub does not have: asking again would be no use."""
    answer = await subject.hub.publish(channel, {}, "k")
    assert (answer.outcome, answer.reason) == (PublishOutcome.REFUSED, "live_publication_refused")


async def test_a_hub_that_is_away(subject: Subject) -> None:
    """Worth another try, with a reason."""
    subject.go_away()
    answer = await subject.hub.publish(_CHANNEL, {}, "k")
    assert answer.outcome is PublishOutcome.AWAY
    assert answer.reason.startswith("hub_")
