"""Twilio's "create message" call, and the results of its responses.

https://www.twilio.com/docs/messaging/api/message-resource and …/docs/api/errors
"""

import urllib.parse

from services.delivery.ports import SendResult, Verdict
from services.domain.reasons import Reason
from services.senders.channels import http_api
from services.senders.channels.sms.twilio.settings import TwilioSettings, host
from services.senders.ports import HttpRequest, HttpResponse, Resources, Sms

KIND = "twilio"

# Twilio's error codes. All others are about the message itself.
_CREDENTIALS = frozenset({20003, 20005, 20006, 20008, 20404})
_THROTTLED = frozenset({14107, 20429, 21611, 30022, 63018})
_QUOTAS = frozenset({30001, 30002, 63038})
_NO_ROUTE = frozenset({21408, 21612, 21215})
_SENDER = frozenset({21212, 21603, 21606, 21659, 21660, 21661, 21662, 21701, 21703, 21704, 21705, 21712, 21718})
_RECIPIENT = frozenset({21211, 21214, 21217, 21265, 21266, 21604, 21608, 21614, 21635})
_UNSUBSCRIBED = frozenset({21610})
_TOO_LARGE = frozenset({21605, 21617})


def request(settings: TwilioSettings, url: str, message: Sms) -> HttpRequest:
    """Return the call. Twilio has no idempotency key here: a repeated call is a second message."""
    fields = {
        "To": message.recipient,
        "StatusCallback": settings.status_callback,
        **(
            {"MessagingServiceSid": settings.messaging_service_sid}
            if settings.messaging_service_sid
            else {"From": message.sender}
        ),
        "Body": message.text,
    }
    if settings.api_key_sid:
        authorization = http_api.basic_auth(settings.api_key_sid, settings.api_key_secret.reveal())
    else:
        authorization = http_api.basic_auth(settings.account_sid, settings.auth_token.reveal())
    return HttpRequest(
        f"{url}/2010-04-01/Accounts/{settings.account_sid}/Messages.json",
        {"Authorization": authorization, "Content-Type": http_api.FORM},
        urllib.parse.urlencode({name: value for name, value in fields.items() if value}).encode(),
    )


def read(answer: HttpResponse) -> SendResult:
    """Return the result of a response, by Twilio's own code if it has one."""
    said = http_api.decoded(answer)
    if answer.status in {200, 201}:
        return SendResult(Verdict.SENT, KIND, provider_message_id=str(said.get("sid") or ""))
    code, words = said.get("code"), str(said.get("message") or http_api.text(answer))
    detail = f"{answer.status} {code}: {words}" if code else f"{answer.status} {words}"
    if code in _QUOTAS:
        return SendResult(Verdict.CREDENTIALS, KIND, Reason.PROVIDER_QUOTA, detail)
    if code in _CREDENTIALS or answer.status in {401, 403}:
        return SendResult(Verdict.CREDENTIALS, KIND, Reason.PROVIDER_CREDENTIALS, detail)
    if code in _THROTTLED:
        wait_s = http_api.retry_after_s(answer.headers)
        return SendResult(Verdict.THROTTLED, KIND, Reason.PROVIDER_THROTTLED, detail, retry_after_s=wait_s)
    if code in _NO_ROUTE:  # another provider may have one
        return SendResult(Verdict.TRANSIENT, KIND, Reason.PROVIDER_NO_ROUTE, detail)
    return http_api.refused(KIND, answer, words) or SendResult(Verdict.PERMANENT, KIND, _refusal(code), detail)


def _refusal(code: object) -> str:
    """Return which part of the message is refused."""
    for codes, reason in (
        (_SENDER, Reason.SENDER_REFUSED),
        (_RECIPIENT, Reason.RECIPIENT_REFUSED),
        (_UNSUBSCRIBED, Reason.RECIPIENT_UNSUBSCRIBED),
        (_TOO_LARGE, Reason.MESSAGE_TOO_LARGE),
    ):
        if code in codes:
            return reason
    return Reason.MESSAGE_REFUSED


def open_twilio(settings: TwilioSettings, resources: Resources) -> http_api.HttpApi[Sms]:
    """Return the provider."""
    url = resources.urls.get(KIND, f"https://{host(settings)}")
    return http_api.HttpApi(
        resources.http,
        KIND,
        lambda message: request(settings, url, message),
        read,
        secrets=[settings.auth_token, settings.api_key_secret],
    )
