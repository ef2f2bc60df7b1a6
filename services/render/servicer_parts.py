"""The gRPC PartService. Translates messages, decides nothing."""

from typing import ClassVar

from clarion.common.v1 import event_pb2
from clarion.render.v1 import parts_pb2, parts_pb2_grpc, templates_pb2
from runtime import logs
from services.domain.paging import page_limit
from services.render.applying import PartRollout
from services.render.parts import NewerPartError, NewPart, PartLibrary, PartStore, PartUser, PartVersion
from services.render.servicer import Context, budget
from services.render.servicer_templates import fitting, owners, shown

PART_SERVICE = "clarion.render.v1.PartService"

log = logs.get(__name__)


class PartServicer(parts_pb2_grpc.PartServiceServicer):
    """See proto/clarion/render/v1/parts.proto."""

    # More than is accepted, so that the answer can name the field that is too long.
    MAX_BYTES: ClassVar = {"CreatePart": 2 * 1024 * 1024}

    def __init__(self, parts: PartLibrary, store: PartStore, applying: PartRollout) -> None:
        self._parts = parts
        self._store = store
        self._applying = applying

    async def CreatePart(self, request: parts_pb2.CreatePartRequest, context: Context) -> parts_pb2.CreatePartResponse:
        """Create a new version."""
        new = NewPart(request.tenant_id, request.kind, request.name, request.body)
        try:
            created = await self._parts.create(new, budget(context), based_on=request.based_on)
        except NewerPartError as conflict:
            return parts_pb2.CreatePartResponse(newer=_shown(conflict.newer))
        log.info("part_created", part_version_id=created.id, tenant_id=new.tenant_id, kind=new.kind, name=new.name)
        return parts_pb2.CreatePartResponse(part=_shown(created))

    async def GetPart(self, request: parts_pb2.GetPartRequest, context: Context) -> parts_pb2.GetPartResponse:
        """Return one version."""
        return parts_pb2.GetPartResponse(part=_shown(await self._store.get(request.part_version_id)))

    async def ListParts(self, request: parts_pb2.ListPartsRequest, context: Context) -> parts_pb2.ListPartsResponse:
        """Return versions, newest first."""
        limit = page_limit(request.limit)
        found = await self._store.page(
            tenant_ids=owners(request.tenant_id, request.tenant_ids),
            kind=request.kind,
            name=request.name,
            newest_only=request.newest_only,
            limit=limit,
            cursor=request.cursor,
        )
        page = fitting([_shown(version) for version in found])
        next_cursor = page[-1].id if len(page) == limit or len(page) < len(found) else ""
        return parts_pb2.ListPartsResponse(parts=page, next_cursor=next_cursor)

    async def ListPartUsers(
        self, request: parts_pb2.ListPartUsersRequest, context: Context
    ) -> parts_pb2.ListPartUsersResponse:
        """Return the active templates that use any version of this part."""
        limit = page_limit(request.limit)
        part = await self._store.get(request.part_version_id)
        found = await self._store.all_users(part, request.cursor, limit)
        next_cursor = found[-1].version_id if len(found) == limit else ""
        return parts_pb2.ListPartUsersResponse(users=map(_user, found), next_cursor=next_cursor)

    async def ApplyPart(self, request: parts_pb2.ApplyPartRequest, context: Context) -> parts_pb2.ApplyPartResponse:
        """Update the active templates that use an older version."""
        applied = await self._applying.apply(request.part_version_id, budget(context), request.cursor)
        log.info(
            "part_applied",
            part_version_id=request.part_version_id,
            updated=len(applied.updated),
            failed=len(applied.failed),
        )
        failed = [parts_pb2.ApplyFailure(template_version_id=one, detail=why) for one, why in applied.failed]
        return parts_pb2.ApplyPartResponse(
            updated=map(shown, applied.updated),
            failed=failed,
            more=bool(applied.next_cursor),
            next_cursor=applied.next_cursor,
        )


def _user(found: PartUser) -> parts_pb2.PartUser:
    return parts_pb2.PartUser(
        template_version_id=found.version_id,
        tenant_id=found.tenant_id,
        event_type=found.event_type,
        channel=event_pb2.Channel.ValueType(found.channel),
        locale=found.locale,
        version=found.version,
        part_version=found.part_version,
        is_current=found.is_current,
    )


def _shown(found: PartVersion) -> parts_pb2.PartVersion:
    part = found.part
    return parts_pb2.PartVersion(
        id=found.id,
        version=found.version,
        tenant_id=part.tenant_id,
        kind=templates_pb2.PartKind.ValueType(part.kind),
        name=part.name,
        body=part.body,
        created_at_us=found.created_at_us,
    )
