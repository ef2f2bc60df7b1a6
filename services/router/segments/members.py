"""Who is in segments, as planning asks."""

from collections.abc import Collection

from runtime.ids import is_uuid
from services.router.recipients.store import Pool
from services.router.segments.scan import Found, Scan
from services.router.segments.store import SegmentStore


class SegmentMembers:
    """services.router.ports.Segments. A segment's filter is read each time: a change counts at once."""

    def __init__(self, pool: Pool, scan: Scan | None = None) -> None:
        self._segments = SegmentStore(pool)
        self._scan = scan or Scan(pool)

    async def matching(self, tenant_id: str, segment_id: str, recipient_ids: Collection[str]) -> frozenset[str]:
        """See Segments."""
        segment = await self._segments.get(tenant_id, segment_id) if is_uuid(segment_id) else None
        if segment is None or not recipient_ids:
            return frozenset()
        return await self._scan.among(tenant_id, segment.condition, recipient_ids)

    async def step(self, tenant_id: str, segment_id: str, after: str, limit: int, upto: str) -> Found:
        """Return the next members; see Scan.step. Nobody if there is no such segment."""
        segment = await self._segments.get(tenant_id, segment_id) if is_uuid(segment_id) else None
        if segment is None:
            return Found((), "")
        return await self._scan.step(tenant_id, segment.condition, after, limit, upto)
