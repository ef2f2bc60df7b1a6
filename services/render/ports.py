"""What rendering needs from outside."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from services.render.frames import TaskResult, TemplateSource
from services.render.jobs import Job


class Workers(Protocol):
    """Runs jobs in isolated processes."""

    async def run(self, jobs: Sequence[Job], budget: float) -> list[TaskResult | None]:
        """Return an answer per job; None for one that had no turn in time. Raises QueueFullError."""


class TemplateSources(Protocol):
    """Finds template versions as they were written."""

    async def find(self, version_ids: Collection[str]) -> Mapping[str, TemplateSource]:
        """Return those that exist. Raises UNAVAILABLE if that cannot be found out."""
