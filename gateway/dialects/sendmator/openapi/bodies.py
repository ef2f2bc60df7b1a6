"""The bodies of requests."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from gateway.dialects.sendmator.bodies import MAX_TEXT
from gateway.dialects.sendmator.contacts.calls import MAX_BULK
from gateway.dialects.sendmator.contacts.preferences import CATEGORIES, CHANNELS
from gateway.dialects.sendmator.events.events import MAX_ADDRESS
from gateway.dialects.sendmator.messages import codes
from gateway.dialects.sendmator.openapi.parts import Object, Sent, Text
from gateway.dialects.sendmator.workflows.documents import MAX_DELAY_MINUTES, MAX_STEPS
from gateway.openapi.values import NO_NUL

Address = Annotated[str, Meta(max_length=MAX_ADDRESS, pattern=NO_NUL)]
# Many systems have whole numbers for ids.
ExternalId = Text | int
# One text stands for a list of it. msgspec ends the process with a fault in memory if a union has a list beside a text
# whose pattern it checks itself, so the pattern is only written into the schema.
Tags = list[Text] | Annotated[str, Meta(max_length=MAX_TEXT, extra_json_schema={"pattern": NO_NUL})]
When = Annotated[
    str,
    Meta(
        max_length=MAX_TEXT,
        description="A time in ISO 8601, in the future; UTC if it names no zone.",
        examples=["2030-01-01T10:00:00Z"],
    ),
]
Channel = Annotated[str, Meta(extra_json_schema={"enum": list(CHANNELS)})]
Category = Annotated[str, Meta(extra_json_schema={"enum": list(CATEGORIES)})]
Name = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT, pattern=NO_NUL)]


class SendmatorUserInfoSchema(Sent):
    """Who it is about: found by contact_external_id, else by the e-mail address, else by the phone number."""

    contact_external_id: ExternalId | UnsetType | None = UNSET
    email: Address | UnsetType | None = UNSET
    phone: Address | UnsetType | None = UNSET
    name: Text | UnsetType | None = UNSET
    custom_fields: Object | UnsetType | None = UNSET


class SendmatorSourceSchema(Sent):
    """Where it comes from. type: often web_signup, api, webhook, mobile_app, admin_panel or cron."""

    type: Text | UnsetType | None = UNSET
    ip: Address | UnsetType | None = UNSET
    user_agent: Address | UnsetType | None = UNSET


class SendmatorChannelVariablesSchema(Sent):
    """Variables of single channels, which their templates read before the others."""

    email: Object | UnsetType | None = UNSET
    sms: Object | UnsetType | None = UNSET
    push: Object | UnsetType | None = UNSET


class SendmatorSynchronousEventSchema(Sent):
    """An event. A field that is null counts as absent. Two equal calls are two events."""

    event_name: Name
    user_info: SendmatorUserInfoSchema | UnsetType | None = UNSET
    source: SendmatorSourceSchema | UnsetType | None = UNSET
    event_data: Object | UnsetType | None = UNSET
    variables: Object | UnsetType | None = UNSET
    channel_variables: SendmatorChannelVariablesSchema | UnsetType | None = UNSET


class SendmatorEventSchema(SendmatorSynchronousEventSchema, kw_only=True):
    """An event, at once or later."""

    trigger_at: When | UnsetType | None = UNSET


class _AudienceSchema(Sent):
    contact_external_id: ExternalId | UnsetType | None = UNSET
    tag: Tags | UnsetType | None = UNSET
    tags: Tags | UnsetType | None = UNSET
    segment_id: Text | UnsetType | None = UNSET
    variables: Object | UnsetType | None = UNSET
    trigger_at: When | UnsetType | None = UNSET


class SendmatorWorkflowTriggerSchema(_AudienceSchema, kw_only=True):
    """workflow_id or workflow_name is required. tag: contacts with all of these tags."""

    workflow_id: Text | UnsetType | None = UNSET
    workflow_name: Text | UnsetType | None = UNSET
    recipient_type: Literal["contact", "tag", "segment", "all"]
    channel_variables: SendmatorChannelVariablesSchema | UnsetType | None = UNSET


class SendmatorSmsSchema(_AudienceSchema, kw_only=True):
    """A text message. template_key, or content, is required."""

    recipient_type: Literal["direct_sms", "contact", "tag", "segment", "all"]
    direct_sms: Address | UnsetType | None = UNSET
    direct_first_name: Text | UnsetType | None = UNSET
    direct_last_name: Text | UnsetType | None = UNSET
    template_key: Text | UnsetType | None = UNSET
    content: str | UnsetType | None = UNSET
    metadata: Object | UnsetType | None = UNSET


class SendmatorEmailSchema(_AudienceSchema, kw_only=True):
    """An e-mail. template_key, or both subject and content, is required."""

    recipient_type: Literal["direct_email", "contact", "tag", "segment", "all"]
    direct_email: Address | UnsetType | None = UNSET
    direct_first_name: Text | UnsetType | None = UNSET
    direct_last_name: Text | UnsetType | None = UNSET
    template_key: Text | UnsetType | None = UNSET
    subject: str | UnsetType | None = UNSET
    content: str | UnsetType | None = UNSET
    plain_text_content: str | UnsetType | None = UNSET
    from_email: Address | UnsetType | None = UNSET
    from_name: Text | UnsetType | None = UNSET
    reply_to: Address | UnsetType | None = UNSET
    metadata: Object | UnsetType | None = UNSET


class SendmatorCodeRecipientsSchema(Sent):
    """The address for each channel."""

    email: Address | UnsetType | None = UNSET
    sms: Address | UnsetType | None = UNSET


class SendmatorCodeConfigSchema(Sent):
    """How codes are: 6 digits, valid for ten minutes and five attempts, if it does not say otherwise."""

    otp_length: Annotated[int, Meta(ge=codes.DIGITS[0], le=codes.DIGITS[1])] | UnsetType | None = UNSET
    expiry_seconds: Annotated[int, Meta(ge=codes.EXPIRY_S[0], le=codes.EXPIRY_S[1])] | UnsetType | None = UNSET
    expiry_minutes: Annotated[int, Meta(ge=1, le=codes.EXPIRY_S[1] // 60)] | UnsetType | None = UNSET
    max_attempts: Annotated[int, Meta(ge=codes.MAX_ATTEMPTS[0], le=codes.MAX_ATTEMPTS[1])] | UnsetType | None = UNSET


class SendmatorCodeSchema(Sent):
    """sandbox_mode: nothing is sent, and the answer has the codes. template_key: instead of our own words.

    add_contact: who enters a right code is stored as a contact, unless they are one.
    """

    channels: list[Literal["email", "sms"]]
    recipients: SendmatorCodeRecipientsSchema
    config: SendmatorCodeConfigSchema | UnsetType | None = UNSET
    template_key: Text | UnsetType | None = UNSET
    sandbox_mode: bool | UnsetType | None = UNSET
    add_contact: bool | UnsetType | None = UNSET


class SendmatorSessionSchema(Sent):
    """The session of a code that was sent."""

    session_token: str


class SendmatorCodesSchema(SendmatorSessionSchema, kw_only=True):
    """The codes that somebody entered, by channel."""

    otps: SendmatorCodeRecipientsSchema


class SendmatorContactChangeSchema(Sent):
    """Absent fields stay. custom_fields: PATCH changes single ones, and null deletes one; PUT replaces all."""

    external_id: ExternalId | UnsetType | None = UNSET
    email: Address | UnsetType | None = UNSET
    first_name: Text | UnsetType | None = UNSET
    last_name: Text | UnsetType | None = UNSET
    phone: Address | UnsetType | None = UNSET
    tags: Tags | UnsetType | None = UNSET
    is_active: bool | UnsetType | None = UNSET
    custom_fields: Object | UnsetType | None = UNSET
    metadata: Object | UnsetType | None = UNSET
    preferences: dict[Channel, dict[Category, bool]] | UnsetType | None = UNSET


class SendmatorNewContactSchema(SendmatorContactChangeSchema, kw_only=True):
    """A contact. Without an external_id they get one."""

    email: Address


class SendmatorContactsSchema(Sent):
    """Contacts, each as for POST /contacts, and checked by itself. upsert: those who are stored are updated."""

    contacts: Annotated[list[Any], Meta(min_length=1, max_length=MAX_BULK)]
    upsert: bool | UnsetType | None = UNSET


class SendmatorTagsSchema(Sent):
    """Tags to add or remove."""

    tags: Tags


class SendmatorDeviceTokenSchema(Sent):
    """What push notifications are sent to; token: as the mobile client writes it."""

    fcm_token: str | UnsetType | None = UNSET
    apns_token: str | UnsetType | None = UNSET
    token: str | UnsetType | None = UNSET


class SendmatorWantedSchema(Sent):
    """Whether the contact wants messages of a category on a channel."""

    subscribed: bool


class SendmatorPreferenceChangeSchema(SendmatorWantedSchema, kw_only=True):
    """One preference."""

    channel: Channel
    category: Category


class SendmatorPreferenceChangesSchema(Sent):
    """Several preferences."""

    preferences: Annotated[list[SendmatorPreferenceChangeSchema], Meta(min_length=1)]


class SendmatorStepSettingsSchema(Sent):
    """template_id: the name of a template. delay_minutes: how long to wait after the step before."""

    template_id: Name
    delay_minutes: Annotated[int, Meta(ge=0, le=MAX_DELAY_MINUTES)] | UnsetType | None = UNSET
    template_version: Annotated[int, Meta(ge=1)] | UnsetType | None = UNSET


class SendmatorNewStepSchema(Sent, kw_only=True):
    """A message of a workflow."""

    id: Text | UnsetType | None = UNSET
    step_order: Annotated[int, Meta(ge=0)] | UnsetType | None = UNSET
    channel_type: Channel
    step_name: Text | UnsetType | None = UNSET
    is_active: bool | UnsetType | None = UNSET
    configuration: SendmatorStepSettingsSchema


class SendmatorNewFiltersSchema(Sent):
    """For whom a workflow is started: contacts with all tags, of a segment, and not again within the cooldown."""

    tags: Tags | UnsetType | None = UNSET
    segment_id: Text | UnsetType | None = UNSET
    cooldown_seconds: Annotated[int, Meta(ge=0)] | UnsetType | None = UNSET


class SendmatorWorkflowChangeSchema(Sent):
    """Absent fields stay as they are. document: instead of steps and filters, see docs/workflows.md."""

    name: Name | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    event_type: Name | UnsetType | None = UNSET
    is_active: bool | UnsetType | None = UNSET
    version: Annotated[int, Meta(ge=1, description="The version that the change was made from.")] | UnsetType | None = (
        UNSET
    )
    filters: SendmatorNewFiltersSchema | UnsetType | None = UNSET
    category: Text | UnsetType | None = UNSET
    steps: Annotated[list[SendmatorNewStepSchema], Meta(min_length=1, max_length=MAX_STEPS)] | UnsetType | None = UNSET
    document: dict[str, Any] | UnsetType | None = UNSET


class SendmatorNewWorkflowSchema(SendmatorWorkflowChangeSchema, kw_only=True):
    """A workflow; steps or document is required."""

    name: Name
    event_type: Name
