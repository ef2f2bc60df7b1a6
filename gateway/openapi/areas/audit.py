"""The audit log."""

from typing import Annotated

from msgspec import Meta

from gateway.audit_words import KINDS
from gateway.openapi.operations import PAGING, SINCE, UNTIL, Operation, Parameter, admin, filters
from gateway.openapi.values import Id, PageSchema, Shape, Time

_TAG = "Audit log"
AuditKind = Annotated[str, Meta(extra_json_schema={"enum": list(KINDS)})]


class AuditPartSchema(Shape):
    """A part of a sentence. link: a page of the console about it."""

    text: str
    link: str | None


class AuditEntrySchema(Shape):
    """One call that changes something: by the admin API, the console, the portal, or an API of tenants."""

    id: Id
    text: Annotated[
        str,
        Meta(
            description="Who did what, as a sentence with the names of today; ids stand for what has none.",
            examples=["Olga Owner rotated the webhook secret of Acme"],
        ),
    ]
    sentence: Annotated[list[AuditPartSchema], Meta(description="The same in parts, with links.")]
    kind: Annotated[str | None, Meta(description="What it is about; a value of the filter `kind`.")]
    actor: Annotated[str, Meta(description="The name of an admin token, or `user:` and the id of a console user.")]
    actor_name: Annotated[str, Meta(description="The subject of the sentence.")]
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
        parameters=(
            *filters("actor", "tenant_id", "resource", "method"),
            Parameter("kind", AuditKind, "Only what is about such an object."),
            SINCE,
            UNTIL,
            *PAGING,
        ),
    ),
)
