"""Africa's Talking's "send bulk SMS" call, and the results of its responses.

https://developers.africastalking.com/docs/sms/sending/bulk
"""

import urllib.parse
from typing import Any

from services.delivery.ports import SendResult, Verdict
from services.domain.reasons import Reason
from services.senders.channels import http_api
from services.senders.channels.sms.africastalking.settings import SANDBOX, AfricasTalkingSettings
from services.senders.ports import HttpRequest, HttpResponse, Resources, Sms

KIND = "africastalking"
_URL = "https://api.africastalking.com"
_SANDBOX_URL = "https://api.sandbox.africastalking.com"

_TAKEN = frozenset({100, 101, 102})
# Results by a recipient's statusCode.
_MEANING = {
    401: (Verdict.PERMANENT, Reason.MESSAGE_REFUSED),  # held for review, as a second one would be
    402: (Verdict.PERMANENT, Reason.SENDER_REFUSED),
    403: (Verdict.PERMANENT, Reason.RECIPIENT_REFUSED),
    404: (Verdict.PERMANENT, Reason.RECIPIENT_REFUSED),
    405: (Verdict.CREDENTIALS, Reason.PROVIDER_QUOTA),
    406: (Verdict.PERMANENT, Reason.RECIPIENT_UNSUBSCRIBED),
    407: (Verdict.TRANSIENT, Reason.PROVIDER_NO_ROUTE),
    409: (Verdict.PERMANENT, Reason.RECIPIENT_UNSUBSCRIBED),
    500: (Verdict.TRANSIENT, Reason.PROVIDER_ERROR),
    501: (Verdict.TRANSIENT, Reason.PROVIDER_ERROR),
    502: (Verdict.PERMANENT, Reason.MESSAGE_REFUSED),
}
# If the response has no recipients, the message's text stands for the code.
_WORDS = {"InvalidSenderId": 402, "InvalidPhoneNumber": 403, "InsufficientBalance": 405, "UserInBlacklist": 406}


def request(settings: AfricasTalkingSettings, url: str, message: Sms) -> HttpRequest:
    """Return the call. Africa's Talking has no idempotency key: a repeated call is a second message."""
    fields = {
        "username": settings.username,
        "to": message.recipient,
        "message": message.text,
        "bulkSMSMode": "1",
        **({"from": message.sender} if message.sender else {}),
        **({"enqueue": "1"} if settings.enqueue else {}),
    }
    headers = {"apiKey": settings.api_key.reveal(), "Content-Type": http_api.FORM}
    return HttpRequest(f"{url}/version1/messaging", headers, urllib.parse.urlencode(fields).encode())


def read(answer: HttpResponse) -> SendResult:
    """Return the result of a response: refusals have status 201, too; the recipient's statusCode decides."""
    if answer.status in {401, 403}:
        return SendResult(
            Verdict.CREDENTIALS, KIND, Reason.PROVIDER_CREDENTIALS, f"{answer.status} {http_api.text(answer)}"
        )
    if result := http_api.refused(KIND, answer, http_api.text(answer)):
        return result
    if answer.status not in {200, 201}:
        return SendResult(Verdict.PERMANENT, KIND, Reason.MESSAGE_REFUSED, f"{answer.status} {http_api.text(answer)}")
    data = http_api.decoded(answer).get("SMSMessageData")
    words = str(data.get("Message", "")) if isinstance(data, dict) else ""
    recipients = data.get("Recipients") if isinstance(data, dict) else None
    if isinstance(recipients, list) and recipients and isinstance(recipients[0], dict):
        return _of_recipient(recipients[0])
    code = _WORDS.get(words.strip())
    if code is None:
        detail = words or http_api.text(answer)
        return SendResult(Verdict.TRANSIENT, KIND, Reason.PROVIDER_ERROR, f"{answer.status} {detail}")
    verdict, reason = _MEANING[code]
    return SendResult(verdict, KIND, reason, words)


def _of_recipient(recipient: dict[str, Any]) -> SendResult:
    code = recipient.get("statusCode")
    if code in _TAKEN:
        return SendResult(Verdict.SENT, KIND, provider_message_id=str(recipient.get("messageId") or ""))
    verdict, reason = _MEANING.get(code if isinstance(code, int) else 0, (Verdict.TRANSIENT, Reason.PROVIDER_ERROR))
    return SendResult(verdict, KIND, reason, f"{code} {recipient.get('status', '')}")


def open_africastalking(settings: AfricasTalkingSettings, resources: Resources) -> http_api.HttpApi[Sms]:
    """Return the provider."""
    url = resources.urls.get(KIND, _SANDBOX_URL if settings.username == SANDBOX else _URL)
    return http_api.HttpApi(
        resources.http,
        KIND,
        lambda message: request(settings, url, message),
        read,
        secrets=[settings.api_key],
    )
