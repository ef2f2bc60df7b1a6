"""The operations: what each route takes and answers."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

from msgspec import Meta

from gateway.dialects.sendmator.calls import Route
from gateway.dialects.sendmator.openapi import bodies, shapes
from gateway.dialects.sendmator.openapi.parts import KEY, NEEDED_TEAM, RATE_HEADERS, TAG, TEAM, faults
from gateway.dialects.sendmator.routes import ROUTES, SYNCHRONOUS
from gateway.openapi.operations import Operation, Parameter, ResponseSpec
from gateway.openapi.values import Flag, Moment, Text


class _Described(NamedTuple):
    """name, summary, the response's status and body, that of the request with an example, and further statuses."""

    name: str
    summary: str
    status: int
    answer: Any
    body: Any = None
    example: Any = None
    faults: Sequence[int] = ()


_Number = Annotated[int, Meta(ge=1)]
_PARAMETERS: dict[str, Parameter] = {
    "page": Parameter("page", _Number, "Within the first 10,000 entries.", default=1),
    "limit": Parameter("limit", _Number, "At most 100 are returned."),
    "cursor": Parameter("cursor", Text, "The next_cursor of the previous page."),
    "starting_after": Parameter("starting_after", Text, "The same as cursor."),
    "status": Parameter("status", shapes.JobStatus, "Pages may be short, and still not be the last one."),
    "tag": Parameter("tag", Text, "Contacts with all of these tags: several times, or with commas between them."),
    "tags": Parameter("tags", Text, "The same as tag."),
    "tags[]": Parameter("tags[]", Text, "The same as tag."),
    "search": Parameter(
        "search", Annotated[str, Meta(min_length=1, max_length=100)], "A part of an id, a name or an address."
    ),
    "email": Parameter("email", Annotated[str, Meta(min_length=1, max_length=100)], "A part of the e-mail address."),
    "segment_id": Parameter("segment_id", Text),
    "is_active": Parameter("is_active", Flag),
    "is_unsubscribed": Parameter("is_unsubscribed", Flag),
    "sort_by": Parameter("sort_by", Literal["created_at", "updated_at", "email", "first_name", "last_name"]),
    "sort_order": Parameter("sort_order", Literal["ASC", "DESC"]),
    "created_after": Parameter("created_after", Moment),
    "created_before": Parameter("created_before", Moment),
    "event_type": Parameter("event_type", Text),
    "hard": Parameter("hard", Flag, "true: the contact is deleted. Otherwise they become inactive."),
}

_USER = {"contact_external_id": "user_12345", "email": "john.doe@example.com", "name": "John Doe"}
_EVENT = {
    "event_name": "user_signup",
    "user_info": _USER,
    "source": {"type": "web_signup", "ip": "192.168.1.1"},
    "event_data": {"signup_method": "google_oauth"},
}
_CONTACT = {"email": "ada@example.com", "first_name": "Ada", "external_id": "CRM-001", "tags": ["new_users"]}
_STEP = {
    "channel_type": "email",
    "step_name": "Welcome",
    "configuration": {"template_id": "welcome", "delay_minutes": 0},
}
_WORKFLOW = {"name": "Welcome Series", "event_type": "user_signup", "steps": [_STEP]}
_CODE = {"channels": ["email"], "recipients": {"email": "ada@example.com"}}
_PREFERENCE = {"channel": "email", "category": "promotional", "subscribed": False}
_FOUND = shapes.SendmatorFoundContactSchema

_ROUTES: dict[tuple[str, str], _Described] = {
    ("POST", "/events/trigger"): _Described(
        "sendmatorTriggerEvent",
        "Send an event, and wait at most ten seconds for what becomes of it",
        201,
        shapes.SendmatorProcessedSchema,
        bodies.SendmatorSynchronousEventSchema,
        _EVENT,
        (404, 504),
    ),
    ("POST", "/events/send"): _Described(
        "sendmatorSendEvent",
        "Send an event, which starts workflows",
        201,
        shapes.SendmatorQueuedSchema,
        bodies.SendmatorEventSchema,
        _EVENT,
        (404, 504),
    ),
    ("GET", "/triggers/{trigger_id}"): _Described(
        "sendmatorGetTrigger", "Get how far an event has come", 200, shapes.SendmatorTriggerSchema
    ),
    ("GET", "/triggers/{trigger_id}/workflow"): _Described(
        "sendmatorGetTriggerWorkflows", "Get it step by step", 200, shapes.SendmatorTriggerDetailsSchema
    ),
    ("GET", "/triggers/{trigger_id}/direct"): _Described(
        "sendmatorGetTriggerMessage", "Get the execution of a message", 200, shapes.SendmatorDirectDetailsSchema
    ),
    ("POST", "/workflows/trigger"): _Described(
        "sendmatorTriggerWorkflow",
        "Start one workflow for contacts",
        201,
        shapes.SendmatorWorkflowQueuedSchema,
        bodies.SendmatorWorkflowTriggerSchema,
        {"workflow_name": "Welcome Series", "recipient_type": "tag", "tag": ["new_users"]},
        (404, 504),
    ),
    ("GET", "/workflows"): _Described(
        "sendmatorListWorkflows", "List workflows", 200, shapes.SendmatorWorkflowListSchema
    ),
    ("POST", "/workflows"): _Described(
        "sendmatorCreateWorkflow",
        "Create a workflow",
        201,
        shapes.SendmatorSavedWorkflowSchema,
        bodies.SendmatorNewWorkflowSchema,
        _WORKFLOW,
        (409,),
    ),
    ("GET", "/workflows/{workflow_id}"): _Described(
        "sendmatorGetWorkflow", "Get a workflow and what it did", 200, shapes.SendmatorStatisticsSchema
    ),
    ("PUT", "/workflows/{workflow_id}"): _Described(
        "sendmatorReplaceWorkflow",
        "Change a workflow",
        200,
        shapes.SendmatorSavedWorkflowSchema,
        bodies.SendmatorWorkflowChangeSchema,
        faults=(403, 409),
    ),
    ("PATCH", "/workflows/{workflow_id}"): _Described(
        "sendmatorUpdateWorkflow",
        "Change a workflow",
        200,
        shapes.SendmatorSavedWorkflowSchema,
        bodies.SendmatorWorkflowChangeSchema,
        faults=(403, 409),
    ),
    ("DELETE", "/workflows/{workflow_id}"): _Described(
        "sendmatorDeleteWorkflow", "Delete a workflow", 200, shapes.SendmatorDeletedSchema, faults=(403,)
    ),
    ("POST", "/messages/send"): _Described(
        "sendmatorSendEmail",
        "Send an e-mail",
        201,
        shapes.SendmatorMessageQueuedSchema,
        bodies.SendmatorEmailSchema,
        {
            "recipient_type": "direct_email",
            "direct_email": "ada@example.com",
            "subject": "Hello",
            "content": "<p>Hi</p>",
        },
        (404, 504),
    ),
    ("GET", "/messages"): _Described("sendmatorListEmails", "List e-mails", 200, shapes.SendmatorMessageListSchema),
    ("GET", "/messages/executions/{execution_id}"): _Described(
        "sendmatorGetEmailExecution", "Get an execution", 200, shapes.SendmatorFoundExecutionSchema
    ),
    ("GET", "/messages/executions/{execution_id}/jobs"): _Described(
        "sendmatorListEmailJobs", "List what each contact gets", 200, shapes.SendmatorJobListSchema
    ),
    ("POST", "/sms/send"): _Described(
        "sendmatorSendSms",
        "Send a text message",
        201,
        shapes.SendmatorMessageQueuedSchema,
        bodies.SendmatorSmsSchema,
        {"recipient_type": "direct_sms", "direct_sms": "+14155552671", "content": "Hello"},
        (404, 504),
    ),
    ("GET", "/sms/executions"): _Described(
        "sendmatorListSms", "List text messages", 200, shapes.SendmatorExecutionListSchema
    ),
    ("GET", "/sms/executions/{execution_id}"): _Described(
        "sendmatorGetSmsExecution", "Get an execution", 200, shapes.SendmatorFoundExecutionSchema
    ),
    ("GET", "/sms/executions/{execution_id}/jobs"): _Described(
        "sendmatorListSmsJobs", "List what each contact gets", 200, shapes.SendmatorJobListSchema
    ),
    ("POST", "/whatsapp/send"): _Described(
        "sendmatorSendWhatsapp", "Refused: there is no such channel here", 400, None
    ),
    ("GET", "/whatsapp/executions"): _Described(
        "sendmatorListWhatsapp", "Refused: there is no such channel here", 400, None
    ),
    ("GET", "/whatsapp/executions/{execution_id}"): _Described(
        "sendmatorGetWhatsappExecution", "Refused: there is no such channel here", 400, None
    ),
    ("GET", "/whatsapp/executions/{execution_id}/jobs"): _Described(
        "sendmatorListWhatsappJobs", "Refused: there is no such channel here", 400, None
    ),
    ("POST", "/otp/send"): _Described(
        "sendmatorSendCode",
        "Send a one-time code on each channel",
        201,
        shapes.SendmatorCodeSentSchema,
        bodies.SendmatorCodeSchema,
        _CODE,
        (504,),
    ),
    ("POST", "/otp/verify"): _Described(
        "sendmatorVerifyCode",
        "Check codes",
        200,
        shapes.SendmatorCodeCheckedSchema,
        bodies.SendmatorCodesSchema,
        {"session_token": "otp_e30", "otps": {"email": "123456"}},
        (404,),
    ),
    ("POST", "/otp/resend"): _Described(
        "sendmatorResendCode",
        "Send new codes of a session",
        201,
        shapes.SendmatorCodeSentSchema,
        bodies.SendmatorSessionSchema,
        {"session_token": "otp_e30"},
        (404, 504),
    ),
    ("POST", "/contacts"): _Described(
        "sendmatorCreateContact", "Create a contact", 201, _FOUND, bodies.SendmatorNewContactSchema, _CONTACT, (409,)
    ),
    ("GET", "/contacts"): _Described("sendmatorListContacts", "List contacts", 200, shapes.SendmatorContactListSchema),
    ("POST", "/contacts/bulk"): _Described(
        "sendmatorCreateContacts",
        "Create up to 500 contacts",
        201,
        shapes.SendmatorBulkSchema,
        bodies.SendmatorContactsSchema,
        {"contacts": [_CONTACT]},
    ),
    ("GET", "/contacts/external/{external_id}"): _Described(
        "sendmatorGetContactByExternalId", "Get a contact by your id of them", 200, _FOUND
    ),
    ("PUT", "/contacts/external/{external_id}"): _Described(
        "sendmatorSaveContact",
        "Create or change a contact by your id of them",
        200,
        _FOUND,
        bodies.SendmatorContactChangeSchema,
        {"email": "ada@example.com"},
        (409,),
    ),
    ("PATCH", "/contacts/external/{external_id}/device-token"): _Described(
        "sendmatorSetDeviceToken",
        "Set what push notifications are sent to",
        200,
        _FOUND,
        bodies.SendmatorDeviceTokenSchema,
        {"fcm_token": "firebase-token"},
    ),
    ("GET", "/contacts/by-email/{email}"): _Described(
        "sendmatorGetContactByEmail", "Get a contact by their e-mail address", 200, _FOUND
    ),
    ("GET", "/contacts/{contact_id}"): _Described("sendmatorGetContact", "Get a contact", 200, _FOUND),
    ("PUT", "/contacts/{contact_id}"): _Described(
        "sendmatorReplaceContact",
        "Change a contact; custom fields that are left out are deleted",
        200,
        _FOUND,
        bodies.SendmatorContactChangeSchema,
        faults=(409,),
    ),
    ("PATCH", "/contacts/{contact_id}"): _Described(
        "sendmatorUpdateContact", "Change a contact", 200, _FOUND, bodies.SendmatorContactChangeSchema, faults=(409,)
    ),
    ("DELETE", "/contacts/{contact_id}"): _Described(
        "sendmatorDeleteContact",
        "Make a contact inactive, or delete them",
        200,
        shapes.SendmatorRemovedContactSchema,
    ),
    ("POST", "/contacts/{contact_id}/tags"): _Described(
        "sendmatorAddTags", "Add tags to a contact", 200, _FOUND, bodies.SendmatorTagsSchema, {"tags": ["vip"]}
    ),
    ("DELETE", "/contacts/{contact_id}/tags"): _Described(
        "sendmatorRemoveTags", "Remove tags from a contact", 200, _FOUND, bodies.SendmatorTagsSchema, {"tags": ["vip"]}
    ),
    ("POST", "/contacts/{contact_id}/unsubscribe"): _Described(
        "sendmatorUnsubscribe", "Mute all channels of a contact", 200, _FOUND
    ),
    ("POST", "/contacts/{contact_id}/resubscribe"): _Described(
        "sendmatorResubscribe", "Unmute all channels of a contact", 200, _FOUND
    ),
    ("GET", "/contacts/{contact_id}/preferences"): _Described(
        "sendmatorGetPreferences", "Get what a contact wants", 200, shapes.SendmatorPreferencesSchema
    ),
    ("PATCH", "/contacts/{contact_id}/preferences"): _Described(
        "sendmatorUpdatePreferences",
        "Change what a contact wants",
        200,
        _FOUND,
        bodies.SendmatorPreferenceChangesSchema,
        {"preferences": [_PREFERENCE]},
    ),
    ("DELETE", "/contacts/{contact_id}/preferences"): _Described(
        "sendmatorRefuseAll", "Mute all channels of a contact", 200, _FOUND
    ),
    ("POST", "/contacts/{contact_id}/preferences/subscribe-all"): _Described(
        "sendmatorWantAll", "Unmute all channels of a contact", 200, _FOUND
    ),
    ("DELETE", "/contacts/{contact_id}/preferences/{channel}"): _Described(
        "sendmatorRefuseChannel", "Mute a channel of a contact", 200, _FOUND
    ),
    ("PATCH", "/contacts/{contact_id}/preferences/{channel}/{category}"): _Described(
        "sendmatorUpdatePreference",
        "Change what a contact wants of a category",
        200,
        _FOUND,
        bodies.SendmatorWantedSchema,
        {"subscribed": False},
    ),
}


def _answers(route: Route, described: _Described) -> Mapping[int, ResponseSpec]:
    statuses = {*described.faults, *((404,) if "{" in route.path else ())}
    refused = faults(*statuses, body=described.body is not None)
    if described.answer is None:
        return refused
    return {described.status: ResponseSpec(described.answer, may_have=RATE_HEADERS), **refused}


OPERATIONS = tuple(
    Operation(
        route.method,
        route.full_path,
        described.name,
        described.summary,
        TAG,
        _answers(route, described),
        body=described.body,
        example=described.example,
        parameters=(NEEDED_TEAM if route.needs_team else TEAM, *(_PARAMETERS[name] for name in route.query)),
        security=(KEY,),
    )
    for route in (SYNCHRONOUS, *ROUTES)
    for described in [_ROUTES[route.method, route.path]]
)
