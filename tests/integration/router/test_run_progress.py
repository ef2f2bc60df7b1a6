"""What holds a run's next page back: its open deliveries, as the ledger knows them, and crowded streams."""

from dataclasses import dataclass
from typing import Any

import pytest
from nats.aio.client import Client

from clarion.ingest.v1 import ledger_pb2
from runtime.errors import ClarionError, Code
from runtime.nats import Outgoing, StreamPublisher
from runtime.parts import OwnParts
from services.domain import provision, topology
from services.router.runs.progress import LedgerProgress
from tests.fakes.grpc import MemoryCaller, MemoryChannel

LEDGER = "clarion.ingest.v1.LedgerService"


@dataclass
class Ledger:
    """The ledger's side."""

    settled: int = 0

    async def GetEventProgress(  # noqa: N802 - the RPC's name
        self, request: ledger_pb2.GetEventProgressRequest, _: Any
    ) -> ledger_pb2.GetEventProgressResponse:
        """Return what is settled."""
        return ledger_pb2.GetEventProgressResponse(settled=self.settled)


@dataclass
class World:
    """A run's progress, and what it depends on."""

    ledger: Ledger
    caller: MemoryCaller
    progress: LedgerProgress


@pytest.fixture
def world(connection: Client) -> World:
    """At most ten deliveries may be open."""
    ledger = Ledger()
    caller = MemoryCaller({LEDGER: ledger})
    stub: Any = MemoryChannel()
    typed: Any = caller
    return World(ledger, caller, LedgerProgress(connection, stub, typed, OwnParts(), max_open=10))


async def test_open_deliveries_hold_back(world: World) -> None:
    """As many as may be open, or more; what is settled does not count."""
    found = []
    for settled in (0, 10, 11, 20):
        world.ledger.settled = settled
        found.append(await world.progress.obstacle("e", 20))
    assert found == ["backlog", "backlog", "", ""]


@pytest.mark.parametrize("stream", [topology.DELIVERIES, topology.TIMERS])
async def test_a_crowded_stream_holds_back(world: World, connection: Client, stream: str) -> None:
    """A quarter of the bound of DELIVERIES; TIMERS has none, and is measured by it, too."""
    bounded = next(one for one in provision.streams(replicas=1, max_bytes=400_000) if one.name == topology.DELIVERIES)
    await connection.jetstream().update_stream(bounded)
    assert await world.progress.obstacle("e", 0) == ""
    subject = "deliveries.email.0" if stream == topology.DELIVERIES else "timers.due.email.0"
    await StreamPublisher(connection).publish(Outgoing(subject, bytes(120_000)))
    assert await world.progress.obstacle("e", 0) == "streams"


@pytest.mark.parametrize("version", ["today's", "earlier"])
async def test_a_ledger_that_does_not_answer(world: World, version: str) -> None:
    """Whoever asks holds the run back, and does not count it as a fault: it is away, or of an earlier version."""
    if version == "earlier":
        world.caller.unimplemented.add("GetEventProgress")
    else:
        world.caller.away.add(LEDGER)
    with pytest.raises(ClarionError) as unknown:
        await world.progress.obstacle("e", 0)
    assert unknown.value.code is Code.UNAVAILABLE
