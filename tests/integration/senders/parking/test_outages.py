"""PostgreSQL goes away while deliveries wait: endpoints that are well go on, and nothing is lost."""

from collections import Counter

from services.senders.webhooks.parking.breaker import BreakerPolicy
from tests.conftest import PostgresServer
from tests.integration.senders.parking.world import DOWN, OK, World
from tests.waiting import eventually


async def test_the_database_is_killed(world: World, postgres_server: PostgresServer) -> None:
    """What must wait goes to TIMERS meanwhile; when the database is back all of it is delivered, each once."""
    down, well = await world.endpoint(), await world.endpoint()
    await world.start(policy=BreakerPolicy(probe_s=1.0, longest_probe_s=1.0))
    world.receivers.answer(down, DOWN)
    first = await world.deliver(down, 5)
    await eventually(lambda: world.is_published(down, "open"))
    waiting = await world.deliver(down, 10)
    await eventually(lambda: world.has_rows(down, waiting))
    postgres_server.kill()
    try:
        later = await world.deliver(down, 5)
        others = await world.deliver(well, 20)
        await eventually(lambda: set(world.receivers.delivered(well)) == {one.id for one in others})
        await eventually(lambda: world.streams.count("TIMERS"))
    finally:
        postgres_server.start()
    world.receivers.answer(down, OK)
    every = [*first, *waiting, *later]
    await eventually(lambda: world.are_sent(every), deadline=60)
    await eventually(lambda: world.is_forgotten(down))
    taken = Counter(step.delivery_id for step in await world.attempts() if step.status == 4)
    assert {taken[one.id] for one in every} == {1}
    await eventually(world.all_acked)
