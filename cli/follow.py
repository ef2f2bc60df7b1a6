"""Following one event until it is finished."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from typing import Any

from cli.api import AdminClient, Refused, segment

# The ledger is about a second behind; after that, steps come as attempts end.
_FIRST_S = 0.25
_LONGEST_S = 3.0
# What ended well.
_GOOD = frozenset({"sent", "delivered", "skipped"})


class NotFinished(Exception):
    """The event was not finished in time."""


async def follow(client: AdminClient, event_id: str, *, timeout_s: float) -> AsyncIterator[dict[str, Any]]:
    """Yield the event with its timeline each time it has changed, until it is finished.

    An event that was accepted a moment ago may be unknown yet: that is waited for. Raises NotFinished, and like
    AdminClient.get().
    """
    until = time.monotonic() + timeout_s
    pause, seen = _FIRST_S, -1
    while True:
        event = await _read(client, event_id, last=time.monotonic() > until)
        if event is not None:
            if len(event["timeline"]) != seen:
                seen, pause = len(event["timeline"]), _FIRST_S
                yield event
            if event["finished_at"]:
                return
        if time.monotonic() > until:
            raise NotFinished(f"The event was not finished within {timeout_s:g} s. Follow it again later.")
        await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - jitter
        pause = min(_LONGEST_S, pause * 1.5)


async def _read(client: AdminClient, event_id: str, *, last: bool) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = await client.get(f"/events/{segment(event_id)}")
    except Refused as error:
        if error.status != 404 or last:
            raise
        return None
    return found


def failures(event: dict[str, Any]) -> int:
    """Return how many deliveries of a finished event ended badly."""
    return sum(count for status, count in event["counts"].items() if status not in _GOOD)
