"""Templates, their versions, layouts and partials."""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from gateway.admin.drafts import DraftBody, TestSendBody
from gateway.admin.parts import NewPartBody
from gateway.admin.templates import PART_KINDS, NewLocaleBody, NewTemplateBody
from gateway.openapi.operations import CURSOR, PAGING, Operation, Parameter, admin, filters
from gateway.openapi.values import NO_NUL, Flag, Id, PageSchema, PeopleChannel, Shape, Time
from services.domain.reasons import NOT_SENT

_TAG = "Templates"

Locale = Annotated[str, Meta(examples=["pt-BR"])]
PartKind = Annotated[str, Meta(extra_json_schema={"enum": list(PART_KINDS)})]


FieldOfTemplate = Annotated[str, Meta(examples=["body", "partials.footer"])]


class PinnedPartSchema(Shape):
    """The version of a layout or partial that a template version always uses."""

    id: Id
    kind: PartKind
    name: str
    version: int


class TemplateSchema(Shape):
    """A version of a template."""

    id: Id
    version: int
    tenant_id: Annotated[str | None, Meta(description="null: a platform template, shared by all tenants.")]
    event_type: str
    channel: PeopleChannel
    locale: Annotated[
        Locale | None, Meta(description="null: the fallback for languages without a version of their own.")
    ]
    subject: str
    preheader: str
    body: str
    layout: str | None
    parts: list[PinnedPartSchema]
    push_namespace: str
    subscribed: Annotated[bool, Meta(description="true: recipients can unsubscribe from this mail.")]
    active: bool
    created_at: Time
    activated_at: Annotated[Time | None, Meta(description="null: it was never active.")]


class SmsSchema(Shape):
    """How an SMS is billed."""

    segments: int
    encoding: Annotated[str, Meta(extra_json_schema={"enum": ["GSM-7", "UCS-2"]})]


class ContentSchema(Shape):
    """A rendered message."""

    subject: str
    preheader: str
    html: str
    text: str
    title: str
    body: str
    sms: SmsSchema | None


class MissingVariableSchema(Shape):
    """A variable that the template uses and the sample data does not hold."""

    name: str
    field: str
    line: int | None


class NotSentSchema(Shape):
    """The reason why the rendered message would not be sent."""

    reason: Annotated[str, Meta(extra_json_schema={"enum": [one.value for one in NOT_SENT]})]
    detail: str


class ReportSchema(Shape):
    """Facts and warnings about a preview."""

    format: Annotated[str, Meta(extra_json_schema={"enum": ["mjml", "html", "text"]})]
    size_bytes: int
    clipped_by_gmail: Annotated[bool, Meta(description="true: the HTML is larger than 102 KiB, so Gmail would cut it.")]
    missing: list[MissingVariableSchema]
    unused: list[str]
    not_sent: Annotated[NotSentSchema | None, Meta(description="null: the message would be sent.")]


class TemplateFaultSchema(Shape):
    """An error in a template, with its place."""

    field: FieldOfTemplate
    line: int | None
    column: int | None
    detail: str


class RenderFailureSchema(Shape):
    """The reason why the template cannot be rendered."""

    reason: str
    detail: str
    errors: list[TemplateFaultSchema]


class SampleResultSchema(Shape):
    """The preview with one of `samples`: either `content` and `report`, or `failure`."""

    name: str
    content: ContentSchema | UnsetType = UNSET
    report: ReportSchema | UnsetType = UNSET
    failure: RenderFailureSchema | UnsetType = UNSET


class UnreachedBranchSchema(Shape):
    """A branch of a block, such as `{{#if vip}}`, that is in none of the contents."""

    field: FieldOfTemplate
    line: int
    column: int
    block: Annotated[str, Meta(description="The tag without its braces.", examples=["#if vip"])]
    branch: Annotated[str, Meta(extra_json_schema={"enum": ["then", "else"]})]


class PreviewSchema(Shape):
    """Either `content` and `report`, or `failure`, with `variables`; then the same with each of `samples`."""

    samples: list[SampleResultSchema]
    unreached: Annotated[
        list[UnreachedBranchSchema],
        Meta(description="At most 100. Of a block that is in none of the contents, the branches are left out."),
    ]
    content: ContentSchema | UnsetType = UNSET
    report: ReportSchema | UnsetType = UNSET
    failure: RenderFailureSchema | UnsetType = UNSET


class NumberedSchema(Shape):
    """The id and number of a version."""

    id: Id
    version: int


class DiffSchema(Shape, rename={"from_": "from"}):
    """The differences between two versions."""

    from_: NumberedSchema
    to: NumberedSchema
    changed: list[str]
    unified: str


class TestSentSchema(Shape):
    """The event that sends the test."""

    event_id: Id
    template_version_id: Id


class PartSchema(Shape):
    """A version of a layout or a partial."""

    id: Id
    version: int
    tenant_id: Annotated[
        str | None, Meta(description="null: shared by all tenants that have no own one with this name.")
    ]
    kind: PartKind
    name: str
    body: str
    created_at: Time


class ApplyFailureSchema(Shape):
    """A template that could not be updated."""

    id: Id
    detail: str


class AppliedSchema(Shape):
    """The result for the templates that used an older version."""

    updated: list[TemplateSchema]
    failed: list[ApplyFailureSchema]
    more: Annotated[bool, Meta(description="true: more templates are left. Call again with next_cursor.")]
    next_cursor: Annotated[
        str | None, Meta(description="The value of `cursor` for the next call. It skips those that failed.")
    ]


class DefaultLocaleSchema(Shape):
    """The default language of a tenant's templates. null: none."""

    locale: Locale | None


_NEW = {"event_type": "order.confirmed", "channel": "SMS", "body": "Order {{orderId}} is confirmed.", "activate": True}
_PART = {"kind": "PARTIAL", "name": "footer", "body": "Acorn Shop, 1 High Street"}
PLATFORM = Parameter(
    "platform", Flag, "true: also those of the platform; without tenant_id only these. false: as tenant_id says."
)
_QUERY = (
    *filters("tenant_id", "event_type"),
    PLATFORM,
    Parameter(
        "locale", Annotated[str, Meta(max_length=1024, pattern=NO_NUL)], "Empty: only templates without a locale."
    ),
    Parameter("channel", PeopleChannel),
    Parameter("active", Flag, "true: only active versions. false: all versions."),
    *PAGING,
)
_PART_QUERY = (
    *filters("tenant_id", "name"),
    PLATFORM,
    Parameter("kind", PartKind),
    Parameter("newest", Flag, "true: only the newest version of each name. false: all versions."),
    *PAGING,
)

OPERATIONS: tuple[Operation, ...] = (
    admin(
        "POST",
        "/templates",
        "createTemplate",
        "Create a version of a template",
        {201: TemplateSchema},
        tag=_TAG,
        faults=(404, 409),
        body=NewTemplateBody,
        example=_NEW,
    ),
    admin(
        "GET",
        "/templates",
        "listTemplates",
        "List versions of templates, newest first",
        {200: PageSchema[TemplateSchema]},
        tag=_TAG,
        parameters=_QUERY,
    ),
    admin(
        "POST",
        "/templates/preview",
        "previewTemplate",
        "Preview an unsaved template",
        {200: PreviewSchema},
        tag=_TAG,
        faults=(404,),
        body=DraftBody,
        example={"channel": "SMS", "body": "Hello {{name}}", "variables": {"name": "Ada"}},
    ),
    admin("GET", "/templates/{id}", "getTemplate", "Get a version of a template", {200: TemplateSchema}, tag=_TAG),
    admin(
        "POST",
        "/templates/{id}/activate",
        "activateTemplate",
        "Activate a version; an earlier one to roll back",
        {200: TemplateSchema},
        tag=_TAG,
        faults=(409,),
    ),
    admin(
        "POST",
        "/templates/{id}/deactivate",
        "deactivateTemplate",
        "Deactivate a version",
        {200: TemplateSchema},
        tag=_TAG,
        faults=(409,),
    ),
    admin(
        "GET",
        "/templates/{id}/diff",
        "diffTemplates",
        "Compare two versions",
        {200: DiffSchema},
        tag=_TAG,
        parameters=(Parameter("against", Id, "The id of the older version.", required=True),),
    ),
    admin(
        "POST",
        "/templates/{id}/refresh",
        "refreshTemplate",
        "Create a version with the current layout and partials",
        {201: TemplateSchema},
        tag=_TAG,
        faults=(409,),
    ),
    admin(
        "POST",
        "/templates/{id}/test",
        "testTemplate",
        "Send a test to one address",
        {202: TestSentSchema},
        tag=_TAG,
        faults=(409, 429),
        body=TestSendBody,
        example={"recipient": {"email": "ada@example.com"}, "variables": {"orderId": 7}},
    ),
    admin(
        "POST",
        "/template-parts",
        "createTemplatePart",
        "Create a version of a layout or partial",
        {201: PartSchema},
        tag=_TAG,
        faults=(404, 409),
        body=NewPartBody,
        example=_PART,
    ),
    admin(
        "GET",
        "/template-parts",
        "listTemplateParts",
        "List versions of layouts and partials, newest first",
        {200: PageSchema[PartSchema]},
        tag=_TAG,
        parameters=_PART_QUERY,
    ),
    admin(
        "GET",
        "/template-parts/{id}",
        "getTemplatePart",
        "Get a version of a layout or partial",
        {200: PartSchema},
        tag=_TAG,
    ),
    admin(
        "POST",
        "/template-parts/{id}/apply",
        "applyTemplatePart",
        "Update the active templates that use an older version",
        {200: AppliedSchema},
        tag=_TAG,
        parameters=(CURSOR,),
        faults=(409,),
    ),
    admin(
        "GET",
        "/tenants/{id}/locale",
        "getLocale",
        "Get a tenant's default language",
        {200: DefaultLocaleSchema},
        tag=_TAG,
    ),
    admin(
        "PUT",
        "/tenants/{id}/locale",
        "setLocale",
        "Set a tenant's default language; empty to remove it",
        {200: DefaultLocaleSchema},
        tag=_TAG,
        body=NewLocaleBody,
        example={"locale": "pt-BR"},
    ),
)
