"""The writer: sending never waits for it, and its queue has a bound."""

import asyncio
from collections.abc import Sequence

from prometheus_client import REGISTRY

from clarion.render.v1 import render_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import derived_id_at
from services.senders.contents import capture
from services.senders.contents.capture import Row
from services.senders.contents.ports import Captured, RefusedRows
from services.senders.contents.writer import MAX_BYTES, ContentWriter
from tests.unit.senders import builders

_AWAY = ClarionError(Code.UNAVAILABLE, "The database does not answer.", retry_after=1)


class _Rows:
    """Keeps the rows of each statement. failure: raised instead. may_go_on: each statement waits for it."""

    def __init__(self) -> None:
        self.statements: list[list[Row]] = []
        self.failure: Exception | None = None
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    async def insert(self, rows: Sequence[Row]) -> None:
        """Keep them."""
        await self.may_go_on.wait()
        if self.failure is not None:
            raise self.failure
        self.statements.append(list(rows))


def _captured(text: str = "Hello") -> Captured:
    delivery = builders.delivery()
    delivery.id = derived_id_at(delivery.event_id, delivery.event_id)
    return capture.of_message(delivery, render_pb2.Content(), builders.sms(text), None, "sandbox", "p1", 1)


def _lost(reason: str) -> float:
    return REGISTRY.get_sample_value("clarion_contents_lost_total", {"reason": reason}) or 0.0


async def test_many_in_one_statement() -> None:
    """What is recorded in a moment is one statement: far fewer than 0.05 a delivery."""
    rows = _Rows()
    writer = ContentWriter(rows, lambda _: True)
    for _ in range(1_000):
        writer.record(_captured())
    await writer.drain()
    assert [len(one) for one in rows.statements] == [1_000]


async def test_a_full_queue_loses_contents_and_delays_nothing() -> None:
    """They are counted; when there is room again, later ones are stored."""
    rows, before = _Rows(), _lost("queue_full")
    rows.may_go_on.clear()
    writer = ContentWriter(rows, lambda _: True, max_waiting_bytes=1_000)
    for _ in range(10):
        writer.record(_captured("x" * 100))
    lost = _lost("queue_full") - before
    assert 5 <= lost < 10
    rows.may_go_on.set()
    await writer.drain()
    writer.record(_captured())
    await writer.drain()
    assert sum(map(len, rows.statements)) == 10 - lost + 1


async def test_while_the_database_is_away_contents_are_let_go() -> None:
    """After a while, counted; the next ones are stored."""
    rows, before = _Rows(), _lost("database")
    rows.failure = _AWAY
    writer = ContentWriter(rows, lambda _: True, patience_s=0.0)
    writer.record(_captured())
    await writer.drain()
    assert _lost("database") == before + 1
    rows.failure = RefusedRows("invalid")
    writer.record(_captured())
    await writer.drain()
    assert _lost("database") == before + 2
    rows.failure = None
    writer.record(_captured())
    await writer.drain()
    assert [len(one) for one in rows.statements] == [1]


async def test_what_is_not_wanted_is_not_stored() -> None:
    """By the tenant or the installation, and what is too large, or what no erasure would find."""
    rows = _Rows()
    ContentWriter(rows, lambda _: False).record(_captured())
    writer, before = ContentWriter(rows, lambda _: True), _lost("too_large")
    writer.record(_captured("x" * (MAX_BYTES + 1)))
    early = _captured()
    writer.record(early._replace(delivery_id=builders.delivery().id))
    writer.record(early._replace(tenant_id="no uuid"))
    await writer.drain()
    assert (rows.statements, _lost("too_large")) == ([], before + 1)
