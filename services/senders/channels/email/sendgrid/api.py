"""SendGrid's "mail send" call (v3), and the results of its responses.

https://www.twilio.com/docs/sendgrid/api-reference/mail-send
"""

from typing import Any

import msgspec

from services.delivery.ports import SendResult, Verdict
from services.domain.reasons import Reason
from services.senders.channels import http_api
from services.senders.channels.email.headers import own_headers
from services.senders.channels.email.sendgrid.settings import SendgridSettings
from services.senders.ports import Address, Email, HttpRequest, HttpResponse, Resources

KIND = "sendgrid"
_URLS = {"global": "https://api.sendgrid.com", "eu": "https://api.eu.sendgrid.com"}

_encode = msgspec.json.encode


def request(settings: SendgridSettings, url: str, message: Email) -> HttpRequest:
    """Return the call. SendGrid has no idempotency key: a repeated call is a second mail."""
    content = [
        {"type": kind, "value": value}
        for kind, value in (("text/plain", message.text), ("text/html", message.html))
        if value
    ]
    body = {
        "from": _person(message.sender_name, message.sender),
        "subject": message.subject,
        "personalizations": [{"to": [_person("", message.recipient)]}],
        "content": content,
        "headers": own_headers(message),
        **({"reply_to": _person("", message.reply_to)} if message.reply_to else {}),
    }
    headers = {"Authorization": f"Bearer {settings.api_key.reveal()}", "Content-Type": http_api.JSON}
    return HttpRequest(f"{url}/v3/mail/send", headers, _encode(body))


def read(answer: HttpResponse) -> SendResult:
    """Return the result of a response."""
    if answer.status in {200, 202}:
        return SendResult(Verdict.SENT, KIND, provider_message_id=answer.headers.get("x-message-id", ""))
    fields, words = _errors(http_api.decoded(answer))
    words = words or http_api.text(answer)
    detail = f"{answer.status} {words}"
    if answer.status == 401:
        # "Maximum credits exceeded": a used-up quota has the same status as a wrong key.
        reason = Reason.PROVIDER_QUOTA if "credits exceeded" in words else Reason.PROVIDER_CREDENTIALS
        return SendResult(Verdict.CREDENTIALS, KIND, reason, detail)
    if result := http_api.refused(KIND, answer, words):
        return result
    if answer.status == 403 and not fields.startswith("from"):
        return SendResult(Verdict.CREDENTIALS, KIND, Reason.PROVIDER_CREDENTIALS, detail)
    return SendResult(Verdict.PERMANENT, KIND, _refusal(fields), detail)


def _errors(said: dict[str, Any]) -> tuple[str, str]:
    """Return the first error's field and all errors' words."""
    errors = said.get("errors")
    known = [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
    words = " ".join(str(error.get("message") or "") for error in known)
    return str(known[0].get("field") or "") if known else "", words


def _refusal(field: str) -> str:
    """Return which part of the message is refused, by a path such as "personalizations.0.to.0.email"."""
    if field.startswith(("from", "reply_to")):
        return Reason.SENDER_REFUSED
    return Reason.RECIPIENT_REFUSED if field.startswith("personalizations") else Reason.MESSAGE_REFUSED


def _person(name: str, address: Address) -> dict[str, str]:
    return {"email": str(address), **({"name": name} if name else {})}


def open_sendgrid(settings: SendgridSettings, resources: Resources) -> http_api.HttpApi[Email]:
    """Return the provider."""
    url = resources.urls.get(KIND, _URLS[settings.region])
    return http_api.HttpApi(
        resources.http,
        KIND,
        lambda message: request(settings, url, message),
        read,
        secrets=[settings.api_key],
    )
