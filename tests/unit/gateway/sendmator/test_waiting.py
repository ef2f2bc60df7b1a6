"""How long the synchronous call waits for an event."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.dialects.sendmator.errors import not_found
from gateway.dialects.sendmator.events import calls
from tests.unit.gateway.sendmator.callers import caller


class _Triggers:
    """Does not know the trigger; a call takes as long as the ledger does not answer."""

    def __init__(self, *, answers: bool) -> None:
        self._answers = answers
        self.asked = 0

    async def get(self, *_: object, waits: bool = True) -> None:
        """Raise 404."""
        self.asked += 1
        if waits or not self._answers:
            await asyncio.Event().wait()
        raise not_found("Trigger")


@pytest.mark.parametrize("answers", [True, False])
async def test_it_ends_in_time_although_the_ledger_is_late(*, answers: bool) -> None:
    """Also while a call is under way: it does not begin a wait of its own, and is given up."""
    triggers = _Triggers(answers=answers)
    call: Any = SimpleNamespace(caller=caller(), triggers=triggers)
    async with asyncio.timeout(5):
        assert await calls._processed(call, "t", time.monotonic() + 0.3) is None
    assert triggers.asked > 1 or not answers
