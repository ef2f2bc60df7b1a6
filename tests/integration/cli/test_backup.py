"""`clarion backup` and `clarion restore` on a real NATS: messages and readers' positions come back as they were."""

import contextlib
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.js.errors import NotFoundError

from cli.backup import Settings, backup, names, restore
from runtime.errors import ClarionError
from runtime.ids import new_id
from runtime.settings import Secret
from services.domain import provision, topology
from tests.conftest import NatsServer
from tests.integration.ingest import builders
from tests.streams import Streams
from tests.waiting import eventually

TENANT = new_id()


def _nowhere(_: str) -> None:
    """What is said is of no interest here."""


async def _stored(streams: Streams, number: int) -> list[bytes]:
    events = [builders.event(TENANT, email=f"user{index}@example.org") for index in range(number)]
    await streams.publish(*map(builders.accepted, events))
    return await streams.messages(topology.EVENTS)


async def _delete_all(connection: Client) -> None:
    for name in names():
        await connection.jetstream(timeout=60).delete_stream(name)


async def _exists(connection: Client, name: str) -> bool:
    try:
        await connection.jetstream(timeout=60).stream_info(name)
    except NotFoundError:
        return False
    return True


async def test_streams_come_back_as_they_were(
    streams: Streams, connection: Client, nats_server: NatsServer, tmp_path: Path
) -> None:
    """What was acknowledged stays so, what was not is read again, and the next event has the next number."""
    settings, folder = Settings(nats_url=Secret(nats_server.url)), tmp_path / "backup"
    before = await _stored(streams, 20)
    jetstream = connection.jetstream(timeout=60)
    reader = next(one for one in topology.router_consumers() if topology.event_subject(TENANT) in one.subjects)
    pulling = await jetstream.pull_subscribe_bind(consumer=reader.name, stream=reader.stream)
    for message in (await pulling.fetch(8, timeout=30))[:5]:
        await message.ack_sync(timeout=30)
    headers = await streams.headers(topology.EVENTS)
    said: list[str] = []
    await backup(settings, folder, said.append)
    assert said[0] == "copied stream EVENTS: 20 messages"
    assert said[-2:] == ["copied stream TRACE: 0 messages", "now dump PostgreSQL"]
    await _delete_all(connection)
    await restore(settings, folder, _nowhere)
    assert await streams.messages(topology.EVENTS) == before
    assert await streams.headers(topology.EVENTS) == headers
    assert (await jetstream.consumer_info(reader.stream, reader.name)).ack_floor.stream_seq == 5
    assert await provision.apply(connection, max_bytes=64 * 1024**2) == []
    assert len(await _stored(streams, 1)) == 21
    again = await jetstream.pull_subscribe_bind(consumer=reader.name, stream=reader.stream)
    left: set[int] = set()

    async def all_are_read() -> bool:
        with contextlib.suppress(TimeoutError):
            left.update([message.metadata.sequence.stream for message in await again.fetch(16, timeout=1)])
        return left == set(range(6, 22))

    await eventually(all_are_read)


async def test_a_truncated_copy_leaves_nothing_behind(
    streams: Streams, connection: Client, nats_server: NatsServer, tmp_path: Path
) -> None:
    """It is refused, says what may be done, and the same command works with the whole copy."""
    settings, folder = Settings(nats_url=Secret(nats_server.url)), tmp_path / "backup"
    before = await _stored(streams, 300)
    await backup(settings, folder, _nowhere)
    await _delete_all(connection)
    copy = folder / "EVENTS.s2"
    whole = copy.read_bytes()
    copy.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ClarionError, match="NATS refuses the stream EVENTS"):
        await restore(settings, folder, _nowhere)
    assert not await _exists(connection, topology.EVENTS)
    copy.write_bytes(whole)
    await restore(settings, folder, _nowhere)
    assert await streams.messages(topology.EVENTS) == before


async def test_nothing_is_overwritten(
    streams: Streams, connection: Client, nats_server: NatsServer, tmp_path: Path
) -> None:
    """Neither a folder with files in it, nor streams that are there: a restore by mistake harms nobody."""
    settings, folder = Settings(nats_url=Secret(nats_server.url)), tmp_path / "backup"
    before = await _stored(streams, 3)
    await backup(settings, folder, _nowhere)
    with pytest.raises(ClarionError, match="is not empty"):
        await backup(settings, folder, _nowhere)
    with pytest.raises(ClarionError, match="already exists"):
        await restore(settings, folder, _nowhere)
    assert await streams.messages(topology.EVENTS) == before
