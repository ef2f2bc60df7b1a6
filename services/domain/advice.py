"""What to do about each reason: a sentence for people, who may be new to all of it. See reasons.py."""

from collections.abc import Mapping
from typing import Final

from services.domain.reasons import Reason

# Reasons that tell of the past end with what to do now.
ADVICE: Final[Mapping[Reason, str]] = {
    Reason.TENANT_POLICY: "Add the channel to the tenant's channels if it is to be used.",
    Reason.NOT_REQUESTED: "Nothing needs to be done. Name the channel in the request if it is wanted.",
    Reason.MISSING_EMAIL: "Send the recipient's e-mail address with the event, or store it with the recipient.",
    Reason.MALFORMED_EMAIL: "Correct the address where the event comes from, then replay the event.",
    Reason.MISSING_PHONE: "Send the recipient's phone number with the event, or store it with the recipient.",
    Reason.MALFORMED_PHONE: "Write the number with its country code, such as +254712345678, then replay the event.",
    Reason.NO_PROVIDER: "Add a provider for this channel, then replay the event.",
    Reason.NO_ACTIVE_TEMPLATE: (
        "Create a template for this event type and channel and activate it, then replay the event."
    ),
    Reason.NO_TEMPLATE_FOR_LOCALE: (
        "Add a version of the template in this language, or one without a language, which is the fallback."
    ),
    Reason.SUPPRESSED_BOUNCED: "Check the address. Lift the suppression if it works again.",
    Reason.SUPPRESSED_COMPLAINED: "Do not send to this address. Lift the suppression only if its owner asks for it.",
    Reason.SUPPRESSED_MANUAL: "Lift the suppression if the address is to get messages again.",
    Reason.SUPPRESSED_UNSUBSCRIBED: (
        "Do not send subscribed mail to this address. Lift the suppression only if the recipient asks for it."
    ),
    Reason.RECIPIENT_ERASED: "Nothing can be done: the recipient's data was deleted.",
    Reason.NO_RECIPIENT: "Name a recipient in the event.",
    Reason.RECIPIENT_UNKNOWN: "Store the recipient first, or describe them in the event.",
    Reason.CHANNEL_MUTED: "Nothing needs to be done. The recipient can turn the channel on again.",
    Reason.CANCELED: "Send the event again if it is wanted after all.",
    Reason.NOT_MATCHED: "Change the filter of the subscription if the endpoint is to get such events.",
    Reason.NO_SUBSCRIBER: "Subscribe an endpoint to the type, then backfill the endpoint.",
    Reason.TENANT_UNKNOWN: "Wait: it is looked for again. If it stays so, look into the log of the service.",
    Reason.UNROUTABLE: "Look into the router's log.",
    Reason.BODY_DIFFERS: "Use a new key for each event that differs.",
    Reason.EMPTY_CONTENT: "Look at the template with this event's data: a condition may hide everything.",
    Reason.SMS_TOO_LONG: "Shorten the text, or raise the tenant's limit of segments.",
    Reason.TEMPLATE_NOT_FOUND: "Replay the event: it gets the template that is active now.",
    Reason.TEMPLATE_ERROR: (
        "Open the template with this event's data, correct the line that is named, activate it, then replay the event."
    ),
    Reason.RENDER_TIMEOUT: "Make the template simpler: a loop may be too long.",
    Reason.RENDER_MEMORY: "Make the template simpler: a loop or a text may be too long.",
    Reason.OUTPUT_TOO_LARGE: "Make the content shorter.",
    Reason.RENDER_CRASHED: "Make the template simpler, such as with fewer nested tags, and report it.",
    Reason.RENDER_BUSY: "Wait: it is tried again. If it happens often, start more render workers.",
    Reason.BODY_AWAY: "Wait: it is read again.",
    Reason.CONTENT_DELETED: "Send the event again from its source.",
    Reason.ENDPOINT_GONE: "Create the endpoint again if it is needed.",
    Reason.ENDPOINT_DISABLED: "Enable the endpoint: what waits is sent then.",
    Reason.ENDPOINT_DOWN: "Repair the endpoint. It is tried from time to time; probe it to try at once.",
    Reason.ENDPOINT_BUSY: "Wait: it is tried again. Make the endpoint answer faster, or raise its rate limit.",
    Reason.ENDPOINT_BACKLOG_FULL: "Repair the endpoint, then recover what it missed.",
    Reason.PARKED_TOO_LONG: "Enable the endpoint or read its messages, then recover what it missed.",
    Reason.ENDPOINT_UNREACHABLE: (
        "Check the endpoint's URL, and that its server runs and can be reached from the internet."
    ),
    Reason.ENDPOINT_TIMEOUT: "Make the endpoint answer first and work afterwards.",
    Reason.ENDPOINT_TLS: "Check the certificate of the endpoint's server: its name, its date, and that it is trusted.",
    Reason.ENDPOINT_ERROR: "Read what the endpoint answered: it did not accept the message.",
    Reason.ENDPOINT_THROTTLED: "Wait: it is tried again. Set a rate limit for the endpoint to send more slowly.",
    Reason.ENDPOINT_ANSWERED_GONE: "Enable the endpoint again if it still exists, then recover what it missed.",
    Reason.SECRET_UNREADABLE: "Add the encryption key that was used before, or rotate the endpoint's secret.",
    Reason.RETRY: "Wait: the next attempt has a time.",
    Reason.IN_ORDER: "Wait for the messages before it, or skip the first one.",
    Reason.POLLED: "The owner of the endpoint must read its messages.",
    Reason.SKIPPED_BY_HAND: "Retry the delivery if it is wanted after all.",
    Reason.MISSING_RECIPIENT: "Send the address with the event, or store it with the recipient, then replay the event.",
    Reason.INVALID_RECIPIENT: "Correct the address where the event comes from, then replay the event.",
    Reason.INVALID_SENDER: "Correct the tenant's sender or reply address, then replay the event.",
    Reason.INVALID_PUSH_NAMESPACE: "Correct push_namespace in the template.",
    Reason.SMTPUTF8_UNSUPPORTED: "Use a mail server with SMTPUTF8, or another address.",
    Reason.PROVIDER_GONE: "Add a provider for this channel, then replay the event.",
    Reason.PROVIDER_SETTINGS: "Finish the upgrade: all processes must run the same version.",
    Reason.ADDRESS_NOT_ALLOWED: "Correct the provider's host, or let the installation's operator allow the address.",
    Reason.PROVIDER_UNREACHABLE: "Check the provider's host and port, and the status page of the provider.",
    Reason.PROVIDER_TIMEOUT: "Wait: it is tried again. Look at the status page of the provider if it lasts.",
    Reason.PROVIDER_TLS: "Check the provider's TLS setting and its certificate.",
    Reason.PROVIDER_ERROR: "Read what the provider answered. It is tried again.",
    Reason.PROVIDER_DEFERRED: "Wait: it is tried again, as the provider asks.",
    Reason.PROVIDER_NO_ROUTE: "Wait: it is tried again. Enable the country at the provider if it lasts.",
    Reason.PROVIDER_THROTTLED: "Wait: it is tried again. Ask the provider for a higher limit if it happens often.",
    Reason.PROVIDER_BUSY: "Wait: it is tried again. Allow the provider more connections if it happens often.",
    Reason.PROVIDER_CREDENTIALS: "Enter the provider's credentials again and test it, then replay the dead letters.",
    Reason.PROVIDER_QUOTA: "Top up the account at the provider, then replay the dead letters.",
    Reason.PROVIDER_CIRCUIT_OPEN: "Wait: the provider is tried again soon. Look at its last failures.",
    Reason.RECIPIENT_REFUSED: "Check the address.",
    Reason.RECIPIENT_UNSUBSCRIBED: "Do not send to this address. Only the recipient can opt in at the provider.",
    Reason.SENDER_REFUSED: "Verify the sender's address or domain at the provider.",
    Reason.MESSAGE_REFUSED: "Read what the provider answered, correct the content, then replay the event.",
    Reason.MESSAGE_TOO_LARGE: "Make the message smaller.",
    Reason.SENT_BEFORE: "Nothing needs to be done.",
    Reason.HUB_BUSY: "Wait: it is tried again.",
    Reason.LIVE_PUBLICATION_REFUSED: "Nothing needs to be done for this message. Check the template's push_namespace.",
    Reason.INTERNAL_ERROR: "Look into the log of the service with the trace id.",
    Reason.HARD_BOUNCE: "Remove or correct the address.",
    Reason.SOFT_BOUNCE: "Try again later.",
    Reason.BLOCKED: "Check the reputation of the sending domain and its SPF, DKIM and DMARC records.",
    Reason.DROPPED: "Look at the provider's own log: it knows why.",
    Reason.SUPPRESSED_BY_PROVIDER: "Remove the address from the provider's list if it works again.",
    Reason.PROVIDER_FAILED: "Look at the provider's own log, then replay the event.",
    Reason.UNDELIVERED: "Check the number. Its phone may be off, or its carrier may filter messages.",
    Reason.OPTED_OUT: "Do not send to this number. Only the recipient can opt in again.",
    Reason.SPAM_COMPLAINT: "Do not send to this address.",
    Reason.UNSUBSCRIBED: "Do not send subscribed mail to this address.",
}

# The same once nothing more is tried by itself, where the advice above is to wait; empty: only to send it again.
AFTERWARDS: Final[Mapping[Reason, str]] = {
    Reason.TENANT_UNKNOWN: "Look into the log of the service.",
    Reason.RENDER_BUSY: "If it happens often, start more render workers.",
    Reason.BODY_AWAY: "",
    Reason.ENDPOINT_DOWN: "Repair the endpoint.",
    Reason.ENDPOINT_BUSY: "Make the endpoint answer faster, or raise its rate limit.",
    Reason.ENDPOINT_THROTTLED: "Set a rate limit for the endpoint to send more slowly.",
    Reason.RETRY: "",
    Reason.IN_ORDER: "",
    Reason.PROVIDER_TIMEOUT: "Look at the status page of the provider if it lasts.",
    Reason.PROVIDER_ERROR: "Read what the provider answered.",
    Reason.PROVIDER_DEFERRED: "",
    Reason.PROVIDER_NO_ROUTE: "Enable the country at the provider if it lasts.",
    Reason.PROVIDER_THROTTLED: "Ask the provider for a higher limit if it happens often.",
    Reason.PROVIDER_BUSY: "Allow the provider more connections if it happens often.",
    Reason.PROVIDER_CIRCUIT_OPEN: "Look at its last failures.",
    Reason.HUB_BUSY: "",
}

# Whose advice says all that is to be done. After the others' advice the message is to be sent again.
SUFFICIENT: Final = frozenset(
    {
        Reason.NOT_REQUESTED,
        Reason.MALFORMED_EMAIL,
        Reason.MALFORMED_PHONE,
        Reason.NO_PROVIDER,
        Reason.NO_ACTIVE_TEMPLATE,
        Reason.SUPPRESSED_BOUNCED,
        Reason.SUPPRESSED_COMPLAINED,
        Reason.SUPPRESSED_MANUAL,
        Reason.SUPPRESSED_UNSUBSCRIBED,
        Reason.RECIPIENT_ERASED,
        Reason.CHANNEL_MUTED,
        Reason.CANCELED,
        Reason.NO_SUBSCRIBER,
        Reason.TEMPLATE_NOT_FOUND,
        Reason.TEMPLATE_ERROR,
        Reason.CONTENT_DELETED,
        Reason.ENDPOINT_GONE,
        Reason.ENDPOINT_BACKLOG_FULL,
        Reason.PARKED_TOO_LONG,
        Reason.ENDPOINT_ANSWERED_GONE,
        Reason.SKIPPED_BY_HAND,
        Reason.MISSING_RECIPIENT,
        Reason.INVALID_RECIPIENT,
        Reason.INVALID_SENDER,
        Reason.PROVIDER_GONE,
        Reason.PROVIDER_CREDENTIALS,
        Reason.PROVIDER_QUOTA,
        Reason.RECIPIENT_UNSUBSCRIBED,
        Reason.MESSAGE_REFUSED,
        Reason.SENT_BEFORE,
        Reason.LIVE_PUBLICATION_REFUSED,
        Reason.SOFT_BOUNCE,
        Reason.SUPPRESSED_BY_PROVIDER,
        Reason.PROVIDER_FAILED,
        Reason.OPTED_OUT,
        Reason.SPAM_COMPLAINT,
        Reason.UNSUBSCRIBED,
    }
)


def afterwards(reason: Reason) -> str:
    """Return what to do about a delivery that has ended with a reason; empty: only to send it again."""
    return AFTERWARDS.get(reason, ADVICE[reason])
