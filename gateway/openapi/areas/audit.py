"""The audit log."""

from typing import Annotated

from msgspec import Meta

from gateway.openapi.operations import PAGING, SINCE, UNTIL, Operation, admin, filters
from gateway.openapi.values import Id, PageSchema, Shape, Time

_TAG = "Audit log"


class AuditEntrySchema(Shape):
    """One call of the admin API that changes something."""

    id: Id
    actor: Annotated[str, Meta(description="The name of an admin token, or `user:` and the id of a console user.")]
    actor_email: str | None
    method: str
    route: str
    resource: str | None
    tenant_id: str | None
    fields: Annotated[
        list[str], Meta(description="The names of the fields in the request's body, without their values.")
    ]
    trace_id: str
    status: Annotated[
        int | None,
        Meta(description="The HTTP status that was answered. null: the gateway ended before it could record it."),
    ]
    begun_at: Time
    finished_at: Time | None


OPERATIONS: tuple[Operation, ...] = (
    admin(
        "GET",
        "/audit",
        "listAuditEntries",
        "List changes, newest first",
        {200: PageSchema[AuditEntrySchema]},
        tag=_TAG,
        parameters=(*filters("actor", "tenant_id", "resource", "method"), SINCE, UNTIL, *PAGING),
    ),
)
