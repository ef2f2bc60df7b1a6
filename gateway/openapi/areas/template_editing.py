"""What an editor of templates needs: the list of languages, sample data, helpers, and the templates that use a part."""

from typing import Annotated

from msgspec import Meta

from gateway.admin.samples import NewSampleBody, SampleChangeBody
from gateway.openapi.areas.templates import PLATFORM, Locale, NumberedSchema
from gateway.openapi.operations import PAGING, Operation, Parameter, admin, filters
from gateway.openapi.values import AnyObject, Flag, Id, PageSchema, PeopleChannel, Shape, Text, Time

_TAG = "Templates"
_OWNER = "null: the platform, for all tenants."


class NewestSchema(NumberedSchema):
    """The newest version of a language."""

    subject: str
    created_at: Time


class ActiveSchema(NumberedSchema):
    """The active version of a language."""

    activated_at: Time


class TemplateLanguageSchema(Shape):
    """One language of a template: its newest and its active version."""

    tenant_id: Annotated[str | None, Meta(description=_OWNER)]
    event_type: str
    channel: PeopleChannel
    locale: Annotated[Locale | None, Meta(description="null: the fallback for other languages.")]
    newest: NewestSchema
    active: Annotated[ActiveSchema | None, Meta(description="null: no version is active.")]


class HelperSchema(Shape):
    """A helper or block that templates can call."""

    name: str
    signature: Annotated[str, Meta(examples=["formatDate when [format] [locale=…]"])]
    summary: str
    example: str
    options: list[str]
    opens_block: Annotated[bool, Meta(description="true: it can be written as `{{#name …}}…{{/name}}`.")]
    writes_value: Annotated[bool, Meta(description="true: it can be written as `{{name …}}`.")]


class ElementSchema(Shape):
    """An element of MJML."""

    name: str
    children: Annotated[list[str], Meta(description="The elements that it may contain.")]
    has_text: Annotated[bool, Meta(description="true: its content is HTML or text.")]


class VocabularySchema(Shape):
    """What templates can be written with."""

    helpers: list[HelperSchema]
    elements: list[ElementSchema]


class TemplateSampleSchema(Shape):
    """Sample data for previews and test sends."""

    id: Id
    tenant_id: Annotated[str | None, Meta(description="null: for the templates of the platform.")]
    event_type: str
    name: str
    variables: AnyObject
    created_at: Time
    updated_at: Time


class LastPayloadSchema(Shape):
    """The data of the newest event of a type, as a template sees them. null: there is none that is stored."""

    event_id: Id | None
    accepted_at: Time | None
    variables: AnyObject | None


class PartUserSchema(Shape):
    """An active template that uses a layout or partial."""

    id: Id
    tenant_id: Annotated[str | None, Meta(description=_OWNER)]
    event_type: str
    channel: PeopleChannel
    locale: Locale | None
    version: int
    part_version: Annotated[int, Meta(description="The version of the part that it uses.")]
    is_current: Annotated[bool, Meta(description="false: `apply` gives it the newest version.")]


_SAMPLE = {"name": "VIP customer", "variables": {"name": "Ada", "vip": True}}
_WHOSE = filters("tenant_id")

OPERATIONS: tuple[Operation, ...] = (
    admin(
        "GET",
        "/template-languages",
        "listTemplateLanguages",
        "List the languages of templates, with their newest and active versions",
        {200: PageSchema[TemplateLanguageSchema]},
        tag=_TAG,
        parameters=(
            *filters("tenant_id"),
            PLATFORM,
            Parameter("search", Text, "A part of the event type, in any case."),
            Parameter("channel", PeopleChannel),
            Parameter("active", Flag, "true: only those with an active version."),
            *PAGING,
        ),
    ),
    admin(
        "GET",
        "/template-helpers",
        "listTemplateHelpers",
        "List the helpers and MJML elements that templates can use",
        {200: VocabularySchema},
        tag=_TAG,
    ),
    admin(
        "GET",
        "/template-parts/{id}/templates",
        "listTemplatePartUsers",
        "List the active templates that use a layout or partial",
        {200: PageSchema[PartUserSchema]},
        tag=_TAG,
        parameters=PAGING,
    ),
    admin(
        "POST",
        "/template-samples",
        "createTemplateSample",
        "Create a sample",
        {201: TemplateSampleSchema},
        tag=_TAG,
        faults=(404, 409),
        body=NewSampleBody,
        example={**_SAMPLE, "event_type": "order.confirmed"},
    ),
    admin(
        "GET",
        "/template-samples",
        "listTemplateSamples",
        "List a tenant's samples, by event type and name",
        {200: PageSchema[TemplateSampleSchema]},
        tag=_TAG,
        parameters=(*filters("tenant_id", "event_type"), *PAGING),
        description="Without `tenant_id`: those of the platform.",
    ),
    admin(
        "GET",
        "/template-samples/last",
        "getLastPayload",
        "Get the data of a tenant's newest event of a type",
        {200: LastPayloadSchema},
        tag=_TAG,
        faults=(404,),
        parameters=(
            Parameter("tenant_id", Id, required=True),
            Parameter("event_type", Text, required=True),
        ),
        description="Looks at the tenant's newest 20,000 events, and at those whose content is stored, without tests.",
    ),
    admin(
        "GET",
        "/template-samples/{id}",
        "getTemplateSample",
        "Get a sample",
        {200: TemplateSampleSchema},
        tag=_TAG,
        parameters=_WHOSE,
        description="`tenant_id` says whose it is; without it the platform's.",
    ),
    admin(
        "PUT",
        "/template-samples/{id}",
        "updateTemplateSample",
        "Replace a sample's name and variables",
        {200: TemplateSampleSchema},
        tag=_TAG,
        faults=(409,),
        parameters=_WHOSE,
        body=SampleChangeBody,
        example=_SAMPLE,
    ),
    admin(
        "DELETE",
        "/template-samples/{id}",
        "deleteTemplateSample",
        "Delete a sample",
        {204: None},
        tag=_TAG,
        parameters=_WHOSE,
    ),
)
