"""Operational events, and what is done about endpoints."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from runtime.errors import ClarionError, Code
from services.domain.endpoints import Endpoint
from services.senders.webhooks.parking import notices
from services.senders.webhooks.parking.notices import Notice, Notices, OperationalEvent, operational_event
from services.senders.webhooks.parking.ports import EndpointKey
from tests.unit.senders.builders import TENANT
from tests.unit.senders.webhooks.parking.fakes import KnownEndpoints
from tests.waiting import end, eventually

KEY = EndpointKey(TENANT, "018f1a2c-0000-7000-8000-00000000e001")
AT = 1_750_000_000_000_000


def notice(kind: str, reason: str = "", failing_since_us: int = 0, key: EndpointKey = KEY) -> Notice:
    """A notice of the endpoint."""
    return Notice(1, key, kind, reason, AT, failing_since_us, 4)


@dataclass
class World:
    """Notices and neighbours in memory."""

    waiting: list[Notice] = field(default_factory=list)
    ended: list[Notice] = field(default_factory=list)
    disabled: list[tuple[int, str]] = field(default_factory=list)
    accepted: list[OperationalEvent] = field(default_factory=list)
    # Notices that wait for so many seconds.
    waits: list[tuple[Notice, float]] = field(default_factory=list)
    disables: bool = True
    is_away: bool = False
    # Raised instead of disabling an endpoint.
    fault: Exception | None = None
    now_us: int = AT + 1_000_000

    async def take(self, taken_s: float) -> Sequence[Notice]:
        """Return all that nobody has."""
        taken, self.waiting = self.waiting, []
        return taken

    async def end(self, one: Notice) -> None:
        """Note it."""
        self.ended.append(one)

    async def put_back(self, one: Notice, pause_s: float) -> None:
        """Note it."""
        self.waits.append((one, pause_s))

    async def disable(self, key: EndpointKey, revision: int, reason: str) -> bool:
        """Note it."""
        if self.fault is not None:
            raise self.fault
        self.disabled.append((revision, reason))
        return self.disables

    async def accept(self, event: OperationalEvent) -> None:
        """Note it."""
        if self.is_away:
            raise ClarionError(Code.UNAVAILABLE, "away")
        self.accepted.append(event)

    async def run(self, *waiting: Notice) -> None:
        """Work off notices."""
        self.waiting += waiting
        world: Any = self
        known: Any = KnownEndpoints(
            {one.key: Endpoint(id=one.key.endpoint_id, environment_id="env1") for one in waiting}
        )
        task = asyncio.create_task(Notices(world, world, world, known, now=lambda: self.now_us).run())
        await eventually(lambda: len(self.ended) + len(self.waits) == len(waiting), every=0)
        await end(task)


def test_an_event_tells_what_happened() -> None:
    """Its type, the endpoint, when, since when it failed, and why it was disabled."""
    event = operational_event(notice("disable", "failing", AT - 5_000_000), "env1")
    assert event is not None
    assert (event.event_type, event.scope, event.tenant_id) == ("endpoint.disabled", "env1", TENANT)
    assert json.loads(event.variables) == {
        "type": "endpoint.disabled",
        "endpoint_id": KEY.endpoint_id,
        "at": "2025-06-15T15:06:40.000Z",
        "reason": "failing",
        "failing_since": "2025-06-15T15:06:35.000Z",
    }
    assert operational_event(notice("down"), "") is None


async def test_the_tenant_is_notified() -> None:
    """Down and recovered, each with a key by which a repeat is found."""
    world = World()
    await world.run(notice("down"), notice("recovered"))
    assert [event.event_type for event in world.accepted] == ["endpoint.down", "endpoint.recovered"]
    assert len({event.key for event in world.accepted}) == 2
    assert len(world.ended) == 2
    assert all(notices.is_operational(event.event_type) for event in world.accepted)


async def test_an_endpoint_is_disabled_first() -> None:
    """And nobody is notified if it was not: somebody changed it meanwhile."""
    world = World()
    await world.run(notice("disable", "gone"))
    assert (world.disabled, len(world.accepted)) == ([(4, "gone")], 1)
    changed = World(disables=False)
    await changed.run(notice("disable", "gone"))
    assert (changed.disabled, changed.accepted, len(changed.ended)) == ([(4, "gone")], [], 1)


async def test_while_ingest_is_away_a_notice_stays() -> None:
    """It is taken again later."""
    world = World(is_away=True)
    await world.run(notice("down"))
    assert world.ended == []
    [(_, pause_s)] = world.waits
    assert 0.7 * 5 <= pause_s <= 1.3 * 5


@pytest.mark.parametrize("fault", [ClarionError(Code.UNAVAILABLE, "away"), RuntimeError("ours")])
async def test_one_that_fails_holds_up_no_other_endpoint_s(fault: Exception) -> None:
    """It waits, longer each time, with what is behind it of the same endpoint; a fault of ours ends nothing."""
    other = EndpointKey(TENANT, "018f1a2c-0000-7000-8000-00000000e002")
    world = World(fault=fault, now_us=AT + 1_000_000_000)
    failing = [notice("disable", "failing"), notice("down")]
    await world.run(*failing, notice("down", key=other))
    assert [one.key for one in world.ended] == [other]
    assert [one for one, _ in world.waits] == failing
    assert all(0.7 * 500 <= pause_s <= 1.3 * 500 for _, pause_s in world.waits)


async def test_one_that_fails_for_days_is_given_up() -> None:
    """Ingest would not know any more that it has the event."""
    world = World(is_away=True, now_us=AT + 7 * 86_400_000_000)
    await world.run(notice("down"))
    assert (len(world.ended), world.accepted) == (1, [])
