"""The bodies that are kept in memory."""

import asyncio
from typing import Any

import pytest

from clarion.common.v1 import event_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from runtime.parts import OwnParts
from services.delivery.bodies import Bodies, Body
from tests.fakes.grpc import MemoryCaller, MemoryChannel
from tests.fakes.nats import MemoryBroker


class Readings:
    """Stands for the broker and the ledger. answers: of the readings, in their order; each waits for its gate."""

    def __init__(self, *answers: "Body | ClarionError") -> None:
        self.answers = list(answers)
        self.gates = [asyncio.Event() for _ in answers]
        self.begun = 0

    async def __call__(self, _: event_pb2.Delivery) -> Body:
        """Give the next answer."""
        number = self.begun
        self.begun += 1
        await self.gates[number].wait()
        answer = self.answers[number]
        if isinstance(answer, ClarionError):
            raise answer
        return answer


async def test_a_reading_that_fails_leaves_the_next_one_to_those_that_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """The body is read once after that and counted once, although a third delivery asks for it at the same time."""
    readings = Readings(ClarionError(Code.UNAVAILABLE, "Away."), Body(b"body", b""), Body(b"body", b""))
    broker: Any = MemoryBroker()
    channel: Any = MemoryChannel()
    caller: Any = MemoryCaller({})
    bodies = Bodies(broker, channel, caller, OwnParts())
    monkeypatch.setattr(bodies, "_from_stream", readings)
    delivery = event_pb2.Delivery(tenant_id=new_id(), event_id=new_id())
    delivery.body_reference.size = 4
    first, second = (asyncio.create_task(bodies.complete(delivery)) for _ in range(2))
    await asyncio.sleep(0)
    readings.gates[0].set()
    with pytest.raises(ClarionError):
        await first
    third = asyncio.create_task(bodies.complete(delivery))
    for gate in readings.gates:
        gate.set()
    assert [(await one).variables for one in (second, third)] == [b"body", b"body"]
    assert (readings.begun, bodies._kept_bytes) == (2, 4)
    assert (bodies._readers, bodies._reading) == ({}, {})
