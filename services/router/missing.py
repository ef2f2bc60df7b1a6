"""Stands where runs are not stored: the events that need one wait, unacknowledged."""

from collections.abc import Sequence

from runtime.errors import ClarionError, Code
from services.router.ports import NewRun


class NoRuns:
    """Implements ports.Runs."""

    async def begin(self, new: Sequence[NewRun]) -> None:  # noqa: ARG002 - the port's
        """Raise UNAVAILABLE."""
        raise ClarionError(Code.UNAVAILABLE, "This router stores no runs.")
