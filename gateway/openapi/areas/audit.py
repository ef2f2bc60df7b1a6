"""The audit log."""

from typing import Annotated

from msgspec import Meta

from gateway.openapi.operations import PAGING, SINCE, UNTIL, Operation, admin, filters
from gateway.openapi.values import Id, PageSchema, Shape, Time

_TAG = "Audit log"


class AuditEntrySchema(Shape):
    """One write of the admin API."""

    id: Id
    actor: str
    method: str
    route: str
    resource: str | None
    tenant_id: str | None
    fields: Annotated[list[str], Meta(description="The names of the body's fields.")]
    trace_id: str
    status: Annotated[int | None, Meta(description="null: the gateway ended before it could tell.")]
    begun_at: Time
    finished_at: Time | None


OPERATIONS: tuple[Operation, ...] = (
    admin(
        "GET",
        "/audit",
        "listAuditEntries",
        "List writes, newest first",
        {200: PageSchema[AuditEntrySchema]},
        tag=_TAG,
        parameters=(*filters("actor", "tenant_id", "resource", "method"), SINCE, UNTIL, *PAGING),
    ),
)
