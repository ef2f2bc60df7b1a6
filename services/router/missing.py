"""Stands where recipients and runs are not stored: the events that need them wait, unacknowledged."""

from collections.abc import Collection, Mapping, Sequence

from runtime.errors import ClarionError, Code
from services.router.ports import MemberPage, Membership, NewRun, Person, RecipientKey


class NoStoredRecipients:
    """Implements ports.StoredRecipients."""

    async def find(self, wanted: Collection[RecipientKey]) -> Mapping[RecipientKey, Person]:  # noqa: ARG002 - the port's
        """Raise UNAVAILABLE."""
        raise _missing("recipients")

    async def page(self, membership: Membership, after: str, limit: int) -> MemberPage:  # noqa: ARG002 - the port's
        """Raise UNAVAILABLE."""
        raise _missing("recipients")


class NoRuns:
    """Implements ports.Runs."""

    async def begin(self, new: Sequence[NewRun]) -> None:  # noqa: ARG002 - the port's
        """Raise UNAVAILABLE."""
        raise _missing("runs")


def _missing(what: str) -> ClarionError:
    return ClarionError(Code.UNAVAILABLE, f"This router stores no {what}.")
