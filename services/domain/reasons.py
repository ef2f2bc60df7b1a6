"""Why a delivery was skipped, failed, or is tried again. The one list of reasons, for code, API and docs/statuses.md.

A reason is a word for programs; its text is for people. A new reason is a line here; then run `make gen`. Words are
stored and shown, so they never change.
"""

from enum import StrEnum
from typing import Final, Self


class Responsible(StrEnum):
    """Whose doing it is, and so who can do something about it."""

    RECIPIENT = "recipient"
    TENANT = "tenant"
    PROVIDER = "provider"
    # This installation: its software, its settings, its servers.
    CLARION = "clarion"
    NOBODY = "nobody"


_RECIPIENT: Final = Responsible.RECIPIENT
_TENANT: Final = Responsible.TENANT
_PROVIDER: Final = Responsible.PROVIDER
_CLARION: Final = Responsible.CLARION
_NOBODY: Final = Responsible.NOBODY


class Reason(StrEnum):
    """The word, its text, who is responsible, and whether Clarion tries again by itself."""

    text: str
    responsible: Responsible
    is_retried: bool

    def __new__(
        cls,
        word: str,
        text: str,
        responsible: Responsible,
        is_retried: bool = False,  # noqa: FBT001, FBT002 - a column of the table below
    ) -> Self:
        """Make a member of a line below."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.text = text
        member.responsible = responsible
        member.is_retried = is_retried
        return member

    # Routing.
    TENANT_POLICY = "tenant_policy", "The tenant does not use this channel.", _TENANT
    NOT_REQUESTED = "not_requested", "The request names other channels.", _NOBODY
    MISSING_EMAIL = "missing_email", "The request has no e-mail address of the recipient.", _TENANT
    MALFORMED_EMAIL = "malformed_email", "The recipient's e-mail address is malformed.", _TENANT
    MISSING_PHONE = "missing_phone", "The request has no phone number of the recipient.", _TENANT
    MALFORMED_PHONE = "malformed_phone", "The recipient's phone number is malformed.", _TENANT
    NO_PROVIDER = "no_provider", "The tenant has no provider for this channel.", _TENANT
    NO_ACTIVE_TEMPLATE = (
        "no_active_template",
        "The event type has no active template, or none on this channel.",
        _TENANT,
    )
    NO_TEMPLATE_FOR_LOCALE = (
        "no_template_for_locale",
        "No active template suits the recipient's language, and there is no default one.",
        _TENANT,
    )
    SUPPRESSED_BOUNCED = "suppressed_bounced", "The address is suppressed: a message to it bounced.", _RECIPIENT
    SUPPRESSED_COMPLAINED = (
        "suppressed_complained",
        "The address is suppressed: its owner complained about a message, or opted out.",
        _RECIPIENT,
    )
    SUPPRESSED_MANUAL = "suppressed_manual", "The address is suppressed: an operator did it.", _TENANT
    SUPPRESSED_UNSUBSCRIBED = "suppressed_unsubscribed", "The recipient unsubscribed from this mail.", _RECIPIENT
    RECIPIENT_ERASED = "recipient_erased", "The recipient was erased after the event was accepted.", _NOBODY
    NO_RECIPIENT = "no_recipient", "The event names no recipient.", _TENANT
    RECIPIENT_UNKNOWN = "recipient_unknown", "The tenant stores no recipient with this id.", _TENANT
    CHANNEL_MUTED = "channel_muted", "The recipient does not want to be notified on this channel.", _RECIPIENT
    CATEGORY_MUTED = (
        "category_muted",
        "The recipient does not want notifications of this category on this channel.",
        _RECIPIENT,
    )
    CANCELED = "canceled", "The event was canceled before this was sent.", _NOBODY
    NOT_MATCHED = "not_matched", "The filter of the endpoint's subscription does not match the event.", _TENANT
    NO_SUBSCRIBER = "no_subscriber", "No active endpoint subscribes to this event type.", _TENANT
    TENANT_UNKNOWN = (
        "tenant_unknown",
        "Routing: there is no such tenant. Sending: the tenant's configuration has not arrived yet; it is waited for.",
        _CLARION,
        True,
    )
    UNROUTABLE = "unroutable", "The tenant's configuration cannot be looked up for this event.", _CLARION
    FILTERED_TAGS = "filtered_tags", "The recipient lacks a tag that the workflow asks for.", _TENANT
    FILTERED_SEGMENT = "filtered_segment", "The recipient is not in the workflow's segment.", _TENANT
    COOLDOWN = "cooldown", "The workflow was started for this recipient a short time before.", _TENANT
    NO_CONTACT = "no_contact", "The event names nobody, and the workflow is for people.", _TENANT
    NO_WORKFLOW = "no_workflow", "No active workflow is for this event type.", _TENANT
    WORKFLOW_DELETED = "workflow_deleted", "The workflow was deleted.", _TENANT
    DELAY_UNREADABLE = (
        "delay_unreadable",
        "The workflow waits until a time that the event was to name, and the event names none.",
        _TENANT,
    )
    DELAY_TOO_LONG = "delay_too_long", "The workflow was to wait for more than a year.", _TENANT
    RULE_FAILED = "rule_failed", "A rule of the workflow could not be evaluated; it counts as not met.", _TENANT
    BODY_DIFFERS = (
        "body_differs",
        "A later call with the same key asked for something else, and nothing was sent for it.",
        _TENANT,
    )

    # Rendering.
    EMPTY_CONTENT = "empty_content", "The rendered content is empty: nothing in it can be seen.", _TENANT
    SMS_TOO_LONG = "sms_too_long", "The text has more SMS segments than the tenant allows.", _TENANT
    TEMPLATE_NOT_FOUND = "template_not_found", "There is no such template version.", _CLARION
    TEMPLATE_ERROR = "template_error", "The template cannot be rendered with this data.", _TENANT
    RENDER_TIMEOUT = "render_timeout", "Rendering took longer than allowed.", _TENANT
    RENDER_MEMORY = "render_memory", "Rendering needed more memory than allowed.", _TENANT
    OUTPUT_TOO_LARGE = "output_too_large", "The rendered content is larger than allowed.", _TENANT
    RENDER_CRASHED = "render_crashed", "The template crashed the process that rendered it.", _CLARION
    RENDER_BUSY = "render_busy", "Rendering had no time for this message.", _CLARION, True
    BODY_AWAY = "body_away", "What the event carries cannot be read yet.", _CLARION, True
    CONTENT_DELETED = "content_deleted", "What the event carried was deleted before it could be sent.", _NOBODY

    # Endpoints.
    ENDPOINT_GONE = "endpoint_gone", "The endpoint was deleted.", _TENANT
    ENDPOINT_DISABLED = (
        "endpoint_disabled",
        "The endpoint is disabled. Messages that were under way wait until it is enabled again.",
        _TENANT,
        True,
    )
    ENDPOINT_DOWN = (
        "endpoint_down",
        "The endpoint failed several times, so messages for it wait until an attempt succeeds.",
        _RECIPIENT,
        True,
    )
    ENDPOINT_BUSY = (
        "endpoint_busy",
        "As many messages are under way to the endpoint as may be, or its rate limit is reached.",
        _RECIPIENT,
        True,
    )
    ENDPOINT_BACKLOG_FULL = (
        "endpoint_backlog_full",
        "As many messages wait for the endpoint, or for all endpoints of the tenant, as the tenant allows.",
        _RECIPIENT,
    )
    PARKED_TOO_LONG = (
        "parked_too_long",
        "It waited for longer than such messages are kept: the endpoint is disabled, or nobody polled.",
        _RECIPIENT,
    )
    ENDPOINT_UNREACHABLE = "endpoint_unreachable", "No connection to the endpoint was possible.", _RECIPIENT, True
    ENDPOINT_TIMEOUT = "endpoint_timeout", "The endpoint did not answer in time.", _RECIPIENT, True
    ENDPOINT_TLS = "endpoint_tls", "No secure connection to the endpoint was possible.", _RECIPIENT, True
    ENDPOINT_ERROR = (
        "endpoint_error",
        "The endpoint answered with another status than 2xx, so the attempt failed.",
        _RECIPIENT,
        True,
    )
    ENDPOINT_THROTTLED = (
        "endpoint_throttled",
        "The endpoint answered 429, which asks to be sent less.",
        _RECIPIENT,
        True,
    )
    ENDPOINT_ANSWERED_GONE = (
        "endpoint_answered_gone",
        "The endpoint answered that it is gone (410), and was disabled.",
        _RECIPIENT,
    )
    SECRET_UNREADABLE = "secret_unreadable", "No encryption key opens the endpoint's secret.", _CLARION, True
    RETRY = "retry", "It waits for its next attempt.", _NOBODY, True
    IN_ORDER = (
        "in_order",
        "The endpoint gets its messages one by one, and this one waits its turn.",
        _NOBODY,
        True,
    )
    POLLED = "polled", "The endpoint's owner reads its messages, and has not read this one yet.", _NOBODY, True
    SKIPPED_BY_HAND = "skipped_by_hand", "Someone decided not to send it any more.", _NOBODY

    # Sending.
    MISSING_RECIPIENT = "missing_recipient", "The recipient has no address on this channel.", _TENANT
    INVALID_RECIPIENT = "invalid_recipient", "The recipient's address or id cannot be used.", _TENANT
    INVALID_SENDER = "invalid_sender", "The tenant's sender or reply address is malformed.", _TENANT
    SENDER_NOT_ALLOWED = (
        "sender_not_allowed",
        "The message names a sender's address that is not of the tenant's domain.",
        _TENANT,
    )
    INVALID_PUSH_NAMESPACE = (
        "invalid_push_namespace",
        "The template's push_namespace cannot name a realtime channel.",
        _TENANT,
    )
    SMTPUTF8_UNSUPPORTED = (
        "smtputf8_unsupported",
        "The address needs SMTPUTF8, which the mail server does not offer.",
        _PROVIDER,
    )
    PROVIDER_GONE = "provider_gone", "The provider was deleted, and the channel has no other one.", _TENANT
    PROVIDER_SETTINGS = (
        "provider_settings",
        "This version does not know the provider's kind or settings.",
        _CLARION,
        True,
    )
    ADDRESS_NOT_ALLOWED = (
        "address_not_allowed",
        "This installation does not allow connections to the provider's address.",
        _CLARION,
    )
    PROVIDER_UNREACHABLE = "provider_unreachable", "No connection to the provider was possible.", _PROVIDER, True
    PROVIDER_TIMEOUT = "provider_timeout", "The provider did not answer in time.", _PROVIDER, True
    PROVIDER_TLS = "provider_tls", "No secure connection to the provider was possible.", _PROVIDER, True
    PROVIDER_ERROR = "provider_error", "The provider failed, or its answer makes no sense.", _PROVIDER, True
    PROVIDER_DEFERRED = "provider_deferred", "The provider does not accept this message yet.", _PROVIDER, True
    PROVIDER_NO_ROUTE = "provider_no_route", "The provider has no route to this number at the moment.", _PROVIDER, True
    PROVIDER_THROTTLED = "provider_throttled", "The provider asked to be sent less.", _PROVIDER, True
    PROVIDER_BUSY = "provider_busy", "All connections to the provider were in use.", _CLARION, True
    PROVIDER_CREDENTIALS = "provider_credentials", "The provider refuses the tenant's credentials.", _TENANT, True
    PROVIDER_QUOTA = (
        "provider_quota",
        "The tenant's account at the provider has no credit or quota left.",
        _TENANT,
        True,
    )
    PROVIDER_CIRCUIT_OPEN = (
        "provider_circuit_open",
        "The provider was not called, because it failed several times in a row.",
        _PROVIDER,
        True,
    )
    RECIPIENT_REFUSED = "recipient_refused", "The provider refuses the recipient's address.", _RECIPIENT
    RECIPIENT_UNSUBSCRIBED = "recipient_unsubscribed", "The recipient opted out at the provider.", _RECIPIENT
    SENDER_REFUSED = "sender_refused", "The provider refuses the sender's address.", _TENANT
    MESSAGE_REFUSED = "message_refused", "The provider refuses the message.", _TENANT
    MESSAGE_TOO_LARGE = "message_too_large", "The message is too large for the provider.", _TENANT
    SENT_BEFORE = "sent_before", "An earlier attempt got through; the provider does not send it twice.", _NOBODY
    HUB_BUSY = "hub_busy", "The realtime hub asked to be sent less.", _CLARION, True
    LIVE_PUBLICATION_REFUSED = (
        "live_publication_refused",
        "The realtime hub refused the message. The notification is in the inbox.",
        _CLARION,
    )
    INTERNAL_ERROR = "internal_error", "Clarion failed; its log has the error.", _CLARION, True

    # Reports of what happened after the message was sent.
    HARD_BOUNCE = "hard_bounce", "The address does not exist.", _RECIPIENT
    SOFT_BOUNCE = "soft_bounce", "The recipient's server did not take it, such as for a full mailbox.", _RECIPIENT
    BLOCKED = "blocked", "The recipient's server refused the sending server.", _PROVIDER
    DROPPED = "dropped", "The provider accepted it and did not send it.", _PROVIDER
    SUPPRESSED_BY_PROVIDER = (
        "suppressed_by_provider",
        "The address is on the provider's own suppression list.",
        _RECIPIENT,
    )
    PROVIDER_FAILED = "provider_failed", "The provider failed to send it.", _PROVIDER
    UNDELIVERED = "undelivered", "The carrier did not deliver it.", _PROVIDER
    OPTED_OUT = "opted_out", "The recipient opted out of messages from this sender.", _RECIPIENT
    SPAM_COMPLAINT = "spam_complaint", "The recipient reported the message as spam.", _RECIPIENT
    UNSUBSCRIBED = "unsubscribed", "The recipient unsubscribed.", _RECIPIENT


# Why rendered content is not sent, as a preview tells.
NOT_SENT: Final = (Reason.EMPTY_CONTENT, Reason.SMS_TOO_LONG)
# A replay of skipped deliveries leaves these out: the caller did not ask for it, or canceled it, or the recipient was
# erased.
NOT_REPLAYED: Final = (Reason.NOT_REQUESTED, Reason.CANCELED, Reason.RECIPIENT_ERASED)

_BY_WORD: Final = {reason.value: reason for reason in Reason}


def text_of(word: str) -> str:
    """Return a reason in plain words; of one that this version does not know, the word."""
    found = _BY_WORD.get(word)
    return found.text if found is not None else word
