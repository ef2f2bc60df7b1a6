"""Templates, their versions, layouts and partials."""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from gateway.admin.drafts import Draft, TestSend
from gateway.admin.parts import NewPart
from gateway.admin.templates import PART_KINDS, NewLocale, NewTemplate
from gateway.openapi.operations import CURSOR, PAGING, Operation, Parameter, admin, filters
from gateway.openapi.values import NO_NUL, Channel, Flag, Id, Page, Shape, Time
from services.domain.reasons import NOT_SENT

_TAG = "Templates"

Locale = Annotated[str, Meta(examples=["pt-BR"])]
PartKind = Annotated[str, Meta(extra_json_schema={"enum": list(PART_KINDS)})]


class PinnedPart(Shape):
    """A layout's or partial's version that a template version is rendered with, for ever."""

    id: Id
    kind: PartKind
    name: str
    version: int


class Template(Shape):
    """A version of a template."""

    id: Id
    version: int
    tenant_id: Annotated[str | None, Meta(description="null: a platform template, for every tenant.")]
    event_type: str
    channel: Channel
    locale: Annotated[Locale | None, Meta(description="null: for all that no other version is for.")]
    subject: str
    preheader: str
    body: str
    layout: str | None
    parts: list[PinnedPart]
    push_namespace: str
    subscribed: Annotated[bool, Meta(description="Mail that its reader may unsubscribe from.")]
    active: bool
    created_at: Time
    activated_at: Annotated[Time | None, Meta(description="null: never.")]


class Sms(Shape):
    """What an SMS is billed as."""

    segments: int
    encoding: Annotated[str, Meta(extra_json_schema={"enum": ["GSM-7", "UCS-2"]})]


class Content(Shape):
    """A rendered message."""

    subject: str
    preheader: str
    html: str
    text: str
    title: str
    body: str
    sms: Sms | None


class MissingVariable(Shape):
    """What the template asks for and the data does not have."""

    name: str
    field: str
    line: int | None


class NotSent(Shape):
    """Why what was rendered would not be sent."""

    reason: Annotated[str, Meta(extra_json_schema={"enum": [one.value for one in NOT_SENT]})]
    detail: str


class Report(Shape):
    """What there is to say about a preview."""

    format: Annotated[str, Meta(extra_json_schema={"enum": ["mjml", "html", "text"]})]
    size_bytes: int
    clipped_by_gmail: Annotated[bool, Meta(description="More than 102 KiB of HTML.")]
    missing: list[MissingVariable]
    unused: list[str]
    not_sent: Annotated[NotSent | None, Meta(description="null: it would be sent.")]


class TemplateFault(Shape):
    """A place in a template that cannot be right."""

    field: Annotated[str, Meta(examples=["body", "partials.footer"])]
    line: int | None
    detail: str


class RenderFailure(Shape):
    """Why it cannot be rendered."""

    reason: str
    detail: str
    errors: list[TemplateFault]


class Preview(Shape):
    """Either what would be sent, or why nothing would."""

    content: Content | UnsetType = UNSET
    report: Report | UnsetType = UNSET
    failure: RenderFailure | UnsetType = UNSET


class Numbered(Shape):
    """A version, by its number."""

    id: Id
    version: int


class Diff(Shape, rename={"from_": "from"}):
    """What differs between two versions."""

    from_: Numbered
    to: Numbered
    changed: list[str]
    unified: str


class TestSent(Shape):
    """A test under way: its event."""

    event_id: Id
    template_version_id: Id


class Part(Shape):
    """A version of a layout or a partial."""

    id: Id
    version: int
    tenant_id: Annotated[str | None, Meta(description="null: for every tenant that has none of this name.")]
    kind: PartKind
    name: str
    body: str
    created_at: Time


class ApplyFailure(Shape):
    """A template that was left as it is."""

    id: Id
    detail: str


class Applied(Shape):
    """What became of the templates that used an older version."""

    updated: list[Template]
    failed: list[ApplyFailure]
    more: Annotated[bool, Meta(description="There are others: call again with next_cursor.")]
    next_cursor: Annotated[str | None, Meta(description="The ?cursor= of the next call, behind those that failed.")]


class DefaultLocale(Shape):
    """The language that a tenant's templates fall back to."""

    locale: Locale | None


_NEW = {"event_type": "order.confirmed", "channel": "SMS", "body": "Order {{orderId}} is confirmed.", "activate": True}
_PART = {"kind": "PARTIAL", "name": "footer", "body": "Acorn Shop, 1 High Street"}
_QUERY = (
    *filters("tenant_id", "event_type"),
    Parameter("locale", Annotated[str, Meta(max_length=1024, pattern=NO_NUL)], "Empty: those without one."),
    Parameter("channel", Channel),
    Parameter("active", Flag, "true: only these."),
    *PAGING,
)
_PART_QUERY = (
    *filters("tenant_id", "name"),
    Parameter("kind", PartKind),
    Parameter("newest", Flag, "true: only the newest version of each name."),
    *PAGING,
)

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
        faults=(404,),
        body=Draft,
        example={"channel": "SMS", "body": "Hello {{name}}", "variables": {"name": "Ada"}},
    ),
    admin("GET", "/templates/{id}", "getTemplate", "Get a version", {200: Template}, tag=_TAG),
    admin(
        "POST",
        "/templates/{id}/activate",
        "activateTemplate",
        "Make it the active version; of an earlier one: roll back",
        {200: Template},
        tag=_TAG,
        faults=(409,),
    ),
    admin(
        "POST",
        "/templates/{id}/deactivate",
        "deactivateTemplate",
        "Stop using it",
        {200: Template},
        tag=_TAG,
        faults=(409,),
    ),
    admin(
        "GET",
        "/templates/{id}/diff",
        "diffTemplates",
        "Compare two versions",
        {200: Diff},
        tag=_TAG,
        parameters=(Parameter("against", Id, "The older version's id.", required=True),),
    ),
    admin(
        "POST",
        "/templates/{id}/refresh",
        "refreshTemplate",
        "Add a version with the layout and partials of today",
        {201: Template},
        tag=_TAG,
        faults=(409,),
    ),
    admin(
        "POST",
        "/templates/{id}/test",
        "testTemplate",
        "Send it to one address, marked as a test",
        {202: TestSent},
        tag=_TAG,
        faults=(409, 429),
        body=TestSend,
        example={"recipient": {"email": "ada@example.com"}, "variables": {"orderId": 7}},
    ),
    admin(
        "POST",
        "/template-parts",
        "createTemplatePart",
        "Add a version of a layout or partial",
        {201: Part},
        tag=_TAG,
        faults=(404, 409),
        body=NewPart,
        example=_PART,
    ),
    admin(
        "GET",
        "/template-parts",
        "listTemplateParts",
        "List versions of layouts and partials",
        {200: Page[Part]},
        tag=_TAG,
        parameters=_PART_QUERY,
    ),
    admin("GET", "/template-parts/{id}", "getTemplatePart", "Get a version", {200: Part}, tag=_TAG),
    admin(
        "POST",
        "/template-parts/{id}/apply",
        "applyTemplatePart",
        "Bring the active templates that use it up to date",
        {200: Applied},
        tag=_TAG,
        parameters=(CURSOR,),
        faults=(409,),
    ),
    admin(
        "GET",
        "/tenants/{id}/locale",
        "getLocale",
        "Get the default language",
        {200: DefaultLocale},
        tag=_TAG,
    ),
    admin(
        "PUT",
        "/tenants/{id}/locale",
        "setLocale",
        "Set the default language; empty: none",
        {200: DefaultLocale},
        tag=_TAG,
        body=NewLocale,
        example={"locale": "pt-BR"},
    ),
)
