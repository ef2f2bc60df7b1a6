"""The hub of live changes: one stream for all pages, that begins again whenever a page needs it."""

import asyncio
from collections.abc import AsyncIterator, Collection

import pytest

from clarion.ingest.v1 import activity_pb2
from gateway.live import hub
from gateway.live.hub import LiveHub
from gateway.live.watches import Command, Watch
from tests.waiting import eventually


class Page:
    """A page that watches one tenant. got: the batches that it has been handed, without "interrupted"."""

    def __init__(self, tenant_id: str) -> None:
        self.watches = [Watch("w", frozenset({tenant_id}), Command(type="watch", id="w"))]
        self.got = 0

    def take(self, batch: activity_pb2.TailResponse) -> None:
        """Count it."""
        self.got += not batch.interrupted

    def away(self) -> None:
        """Do nothing."""


class Streams:
    """Streams as ingest has them; closing one takes until may_close is set."""

    def __init__(self) -> None:
        self.opened: list[Collection[str]] = []
        self.closing = asyncio.Event()
        self.may_close = asyncio.Event()

    async def open(self, tenants: Collection[str]) -> AsyncIterator[activity_pb2.TailResponse]:
        """Open one, which says at once that it watches."""
        self.opened.append(tenants)
        try:
            yield activity_pb2.TailResponse()
            await asyncio.Event().wait()
        finally:
            self.closing.set()
            await self.may_close.wait()


async def test_a_page_that_comes_while_the_stream_is_closed_gets_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last page has left, its stream is being closed, and the next page comes before that is done."""
    monkeypatch.setattr(hub, "_LINGER_S", 0.0)
    streams = Streams()
    live = LiveHub(streams.open)
    first, second = Page("one"), Page("two")
    live.join(first)
    live.watches_changed()
    await eventually(lambda: first.got)
    live.leave(first)
    await streams.closing.wait()
    live.join(second)
    live.watches_changed()
    assert len(streams.opened) == 1
    streams.may_close.set()
    await eventually(lambda: second.got)
    assert [list(one) for one in streams.opened] == [["one"], ["two"]]
    await live.close()


async def test_a_stream_that_ends_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ingest has restarted: the page is told, and gets what follows."""
    monkeypatch.setattr(hub, "_FIRST_PAUSE_S", 0.0)
    ends: list[asyncio.Event] = []

    async def opened(_tenants: Collection[str]) -> AsyncIterator[activity_pb2.TailResponse]:
        ends.append(asyncio.Event())
        yield activity_pb2.TailResponse()
        await ends[-1].wait()

    live, page = LiveHub(opened), Page("one")
    live.join(page)
    live.watches_changed()
    for number in (1, 2, 3):
        await eventually(lambda number=number: page.got == number)
        ends[-1].set()
    await live.close()
