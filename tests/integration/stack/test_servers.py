"""The servers that other tests rest on."""

import asyncpg
import nats
import pytest

from services.domain import topology
from tests.conftest import NatsServer
from tests.waiting import eventually


async def test_each_test_has_its_own_migrated_database(postgres_url: str) -> None:
    """Every service's migrations are in, and commits wait for PostgreSQL's log."""
    connection = await asyncpg.connect(postgres_url)
    try:
        assert await connection.fetchval("SHOW synchronous_commit") == "on"
        for owner in ("ingest", "router", "render", "senders", "realtime"):
            assert await connection.fetchval("SELECT count(*) FROM pg_namespace WHERE nspname = $1", owner) == 1, owner
        await connection.execute("CREATE TABLE only_here (id int)")
    finally:
        await connection.close()


@pytest.mark.parametrize("_round", [1, 2])
async def test_no_test_sees_another_ones_database(postgres_url: str, _round: int) -> None:
    """What one test creates is gone in the next."""
    connection = await asyncpg.connect(postgres_url)
    try:
        await connection.execute("CREATE TABLE only_here (id int)")
    finally:
        await connection.close()


async def test_streams_are_there_and_survive_kill_9(nats_server: NatsServer) -> None:
    """An acknowledged message outlives the server's death."""
    connection = await nats.connect(nats_server.url)
    try:
        ack = await connection.jetstream().publish("events.0", b"x")
        assert ack.stream == topology.EVENTS
    finally:
        await connection.close()
    nats_server.kill()
    nats_server.start()
    connection = await nats.connect(nats_server.url)
    try:
        info = await connection.jetstream().stream_info(topology.EVENTS)
        assert info.state.messages == 1
    finally:
        await connection.close()


async def test_eventually_gives_up_with_what_it_saw() -> None:
    """A predicate that never holds is an AssertionError that shows its last value."""
    with pytest.raises(AssertionError, match="last: 0"):
        await eventually(lambda: 0, deadline=0.05)
