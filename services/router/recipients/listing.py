"""Lists of stored recipients with any filter."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.router.recipients.row import RecipientRow
from services.router.recipients.store import Pool, RecipientSearch, RecipientStore
from services.router.segments.condition import condition_of
from services.router.segments.filter import EVERYBODY, All, Either, Filter, Test
from services.router.segments.scan import Scan

# The first page that cannot be asked for by number; what a count goes up to.
MAX_OFFSET = 10_000
MAX_COUNTED = 10_000
_SEARCHED = ("recipient_id", "name", "email", "phone")


@dataclass(frozen=True, slots=True)
class Listing:
    """What is listed: see clarion.router.v1.ListRecipientsRequest. segment: its filter; None: whoever."""

    simple: RecipientSearch
    text: str = ""
    segment: Filter | None = None
    offset: int = 0

    @property
    def filter(self) -> Filter:
        """All that is asked for, but where the page begins."""
        simple = self.simple
        parts: list[Filter] = [] if self.segment is None else [self.segment]
        if simple.tags:
            parts.append(Test("tags", "has_all", tuple(simple.tags)))
        parts += [
            Test(name, "is", value) for name, value in (("email", simple.email), ("phone", simple.phone)) if value
        ]
        if self.text:
            parts.append(Either([Test(name, "contains", self.text) for name in _SEARCHED]))
        return All(parts) if parts else EVERYBODY


class RecipientList:
    """Reads pages of recipients. Raises UNAVAILABLE while PostgreSQL is away."""

    def __init__(self, pool: Pool, scan: Scan) -> None:
        self._recipients = RecipientStore(pool)
        self._scan = scan

    async def page(self, tenant_id: str, listing: Listing, limit: int) -> tuple[Sequence[RecipientRow], str]:
        """Return recipients in the order of their creation, and the next cursor; empty: there are no more."""
        if not (listing.text or listing.segment or listing.offset):
            return await self._recipients.page(tenant_id, listing.simple, limit)
        condition, offset = condition_of(listing.filter), listing.offset
        found = await self._scan.page(tenant_id, condition, listing.simple.after, offset + limit)
        rows, _ = await self._recipients.by_ids(tenant_id, found.ids[offset:], limit)
        return rows, found.looked_at

    async def count(self, tenant_id: str, listing: Listing) -> int:
        """Return how many there are; -1: more than MAX_COUNTED."""
        found = await self._scan.count(tenant_id, condition_of(listing.filter), MAX_COUNTED)
        return -1 if found > MAX_COUNTED else found
