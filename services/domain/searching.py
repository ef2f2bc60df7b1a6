"""What somebody types who looks for one thing by its id: pure."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from clarion.common.v1 import event_pb2, search_pb2
from runtime.clock import micros_of
from services.domain import channels
from services.domain.checks import check_tenant_ids, invalid

# Characters of a query, and of the least part of an id.
MIN_QUERY, MAX_QUERY = 3, 255
MIN_PREFIX = 8
MAX_HITS = 20

_HEX = frozenset("0123456789abcdef")
_DIGITS = 32


class SearchRequest(Protocol):
    """A request of one of the services' searches."""

    @property
    def query(self) -> str:
        """What was typed."""

    @property
    def tenant_ids(self) -> Sequence[str]:
        """The tenants that may be searched; empty: all."""

    @property
    def limit(self) -> int:
        """The largest number of hits; 0: MAX_HITS."""


class IdRange(NamedTuple):
    """The lowest and the highest id that begin as the query does."""

    low: str
    high: str


def id_range(query: str) -> IdRange | tuple[None, None]:
    """Return the ids that begin with the query, which may lack its hyphens; None: no id does."""
    digits = query.lower().replace("-", "")
    if not MIN_PREFIX <= len(digits) <= _DIGITS or not _HEX.issuperset(digits):
        return None, None
    return IdRange(_id(digits.ljust(_DIGITS, "0")), _id(digits.ljust(_DIGITS, "f")))


def _id(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def check_search(request: SearchRequest) -> tuple[str, list[str], int]:
    """Return the query without space around it, the tenants and the limit. Raises INVALID."""
    query = request.query.strip()
    if not MIN_QUERY <= len(query) <= MAX_QUERY or "\0" in query:
        raise invalid("query", f"must have {MIN_QUERY} to {MAX_QUERY} characters, none of them NUL")
    if not 0 <= request.limit <= MAX_HITS:
        raise invalid("limit", f"must be a whole number from 1 to {MAX_HITS}")
    return query, check_tenant_ids(request.tenant_ids) or [], request.limit or MAX_HITS


class FoundRow(Protocol):
    """A row of a search: kind, id, tenant_id, title, detail, at, and, of a delivery, channel and event_id."""

    def __getitem__(self, column: str, /) -> Any:
        """Return a column's value."""


def hit(row: FoundRow, *, tenant_name: str = "") -> search_pb2.SearchHit:
    """Return what was found. A channel is named at the beginning of the detail."""
    channel = channels.PUBLIC_NAMES.get(event_pb2.Channel.ValueType(row["channel"] or 0), "")
    return search_pb2.SearchHit(
        kind=row["kind"],
        id=str(row["id"]),
        tenant_id=str(row["tenant_id"] or ""),
        tenant_name=tenant_name,
        title=row["title"] or "",
        detail=", ".join(filter(None, (channel, row["detail"]))),
        at_us=micros_of(row["at"]) if row["at"] is not None else 0,
        event_id=str(row["event_id"] or ""),
    )
