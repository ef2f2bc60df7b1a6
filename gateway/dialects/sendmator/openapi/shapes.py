"""The bodies of responses."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from gateway.dialects.sendmator.openapi.bodies import Category, Channel
from gateway.dialects.sendmator.openapi.parts import Id, Shape, Time

Status = Literal["pending", "processing", "completed", "failed", "canceled"]
Count = Annotated[int, Meta(ge=0)]
Yes = Annotated[bool, Meta(extra_json_schema={"const": True})]
JobStatus = Literal["pending", "sent", "failed", "filtered"]


class SendmatorQueuedSchema(Shape):
    """The event is stored. job_id: digits. scheduled_for: only of an event that waits for its time."""

    success: Yes
    trigger_id: Id
    job_id: Annotated[str, Meta(pattern="^[0-9]+$")]
    message: str
    scheduled_for: Time | UnsetType = UNSET


class SendmatorWorkflowQueuedSchema(SendmatorQueuedSchema, kw_only=True):
    """A workflow is started."""

    workflow_id: Id


class SendmatorMessageQueuedSchema(SendmatorQueuedSchema, kw_only=True):
    """The message is stored. data: the same once more."""

    execution_id: Id
    status: Literal["queued"]
    recipient_type: str
    created_at: Time
    data: dict[str, Any]


class SendmatorSummarySchema(Shape):
    """sent, failed and filtered count messages; total_contacts counts people."""

    total_contacts: Count
    sent: Count
    failed: Count
    filtered: Count


class SendmatorTriggerSchema(Shape):
    """How far an event has come."""

    id: Id
    flow_type: Literal["workflow", "direct"]
    trigger_type: Literal["workflow", "direct"]
    status: Status
    created_at: Time
    started_at: Time | None
    completed_at: Time | None
    summary: SendmatorSummarySchema
    details_endpoint: Annotated[str, Meta(description="Without the prefix /api/v1.")]
    scheduled_for: Time | UnsetType = UNSET


class SendmatorJobCountsSchema(Shape):
    """How many messages stand how."""

    total: Count
    pending: Count
    sent: Count
    failed: Count
    filtered: Count


class SendmatorStepResultSchema(Shape):
    """A step of a workflow, for all contacts of the event."""

    id: str
    step_order: int
    step_name: str
    channel_type: str
    status: Status
    jobs: SendmatorJobCountsSchema
    execution_id: str
    execution_details_endpoint: str


class SendmatorWorkflowResultSchema(Shape):
    """A workflow that an event started. filtered: nobody passed its filters."""

    workflow_id: Id
    name: str | None
    status: Literal["pending", "processing", "completed", "failed", "canceled", "filtered"]
    jobs: SendmatorJobCountsSchema
    steps: list[SendmatorStepResultSchema]


class SendmatorTriggerDetailsSchema(SendmatorTriggerSchema, kw_only=True):
    """How far an event has come, workflow by workflow."""

    workflows: list[SendmatorWorkflowResultSchema]


class SendmatorProcessedSchema(SendmatorQueuedSchema, kw_only=True):
    """What became of an event within ten seconds: as its trigger. status: processing, if it takes longer."""

    status: Status
    workflows: list[SendmatorWorkflowResultSchema]
    id: Id | UnsetType = UNSET
    flow_type: Literal["workflow", "direct"] | UnsetType = UNSET
    trigger_type: Literal["workflow", "direct"] | UnsetType = UNSET
    created_at: Time | UnsetType = UNSET
    started_at: Time | UnsetType | None = UNSET
    completed_at: Time | UnsetType | None = UNSET
    summary: SendmatorSummarySchema | UnsetType = UNSET
    details_endpoint: str | UnsetType = UNSET


class SendmatorExecutionSchema(Shape):
    """A message, or a step of a workflow, to all contacts of a trigger."""

    id: str
    execution_id: str
    trigger_id: Id
    channel: str | None
    status: Status
    jobs: SendmatorJobCountsSchema
    created_at: Time
    executed_at: Time | None
    completed_at: Time | None
    scheduled_for: Time | None
    template_key: str | UnsetType | None = UNSET
    total_contacts: Count | UnsetType = UNSET
    workflow_id: Id | UnsetType = UNSET
    step: str | UnsetType = UNSET


class SendmatorFoundExecutionSchema(SendmatorExecutionSchema, kw_only=True):
    """An execution, bare and as data."""

    success: Yes
    data: SendmatorExecutionSchema


class SendmatorDirectDetailsSchema(SendmatorTriggerSchema, kw_only=True):
    """A trigger that is one message."""

    execution: SendmatorExecutionSchema
    jobs: SendmatorJobCountsSchema
    execution_details_endpoint: str


class SendmatorRetrySchema(Shape):
    """Attempts until now, and when the next one is due."""

    attempts: Count
    next_attempt_at: Time | None


class SendmatorJobSchema(Shape):
    """What one contact gets. filter_reason, error_message: why it was not sent, in words."""

    id: str
    contact_external_id: str | None
    email: str | None
    phone: str | None
    channel: str | None
    status: JobStatus
    reason: str | None
    filter_reason: str | None
    error_message: str | None
    provider: str | None
    retry: SendmatorRetrySchema
    sent_at: Time | None
    created_at: Time | None
    updated_at: Time | None


class SendmatorPaginationSchema(Shape):
    """The place of a page."""

    page: int
    limit: int
    total: int
    totalPages: int  # noqa: N815 - the vendor's names


class _ListSchema(Shape):
    success: Yes
    has_more: bool
    next_cursor: str | None
    total: Count
    page: int
    limit: int
    totalPages: int  # noqa: N815
    pagination: SendmatorPaginationSchema


class SendmatorJobListSchema(_ListSchema, kw_only=True):
    """A page of jobs, under two names."""

    data: list[SendmatorJobSchema]
    jobs: list[SendmatorJobSchema]


class SendmatorMessageListSchema(_ListSchema, kw_only=True):
    """A page of e-mails, newest first, under two names. total: at most 1,000 are counted."""

    data: list[SendmatorExecutionSchema]
    messages: list[SendmatorExecutionSchema]


class SendmatorExecutionListSchema(_ListSchema, kw_only=True):
    """A page of text messages, newest first, under two names. total: at most 1,000 are counted."""

    data: list[SendmatorExecutionSchema]
    executions: list[SendmatorExecutionSchema]


class SendmatorContactSchema(Shape):
    """A contact. is_unsubscribed: all channels are muted."""

    id: Id
    external_id: str
    email: str | None
    first_name: str | None
    last_name: str | None
    phone: str | None
    tags: list[str]
    is_active: bool
    is_unsubscribed: bool
    custom_fields: dict[str, Any]
    metadata: dict[str, Any]
    preferences: dict[Channel, dict[Category, bool]]
    locale: str | None
    timezone: str | None
    created_at: Time
    updated_at: Time
    fcm_token: str | UnsetType = UNSET
    apns_token: str | UnsetType = UNSET


class SendmatorFoundContactSchema(SendmatorContactSchema, kw_only=True):
    """A contact, bare and as data."""

    success: Yes
    data: SendmatorContactSchema


class SendmatorDeletedSchema(Shape):
    """What was deleted is gone."""

    success: Yes
    message: str
    id: Id


class SendmatorRemovedContactSchema(SendmatorDeletedSchema, kw_only=True):
    """data: the contact, if they were only made inactive."""

    data: SendmatorContactSchema | UnsetType = UNSET


class SendmatorContactListSchema(_ListSchema, kw_only=True):
    """A page of contacts, under two names. total: at most 10,000 are counted."""

    data: list[SendmatorContactSchema]
    contacts: list[SendmatorContactSchema]


class SendmatorRowResultSchema(Shape):
    """What became of a row. error: why it was not stored."""

    index: int
    status: Literal["created", "updated", "skipped", "error"]
    contact: SendmatorContactSchema | UnsetType = UNSET
    error: str | UnsetType = UNSET


class SendmatorBulkCountsSchema(Shape):
    """How many rows ended how."""

    created_count: Count
    skipped_count: Count
    error_count: Count


class SendmatorBulkSchema(Shape):
    """What became of all rows. skipped: they are stored already."""

    success: Yes
    created: list[SendmatorContactSchema]
    skipped: list[dict[str, Any]]
    errors: list[dict[str, Any]]
    results: list[SendmatorRowResultSchema]
    user_id: str
    total_processed: Count
    summary: SendmatorBulkCountsSchema


class SendmatorPreferencesSchema(Shape):
    """What a contact wants. subscriptionRate: percent."""

    preferences: dict[Channel, dict[Category, bool]]
    totalPreferences: Count  # noqa: N815
    subscribedCount: Count  # noqa: N815
    unsubscribedCount: Count  # noqa: N815
    subscriptionRate: float  # noqa: N815


class SendmatorSentCodeSchema(Shape):
    """A session of codes; session_id and token are its session_token, too. otps: only in sandbox mode."""

    session_id: str
    session_token: str
    token: str
    expires_at: Time
    channels: list[str]
    recipients: dict[str, str]
    otps: dict[str, str] | UnsetType = UNSET


class SendmatorCodeSentSchema(Shape):
    """The codes are on their way."""

    success: Yes
    message: str
    data: SendmatorSentCodeSchema


class SendmatorCodeResultSchema(Shape):
    """Whether a code is right, and how many attempts are left."""

    success: bool
    message: str
    attempts_left: Count


class SendmatorCheckedSchema(Shape):
    """Whether all codes are right. contact_external_id: with add_contact, once a code is; null: too many contacts."""

    verified: bool
    valid: bool
    verification_results: dict[str, SendmatorCodeResultSchema]
    contact_external_id: str | UnsetType | None = UNSET


class SendmatorCodeCheckedSchema(SendmatorCheckedSchema, kw_only=True):
    """Whether all codes are right, bare and as data."""

    success: Yes
    data: SendmatorCheckedSchema


class SendmatorFiltersSchema(Shape):
    """For whom a workflow is started."""

    tags: list[str]
    segment_id: str | None
    cooldown_seconds: Count


class SendmatorConfigurationSchema(Shape):
    """How a step sends."""

    template_id: str
    delay_minutes: Count
    template_version: int | UnsetType = UNSET


class SendmatorStepSchema(Shape):
    """A message of a workflow."""

    id: str
    step_order: int
    channel_type: str
    step_name: str
    is_active: bool
    configuration: SendmatorConfigurationSchema


class SendmatorWorkflowSchema(Shape):
    """A workflow. document: all of it, as docs/workflows.md describes it; steps: its messages."""

    id: Id
    name: str
    description: str | None
    event_type: str
    is_active: bool
    version: int
    filters: SendmatorFiltersSchema
    category: str | None
    steps: list[SendmatorStepSchema]
    document: dict[str, Any]
    created_at: Time
    updated_at: Time


class SendmatorSavedWorkflowSchema(SendmatorWorkflowSchema, kw_only=True):
    """A workflow, bare and as data."""

    success: Yes
    data: SendmatorWorkflowSchema


class SendmatorWorkflowListSchema(_ListSchema, kw_only=True):
    """A page of workflows, newest first, under two names."""

    data: list[SendmatorWorkflowSchema]
    workflows: list[SendmatorWorkflowSchema]


class SendmatorStatisticsSchema(Shape):
    """What the newest trigger of a workflow did, beside the workflow; or what a trigger did, by its id."""

    campaign_name: str
    trigger_type: Literal["WORKFLOW"]
    trigger_source: str
    status: Literal["PENDING", "PROCESSING", "COMPLETED", "FAILED", "CANCELED"]
    triggered_at: Time | None
    started_at: Time | None
    completed_at: Time | None
    scheduled_at: Time | None
    duration_seconds: Count
    workflow_executions_count: Count
    channels: dict[str, Any]
    totals: dict[str, Any]
    progress: dict[str, Any]
    id: Id
    created_at: Time
    trigger_id: Id | UnsetType | None = UNSET
    name: str | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    event_type: str | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET
    version: int | UnsetType = UNSET
    filters: SendmatorFiltersSchema | UnsetType = UNSET
    category: str | UnsetType | None = UNSET
    steps: list[SendmatorStepSchema] | UnsetType = UNSET
    document: dict[str, Any] | UnsetType = UNSET
    updated_at: Time | UnsetType = UNSET
