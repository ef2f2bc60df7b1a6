"""While the broker does not take what was decided: the event stays in hand, and nothing is stored twice."""

import asyncio

import pytest

from services.domain import topology
from tests.integration.ingest import builders
from tests.integration.ingest.processes import StartService
from tests.integration.router.conftest import Bucket, Routed
from tests.integration.router.test_routing import FULL, TENANT, TYPE
from tests.streams import Streams
from tests.waiting import eventually


@pytest.mark.parametrize("full", [topology.TRACE, topology.DELIVERIES])
async def test_nothing_is_stored_twice(
    start: StartService, bucket: Bucket, streams: Streams, routed: Routed, full: str
) -> None:
    """However long it takes: past the broker's memory for ids a second routing would double the deliveries."""
    await bucket.tenant(TENANT)
    await bucket.templates(TENANT, TYPE, SMS="v1", PUSH="v2")
    await streams.remember_nothing(topology.DELIVERIES)
    await start("services.router")
    await streams.refuse(full)
    in_hand = await streams.in_hand(topology.EVENTS)
    events = [builders.event(TENANT, **FULL) for _ in range(20)]
    await streams.publish(*[builders.accepted(event) for event in events])

    async def is_seen() -> bool:
        return len(in_hand) == len(events) or await streams.count(topology.DELIVERIES) > 2 * len(events)

    await eventually(is_seen)
    await streams.relent(full)
    await eventually(routed.all_acked)
    deliveries = await routed.deliveries()
    assert len(deliveries) == len({one.id for one in deliveries}) == 2 * len(events)
    assert set(await routed.records()) == {event.id for event in events}


async def test_a_router_that_is_to_end_lets_go(
    start: StartService, bucket: Bucket, streams: Streams, routed: Routed
) -> None:
    """Draining does not wait for room; what was not recorded is left unacked, to come again."""
    await bucket.tenant(TENANT)
    await bucket.templates(TENANT, TYPE, SMS="v1")
    router = await start("services.router")
    await streams.refuse(topology.TRACE)
    in_hand = await streams.in_hand(topology.EVENTS)
    await streams.publish(builders.accepted(builders.event(TENANT, **FULL)))
    await eventually(lambda: in_hand)
    assert await asyncio.to_thread(router.stop) == 0
    assert not await routed.all_acked()
