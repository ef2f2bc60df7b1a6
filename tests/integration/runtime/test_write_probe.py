"""Health of the streams, proven by writes to a real server that is full, killed or frozen."""

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client

from runtime import nats
from runtime.errors import ClarionError
from runtime.write_probe import WriteProbe, answers, fault_of
from services.domain import provision, topology
from tests.conftest import NatsServer
from tests.integration.runtime.messages import messages
from tests.streams import Streams
from tests.waiting import end, eventually

# Longer than any test: what is seen in time was not seen by looking regularly.
_NEVER_S = 3600.0


@pytest.fixture
async def probe(connection: Client) -> AsyncIterator[WriteProbe]:
    """A probe of EVENTS and DELIVERIES that looks once, and again only where it has a reason."""
    subjects = {store: topology.probe_subject(store) for store in (topology.EVENTS, topology.DELIVERIES)}
    made = WriteProbe(connection, subjects, interval_s=_NEVER_S)
    await made.probe()
    running = asyncio.create_task(made.run())
    yield made
    await end(running)


def _stores(probe: WriteProbe) -> tuple[bool, bool]:
    return probe.stores(topology.EVENTS), probe.stores(topology.DELIVERIES)


async def test_a_stream_that_refuses_is_noticed_by_the_first_publish(
    probe: WriteProbe, connection: Client, streams: Streams
) -> None:
    """And only that stream; once it takes messages again that is noticed without a publish."""
    assert _stores(probe) == (True, True)
    await streams.refuse(topology.EVENTS)
    assert _stores(probe) == (True, True)
    with pytest.raises(ClarionError):
        await nats.StreamPublisher(connection).publish(messages(1)[0])
    await eventually(lambda: _stores(probe) == (False, True))
    assert "10077" in await fault_of(connection, topology.probe_subject(topology.EVENTS))
    await streams.relent(topology.EVENTS)
    await eventually(lambda: _stores(probe) == (True, True))


async def test_a_server_that_is_killed_is_noticed_and_so_is_its_return(
    probe: WriteProbe, connection: Client, nats_server: NatsServer
) -> None:
    """A publish that fails has all streams of the connection probed."""
    nats_server.kill()
    with pytest.raises(ClarionError):
        await nats.StreamPublisher(connection, deadline=0.2).publish(messages(1)[0])
    await eventually(lambda: _stores(probe) == (False, False))
    assert not await answers(connection)
    await asyncio.to_thread(nats_server.start)
    await eventually(lambda: _stores(probe) == (True, True))
    assert await answers(connection)


async def test_a_frozen_server_does_not_answer_and_the_connection_survives(
    connection: Client, nats_server: NatsServer
) -> None:
    """Its connection stays open meanwhile; the late answers do no harm."""
    assert await answers(connection)
    reconnects = connection.stats["reconnects"]
    nats_server.process.send_signal(signal.SIGSTOP)
    try:
        for _ in range(3):
            assert not await answers(connection, deadline=0.3)
        assert "not acknowledged within 0.3 s" in await fault_of(
            connection, topology.probe_subject(topology.TRACE), deadline=0.3
        )
        assert connection.is_connected
    finally:
        nats_server.process.send_signal(signal.SIGCONT)
    await eventually(lambda: answers(connection))
    assert await fault_of(connection, topology.probe_subject(topology.TRACE)) == ""
    assert connection.stats["reconnects"] == reconnects


async def test_a_stream_of_an_earlier_version_counts_as_well(connection: Client) -> None:
    """A process that was replaced before `clarion migrate` ran knows nothing, and must not be taken out for it."""
    jetstream = connection.jetstream()
    info = await jetstream.stream_info(topology.EVENTS)
    info.config.subjects = ["events.*"]
    info.config.allow_rollup_hdrs = False
    await jetstream.update_stream(info.config)
    probe = WriteProbe(connection, {topology.EVENTS: topology.probe_subject(topology.EVENTS)})
    await probe.probe()
    assert probe.stores(topology.EVENTS)
    await jetstream.delete_stream(topology.EVENTS)
    await probe.probe()
    assert not probe.stores(topology.EVENTS)
    await provision.apply(connection)
    await probe.probe()
    assert probe.stores(topology.EVENTS)
