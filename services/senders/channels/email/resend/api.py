"""Resend's "send email" call, and the results of its responses.

https://resend.com/docs/api-reference/emails/send-email and …/api-reference/errors
"""

import msgspec

from services.delivery.ports import SendResult, Verdict
from services.domain.reasons import Reason
from services.senders.channels import http_api
from services.senders.channels.email.headers import mailbox, own_headers
from services.senders.channels.email.resend.settings import ResendSettings
from services.senders.ports import Email, HttpRequest, HttpResponse, Resources

KIND = "resend"
_URL = "https://api.resend.com"

# Results by the error's name, where it says more than the status.
_MEANING = {
    "missing_api_key": (Verdict.CREDENTIALS, Reason.PROVIDER_CREDENTIALS),
    "invalid_api_key": (Verdict.CREDENTIALS, Reason.PROVIDER_CREDENTIALS),
    "restricted_api_key": (Verdict.CREDENTIALS, Reason.PROVIDER_CREDENTIALS),
    "daily_quota_exceeded": (Verdict.CREDENTIALS, Reason.PROVIDER_QUOTA),
    "monthly_quota_exceeded": (Verdict.CREDENTIALS, Reason.PROVIDER_QUOTA),
    "concurrent_idempotent_requests": (Verdict.TRANSIENT, Reason.PROVIDER_DEFERRED),
    # An earlier attempt with other content succeeded: sending this one, too, would deliver two messages.
    "invalid_idempotent_request": (Verdict.PERMANENT, Reason.SENT_BEFORE),
}
# Errors about a message, though their status is that of a wrong key.
_OF_ADDRESSES = frozenset({"validation_error", "invalid_from_address", "invalid_to_address"})

_encode = msgspec.json.encode


def request(settings: ResendSettings, url: str, message: Email) -> HttpRequest:
    """Return the call. Its key is the same for every attempt, so that Resend does not send a repeat within 24 h."""
    body = {
        "from": mailbox(message.sender_name, message.sender),
        "to": [str(message.recipient)],
        "subject": message.subject,
        "headers": own_headers(message),
        **({"html": message.html} if message.html else {}),
        **({"text": message.text} if message.text else {}),
        **({"reply_to": str(message.reply_to)} if message.reply_to else {}),
    }
    headers = {
        "Authorization": f"Bearer {settings.api_key.reveal()}",
        "Content-Type": http_api.JSON,
        "Idempotency-Key": message.reference.idempotency_key,
    }
    return HttpRequest(f"{url}/emails", headers, _encode(body))


def read(answer: HttpResponse) -> SendResult:
    """Return the result of a response."""
    said = http_api.decoded(answer)
    if answer.status == 200:
        return SendResult(Verdict.SENT, KIND, provider_message_id=str(said.get("id") or ""))
    name, words = str(said.get("name", "")), str(said.get("message", ""))
    detail = f"{name}: {words}" if name else http_api.text(answer)
    if name in _MEANING:
        verdict, reason = _MEANING[name]
        return SendResult(verdict, KIND, reason, f"{answer.status} {detail}")
    if answer.status == 401 or (answer.status == 403 and name not in _OF_ADDRESSES):
        return SendResult(Verdict.CREDENTIALS, KIND, Reason.PROVIDER_CREDENTIALS, f"{answer.status} {detail}")
    refusal = SendResult(Verdict.PERMANENT, KIND, _refusal(answer.status, words), f"{answer.status} {detail}")
    return http_api.refused(KIND, answer, detail) or refusal


def _refusal(status: int, words: str) -> str:
    """Return which part of the message is refused. A 403 is about domains: theirs to verify, so the sender's."""
    if "`to`" in words:
        return Reason.RECIPIENT_REFUSED
    return Reason.SENDER_REFUSED if status == 403 or "`from`" in words else Reason.MESSAGE_REFUSED


def open_resend(settings: ResendSettings, resources: Resources) -> http_api.HttpApi[Email]:
    """Return the provider."""
    url = resources.urls.get(KIND, _URL)
    return http_api.HttpApi(
        resources.http,
        KIND,
        lambda message: request(settings, url, message),
        read,
        secrets=[settings.api_key],
    )
