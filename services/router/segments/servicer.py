"""SegmentService: wire to stores."""

from typing import Any

from clarion.router.v1 import segments_pb2, segments_pb2_grpc
from runtime import logs
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid
from services.domain.paging import page_limit
from services.router.recipients.check import invalid, tenant, text
from services.router.recipients.servicer import check, recipient_of
from services.router.recipients.store import RecipientStore
from services.router.segments.condition import Condition
from services.router.segments.scan import Scan
from services.router.segments.store import SegmentRow, SegmentStore, compiled

SEGMENT_SERVICE = "clarion.router.v1.SegmentService"

MAX_COUNTED = 100_000
MAX_KEY = 64
# Members that a count shows.
_FIRST = 5

log = logs.get(__name__)


class SegmentServicer(segments_pb2_grpc.SegmentServiceServicer):
    """See proto/clarion/router/v1/segments.proto."""

    def __init__(self, segments: SegmentStore, scan: Scan, recipients: RecipientStore) -> None:
        self._segments = segments
        self._scan = scan
        self._recipients = recipients

    async def CreateSegment(
        self, request: segments_pb2.CreateSegmentRequest, context: Any
    ) -> segments_pb2.CreateSegmentResponse:
        """Store a segment."""
        new = request.segment
        faults = [
            *tenant(new.tenant_id),
            *text("key", new.key, limit=MAX_KEY, required=True),
            *text("name", new.name, required=True),
        ]
        if faults:
            raise invalid(faults)
        compiled(new.filter)
        row = await self._segments.create(new.tenant_id, new.key, new.name, new.filter)
        log.info("segment_stored", tenant_id=new.tenant_id, segment_id=row.id)
        return segments_pb2.CreateSegmentResponse(segment=_segment(new.tenant_id, row))

    async def GetSegment(
        self, request: segments_pb2.GetSegmentRequest, context: Any
    ) -> segments_pb2.GetSegmentResponse:
        """Return a segment."""
        row = await self._find(request.tenant_id, request.segment_id)
        return segments_pb2.GetSegmentResponse(segment=_segment(request.tenant_id, row))

    async def ListSegments(
        self, request: segments_pb2.ListSegmentsRequest, context: Any
    ) -> segments_pb2.ListSegmentsResponse:
        """List segments."""
        limit = page_limit(request.limit)
        check(request.tenant_id)
        rows = await self._segments.page(request.tenant_id, _after(request.cursor), limit)
        # The id comes first, because it has always the same length.
        next_cursor = f"{rows[-1].id}{rows[-1].name}" if len(rows) == limit else ""
        segments = [_segment(request.tenant_id, row) for row in rows]
        return segments_pb2.ListSegmentsResponse(segments=segments, next_cursor=next_cursor)

    async def UpdateSegment(
        self, request: segments_pb2.UpdateSegmentRequest, context: Any
    ) -> segments_pb2.UpdateSegmentResponse:
        """Change a segment's name or filter."""
        await self._find(request.tenant_id, request.segment_id)
        if request.HasField("name") and (faults := list(text("name", request.name, required=True))):
            raise invalid(faults)
        if request.HasField("filter"):
            compiled(request.filter)
        row = await self._segments.update(
            request.tenant_id,
            request.segment_id,
            request.name if request.HasField("name") else None,
            request.filter if request.HasField("filter") else None,
        )
        if row is None:
            raise _no_segment()
        log.info("segment_changed", tenant_id=request.tenant_id, segment_id=row.id)
        return segments_pb2.UpdateSegmentResponse(segment=_segment(request.tenant_id, row))

    async def DeleteSegment(
        self, request: segments_pb2.DeleteSegmentRequest, context: Any
    ) -> segments_pb2.DeleteSegmentResponse:
        """Delete a segment that no workflow and no schedule names."""
        await self._find(request.tenant_id, request.segment_id)
        if not await self._segments.delete(request.tenant_id, request.segment_id):
            raise _no_segment()
        log.info("segment_deleted", tenant_id=request.tenant_id, segment_id=request.segment_id)
        return segments_pb2.DeleteSegmentResponse()

    async def CountSegment(
        self, request: segments_pb2.CountSegmentRequest, context: Any
    ) -> segments_pb2.CountSegmentResponse:
        """Count the members of a segment, or of a filter that is not stored."""
        check(request.tenant_id)
        condition = await self._condition(request)
        total = await self._scan.count(request.tenant_id, condition, MAX_COUNTED)
        first = await self._scan.page(request.tenant_id, condition, "", _FIRST) if total else None
        rows, _ = await self._recipients.by_ids(request.tenant_id, first.ids if first else (), _FIRST)
        return segments_pb2.CountSegmentResponse(
            count=min(total, MAX_COUNTED), is_cut=total > MAX_COUNTED, first=map(recipient_of, rows)
        )

    async def ListSegmentMembers(
        self, request: segments_pb2.ListSegmentMembersRequest, context: Any
    ) -> segments_pb2.ListSegmentMembersResponse:
        """List the members of a segment."""
        limit = page_limit(request.limit)
        check(request.tenant_id, cursor=request.cursor)
        segment = await self._find(request.tenant_id, request.segment_id)
        found = await self._scan.page(request.tenant_id, segment.condition, request.cursor, limit)
        rows, _ = await self._recipients.by_ids(request.tenant_id, found.ids, limit)
        return segments_pb2.ListSegmentMembersResponse(recipients=map(recipient_of, rows), next_cursor=found.looked_at)

    async def _condition(self, request: segments_pb2.CountSegmentRequest) -> Condition:
        if bool(request.segment_id) == bool(request.filter):
            raise invalid([("filter", "is required, or segment_id, but not both")])
        if request.filter:
            return compiled(request.filter)
        return (await self._find(request.tenant_id, request.segment_id)).condition

    async def _find(self, tenant_id: str, segment_id: str) -> SegmentRow:
        check(tenant_id)
        row = await self._segments.get(tenant_id, segment_id) if is_uuid(segment_id) else None
        if row is None:
            raise _no_segment()
        return row


def _after(cursor: str) -> tuple[str, str]:
    """Return name and id of the last segment of the page before. Raises INVALID."""
    id_, name = cursor[:36], cursor[36:]
    if cursor and (not is_uuid(id_) or list(text("cursor", name))):
        raise invalid([("cursor", "must be the next_cursor of the previous page")])
    return name, id_


def _no_segment() -> ClarionError:
    return ClarionError(Code.NOT_FOUND, "There is no segment with this id.")


def _segment(tenant_id: str, row: SegmentRow) -> segments_pb2.Segment:
    return segments_pb2.Segment(
        id=row.id,
        tenant_id=tenant_id,
        key=row.key,
        name=row.name,
        filter=row.filter,
        created_at_us=row.created_at_us,
        updated_at_us=row.updated_at_us,
    )
