"""The hits of a search, in the order in which somebody wants to see them: pure."""

from collections.abc import Iterable

from clarion.common.v1 import event_pb2, search_pb2
from services.domain import channels
from services.ingest.ledger.timeline import Row, to_us

# What an id may name, the most wanted first.
_ORDER = {kind: place for place, kind in enumerate(("event", "delivery", "recipient", "tenant", "api_key"))}
_CHANNEL = "channel "


def hits(rows: Iterable[Row], limit: int) -> list[search_pb2.SearchHit]:
    """Return up to limit different hits."""
    found: dict[tuple[str, str, str], search_pb2.SearchHit] = {}
    for row in sorted(rows, key=lambda one: (_ORDER[one["kind"]], -to_us(one["at"]))):
        found.setdefault((row["kind"], row["id"], str(row["tenant_id"]) + row["detail"] * (not row["id"])), _hit(row))
    return list(found.values())[:limit]


def _hit(row: Row) -> search_pb2.SearchHit:
    return search_pb2.SearchHit(
        kind=row["kind"],
        id=row["id"],
        tenant_id=str(row["tenant_id"] or ""),
        tenant_name=row["tenant_name"] or "",
        title=row["title"] or "",
        detail=_detail(row["detail"] or ""),
        at_us=to_us(row["at"]),
        event_id=str(row["event_id"] or ""),
    )


def _detail(text: str) -> str:
    """Return the detail with the channel's name in place of its number."""
    if text.startswith(_CHANNEL):
        return channels.NAMES.get(event_pb2.Channel.ValueType(int(text.removeprefix(_CHANNEL))), "")
    return text
