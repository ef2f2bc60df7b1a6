"""This process's copy of what other services publish, and how long an event waits for it."""

import time
from typing import Protocol

# How long an event waits for the copy to have a revision that its caller knows of, seconds.
PATIENCE_S = 0.05
# How long a revision that did not come is not waited for again, seconds, and how many such revisions are remembered.
_GIVEN_UP_S = 10.0
MAX_GIVEN_UP = 1000


class PublishedCopy(Protocol):
    """See runtime.configuration.ConfigurationWatch."""

    def get(self, key: str) -> bytes | None:
        """Return the key's value as last seen: the same object until another value is seen."""

    async def reached(self, revision: int, deadline_s: float) -> bool:
        """Return whether the copy has this revision, after waiting for it at most so many seconds."""


class Revisions:
    """Waits for revisions of the copy."""

    def __init__(self, copy: PublishedCopy) -> None:
        self._copy = copy
        # When each revision that did not come was given up; the last one at the end.
        self._given_up: dict[int, float] = {}

    async def reach(self, revision: int) -> None:
        """Wait a moment for a revision, unless it did not come for an earlier event a few seconds ago. 0: none."""
        if not revision:
            return
        # Given up for a while only: a bucket that was made again counts from 1, so the number may come after all.
        given_up_at = self._given_up.get(revision)
        if given_up_at is not None and time.monotonic() < given_up_at + _GIVEN_UP_S:
            return
        if await self._copy.reached(revision, PATIENCE_S):
            return
        self._given_up.pop(revision, None)
        self._given_up[revision] = time.monotonic()
        if len(self._given_up) > MAX_GIVEN_UP:
            del self._given_up[next(iter(self._given_up))]
