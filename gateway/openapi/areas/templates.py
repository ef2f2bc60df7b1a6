"""Templates and their versions."""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from gateway.admin.templates import Draft, NewTemplate
from gateway.openapi.operations import PAGING, Operation, Parameter, admin, filters
from gateway.openapi.values import Channel, Id, Page, Shape, Time

_TAG = "Templates"


class Template(Shape):
    """A version of a template."""

    id: Id
    version: int
    tenant_id: Annotated[str | None, Meta(description="null: a platform template, for every tenant.")]
    event_type: str
    channel: Channel
    subject: str
    body: str
    push_namespace: str
    active: bool
    created_at: Time


class Content(Shape):
    """A rendered message."""

    subject: str
    html: str
    text: str
    title: str
    body: str


class RenderFailure(Shape):
    """Why it cannot be rendered."""

    reason: str
    detail: str


class Preview(Shape):
    """Either what would be sent, or why nothing would."""

    content: Content | UnsetType = UNSET
    failure: RenderFailure | UnsetType = UNSET


_NEW = {"event_type": "order.confirmed", "channel": "SMS", "body": "Order {{orderId}} is confirmed.", "activate": True}
_QUERY = (*filters("tenant_id", "event_type"), Parameter("active", str, "true: only these."), *PAGING)

OPERATIONS: tuple[Operation, ...] = (
    admin(
        "POST",
        "/templates",
        "createTemplate",
        "Add a version",
        {201: Template},
        tag=_TAG,
        faults=(404, 409),
        body=NewTemplate,
        example=_NEW,
    ),
    admin("GET", "/templates", "listTemplates", "List versions", {200: Page[Template]}, tag=_TAG, parameters=_QUERY),
    admin(
        "POST",
        "/templates/preview",
        "previewTemplate",
        "Render what is not saved",
        {200: Preview},
        tag=_TAG,
        body=Draft,
        example={"channel": "SMS", "body": "Hello {{name}}", "variables": {"name": "Ada"}},
    ),
    admin("GET", "/templates/{id}", "getTemplate", "Get a version", {200: Template}, tag=_TAG, faults=(422,)),
    admin(
        "POST",
        "/templates/{id}/activate",
        "activateTemplate",
        "Make it the active version",
        {200: Template},
        tag=_TAG,
        faults=(409, 422),
    ),
    admin(
        "POST",
        "/templates/{id}/deactivate",
        "deactivateTemplate",
        "Stop using it",
        {200: Template},
        tag=_TAG,
        faults=(409, 422),
    ),
)
