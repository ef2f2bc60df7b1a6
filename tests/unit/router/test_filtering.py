"""Asking filters without holding up others."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.router.filtering import Filtering
from services.router.filters import Filter, check_filter
from tests.unit.router.planning import an_event

_PAID = check_filter('{"==":[{"var":"payload.status"},"paid"]}')
_FAILS = check_filter('{"+":["x",1]}')
_NO_BODIES: Any = None


@pytest.fixture
async def filtering() -> AsyncIterator[Filtering]:
    """Filters of events that have their bodies."""
    made = Filtering(_NO_BODIES)
    yield made
    await made.close()


def _many(number: int, one: Filter = _PAID) -> dict[str, Filter]:
    return {f"e{n}": one for n in range(number)}


async def test_a_few_filters_are_asked_at_once(filtering: Filtering) -> None:
    """Of a small event; more filters or a larger body take a thread."""
    assert filtering.at_once(an_event(variables=b'{"status":"paid"}'), _many(10)) == frozenset()
    assert filtering.at_once(an_event(variables=b'{"status":"open"}'), _many(2)) == frozenset({"e0", "e1"})
    assert filtering.at_once(an_event(), _many(11)) is None
    assert filtering.at_once(an_event(variables=b'{"s":"%b"}' % (b"x" * 4096)), _many(1)) is None


async def test_many_filters_leave_room_for_others(filtering: Filtering) -> None:
    """The event loop turns while they are asked."""
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    turning = asyncio.create_task(turn())
    event = an_event(variables=b'{"status":"open"}')
    assert await filtering.unmatched(event, _many(1_000)) == set(_many(1_000))
    turning.cancel()
    assert turns >= 20


async def test_a_filter_that_fails_is_logged(filtering: Filtering) -> None:
    """Once for an event, with how many did; their endpoints do not get the event."""
    asked = {**_many(70, _FAILS), "ok": check_filter('{"!!":1}')}
    with capture_logs() as logged:
        assert await filtering.unmatched(an_event(), asked) == set(_many(70))
        assert filtering.at_once(an_event(), _many(1, _FAILS)) == frozenset({"e0"})
    assert [(line["event"], line["failed"]) for line in logged] == [("filters_failed", 70), ("filters_failed", 1)]
    assert logged[0]["endpoint_ids"] == ["e0", "e1", "e2", "e3", "e4"]


async def test_no_filter_at_all(filtering: Filtering) -> None:
    """Nothing is asked, whatever the body."""
    assert filtering.at_once(an_event(variables=b"{"), {}) == frozenset()
    assert await filtering.unmatched(an_event(variables=b"{"), {}) == frozenset()
