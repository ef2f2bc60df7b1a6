"""Requests that were refused."""

from typing import Annotated

from msgspec import Meta

from gateway.openapi.areas.dead_letters import ReasonCountSchema
from gateway.openapi.operations import PAGING, SINCE, UNTIL, Operation, Parameter, admin, filters
from gateway.openapi.values import Id, PageSchema, Shape, Time
from services.domain.refused import BY_WORD

_TAG = "Refused requests"

Reason = Annotated[str, Meta(extra_json_schema={"enum": list(BY_WORD)})]


class RefusedKeySchema(Shape):
    """What may be shown of the key that a refused request carried."""

    id: Annotated[Id | None, Meta(description="Of a further key. null: the tenant's own key, or an unknown one.")]
    name: str | None
    prefix: Annotated[str | None, Meta(description="What an unknown key begins with.")]
    last4: str | None
    state: Annotated[
        str,
        Meta(
            description="At the time of the request.",
            extra_json_schema={"enum": ["valid", "revoked", "rotated", "expired", "disabled", "unknown"]},
        ),
    ]


class RefusalsSchema(Shape):
    """Requests of a minute that were refused for the same reason."""

    id: Id
    tenant_id: Annotated[Id | None, Meta(description="null: the key belongs to no tenant.")]
    key: Annotated[RefusedKeySchema | None, Meta(description="null: the requests had no key.")]
    network: Annotated[str | None, Meta(description="Where they came from. null: the key was valid.")]
    method: str | None
    route: str
    status: int
    reason: Reason
    text: Annotated[str, Meta(description="The reason in plain words.")]
    fix: Annotated[str, Meta(description="What to do about it.")]
    detail: Annotated[str | None, Meta(description="What the last response said.")]
    fields: Annotated[list[str], Meta(description="The names of the wrong fields, without their values.")]
    count: int
    first_at: Time
    last_at: Time
    trace_id: Annotated[str, Meta(description="Of the last one.")]


_FILTERS = (
    *filters("tenant_id"),
    Parameter("status", Annotated[int, Meta(ge=400, le=599)]),
    Parameter("key_id", Id),
)

OPERATIONS: tuple[Operation, ...] = (
    admin(
        "GET",
        "/refused-requests",
        "listRefusedRequests",
        "List refused requests of the public APIs, newest first",
        {200: PageSchema[RefusalsSchema]},
        tag=_TAG,
        parameters=(
            *_FILTERS,
            Parameter("reason", Reason),
            SINCE,
            UNTIL,
            *PAGING,
        ),
    ),
    admin(
        "GET",
        "/refused-requests/reasons",
        "countRefusedRequests",
        "Count refused requests by reason",
        {200: PageSchema[ReasonCountSchema]},
        tag=_TAG,
        parameters=(*_FILTERS, SINCE, UNTIL),
        description="Of the newest 10,000 rows of the list, the most frequent reason first.",
    ),
)
