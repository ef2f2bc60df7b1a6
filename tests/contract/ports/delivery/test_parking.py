"""delivery.ports.Parking: the rows of the senders, and those of the worker's tests."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
from nats.aio.client import Client

from clarion.common.v1 import event_pb2
from runtime import postgres
from runtime.ids import derived_id, new_id
from runtime.parts import OwnParts
from services.delivery.ports import ParkedDelivery, Parking
from services.domain.reasons import Reason
from services.senders.webhooks.parking.rows import ParkedRows
from tests.contract.ports.implementations import either
from tests.fakes.parking import MemoryParking
from tests.integration.outboxes import PatientOutbox

BOUND = 5


@dataclass
class Subject:
    """An implementation with room for BOUND rows of an endpoint."""

    parking: Any
    endpoint_id: str
    tenant_id: str

    def delivery(self, **fields: Any) -> event_pb2.Delivery:
        """A delivery to the endpoint."""
        event_id = new_id()
        webhook = event_pb2.Webhook(endpoint_id=self.endpoint_id)
        defaults: dict[str, Any] = {"id": derived_id(event_id), "event_id": event_id, "attempt": 1, "webhook": webhook}
        return event_pb2.Delivery(**{**defaults, "tenant_id": self.tenant_id, **fields})

    async def park(self, delivery: event_pb2.Delivery, *, is_claimed: bool = False) -> bool:
        """Store a row."""
        parking: Parking = self.parking
        return await parking.park(ParkedDelivery(delivery, Reason.RETRY, 7), is_claimed=is_claimed)

    async def found(self, delivery: event_pb2.Delivery) -> event_pb2.Delivery | None:
        """The delivery as its row has it."""
        parking: Parking = self.parking
        row = await parking.find(delivery)
        return row.delivery if row is not None else None


def _fake() -> Subject:
    return Subject(MemoryParking(bound=BOUND), new_id(), new_id())


@pytest.fixture
async def pool(postgres_url: str) -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
    """Connections to this test's database."""
    pool = await postgres.connect(postgres_url, name="test", size=4, bitmap_scans=False)
    yield pool
    await pool.close()


@pytest.fixture
def real(pool: "asyncpg.Pool[asyncpg.Record]", connection: Client) -> Subject:
    """The senders' rows."""
    outbox = PatientOutbox(pool, "senders", connection)
    return Subject(ParkedRows(pool, outbox, OwnParts(), bound=lambda _: BOUND), new_id(), new_id())


subject = either(_fake)


async def test_what_is_parked_is_found(subject: Subject) -> None:
    """With its reason and time; a replay has a row of its own."""
    one = subject.delivery(variables=b"{}")
    assert await subject.found(one) is None
    assert await subject.park(one)
    row = await subject.parking.find(one)
    assert (row.delivery, row.reason, row.due_us) == (one, "retry", 7)
    again = subject.delivery(id=one.id, replay=1)
    assert await subject.found(again) is None
    assert await subject.park(again)
    assert (await subject.found(one), await subject.found(again)) == (one, again)


async def test_it_is_stored_once(subject: Subject) -> None:
    """A repeat changes nothing and takes no room."""
    one = subject.delivery(claim="DELIVERIES.1")
    for _ in range(BOUND + 1):
        assert await subject.park(one)
    other = subject.delivery(id=one.id, claim="DELIVERIES.2")
    assert await subject.park(other)
    assert await subject.found(one) == one


async def test_a_later_attempt_replaces_an_earlier_one(subject: Subject) -> None:
    """And not the other way round."""
    one = subject.delivery()
    later = subject.delivery(id=one.id, attempt=2)
    assert await subject.park(one)
    assert await subject.park(later)
    assert await subject.park(one)
    assert await subject.found(one) == later
    assert await subject.found(subject.delivery(id=one.id, attempt=3)) is None


async def test_the_copy_that_has_the_claim_replaces_another(subject: Subject) -> None:
    """Otherwise the row would be dropped as the copy of another one."""
    one = subject.delivery(claim="DELIVERIES.1")
    copy = subject.delivery(id=one.id, claim="DELIVERIES.2")
    assert await subject.park(one)
    assert await subject.park(copy, is_claimed=True)
    found = await subject.found(one)
    assert found is not None
    assert found.claim == "DELIVERIES.2"


async def test_no_more_than_may_be(subject: Subject) -> None:
    """Past the bound nothing new is stored; what is there stays, and may be repeated."""
    stored = [subject.delivery() for _ in range(BOUND)]
    assert [await subject.park(one) for one in stored] == [True] * BOUND
    extra = subject.delivery()
    assert not await subject.park(extra)
    assert await subject.found(extra) is None
    assert await subject.park(stored[0])
