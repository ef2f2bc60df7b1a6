"""The hits of a search, in the order in which somebody wants to see them: pure."""

from collections.abc import Iterable

from clarion.common.v1 import search_pb2
from services.domain.searching import hit
from services.ingest.ledger.timeline import Row, to_us

# What an id may name, the most wanted first.
_ORDER = {kind: place for place, kind in enumerate(("event", "delivery", "recipient", "tenant", "api_key"))}


def hits(rows: Iterable[Row], limit: int) -> list[search_pb2.SearchHit]:
    """Return up to limit different hits, the newest of each kind first."""
    found: dict[tuple[str, str, str, str], search_pb2.SearchHit] = {}
    for row in sorted(rows, key=lambda one: (_ORDER[one["kind"]], -to_us(one["at"]))):
        # A tenant's own key has no id.
        key = (row["kind"], row["id"], str(row["tenant_id"]), "" if row["id"] else row["detail"])
        found.setdefault(key, hit(row, tenant_name=row["tenant_name"] or ""))
    return list(found.values())[:limit]
