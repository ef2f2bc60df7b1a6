"""What the core needs from outside."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from services.render.frames import Answer, Source
from services.render.jobs import Job


class Workers(Protocol):
    """Runs jobs where they can do no harm."""

    async def run(self, jobs: Sequence[Job], budget: float) -> list[Answer | None]:
        """Return an answer per job; None where it had no turn in time. Raises QueueFullError."""


class Sources(Protocol):
    """Knows template versions as they were written."""

    async def find(self, version_ids: Collection[str]) -> Mapping[str, Source]:
        """Return those that exist. Raises ClarionError where nobody can tell."""
