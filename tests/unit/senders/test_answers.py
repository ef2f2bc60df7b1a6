"""What providers' answers mean, by their documented bodies."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import pytest

from services.delivery.ports import SendResult, Verdict
from services.senders.channels import http_api
from services.senders.channels.email.resend import api as resend
from services.senders.channels.email.sendgrid import api as sendgrid
from services.senders.channels.sms.africastalking import api as africastalking
from services.senders.channels.sms.twilio import api as twilio
from services.senders.ports import HttpResponse

_P, _T, _S, _C = Verdict.PERMANENT, Verdict.TRANSIENT, Verdict.THROTTLED, Verdict.CREDENTIALS


def _resend(name: str, message: str = "words") -> dict[str, str]:
    return {"name": name, "message": message}


def _sendgrid(message: str, field: str | None = None) -> dict[str, object]:
    return {"errors": [{"message": message, "field": field, "help": None}]}


def _twilio(code: int) -> dict[str, object]:
    return {"code": code, "message": "words", "more_info": f"https://www.twilio.com/docs/errors/{code}"}


def _recipient(code: int, status: str) -> dict[str, object]:
    recipient = {"statusCode": code, "number": "+254712345678", "status": status, "cost": "0", "messageId": "None"}
    return {"SMSMessageData": {"Message": "Sent to 0/1", "Recipients": [recipient]}}


_CASES: list[tuple[Callable[[HttpResponse], SendResult], int, Mapping[str, object], Verdict, str]] = [
    (resend.read, 400, _resend("validation_error", "Invalid `to` field."), _P, "recipient_refused"),
    (resend.read, 422, _resend("validation_error", "Invalid `from` field."), _P, "sender_refused"),
    (resend.read, 422, _resend("missing_required_field"), _P, "message_refused"),
    (resend.read, 403, _resend("validation_error", "The acorn.example domain is not verified."), _P, "sender_refused"),
    (resend.read, 401, _resend("missing_api_key"), _C, "provider_credentials"),
    (resend.read, 401, _resend("restricted_api_key"), _C, "provider_credentials"),
    (resend.read, 403, _resend("invalid_api_key"), _C, "provider_credentials"),
    (resend.read, 403, {"message": "blocked"}, _C, "provider_credentials"),
    (resend.read, 429, _resend("rate_limit_exceeded"), _S, "provider_throttled"),
    (resend.read, 429, _resend("daily_quota_exceeded"), _C, "provider_quota"),
    (resend.read, 429, _resend("monthly_quota_exceeded"), _C, "provider_quota"),
    (resend.read, 409, _resend("concurrent_idempotent_requests"), _T, "provider_deferred"),
    (resend.read, 409, _resend("invalid_idempotent_request"), _P, "sent_before"),
    (resend.read, 413, {}, _P, "message_too_large"),
    (resend.read, 404, _resend("not_found"), _T, "provider_error"),
    (resend.read, 500, _resend("application_error"), _T, "provider_error"),
    (sendgrid.read, 400, _sendgrid("bad", "personalizations.0.to.0.email"), _P, "recipient_refused"),
    (sendgrid.read, 400, _sendgrid("bad", "from.email"), _P, "sender_refused"),
    (sendgrid.read, 400, _sendgrid("bad", "subject"), _P, "message_refused"),
    (sendgrid.read, 401, _sendgrid("The provided authorization grant is invalid"), _C, "provider_credentials"),
    (sendgrid.read, 401, _sendgrid("Maximum credits exceeded"), _C, "provider_quota"),
    (sendgrid.read, 403, _sendgrid("The from address does not match", "from"), _P, "sender_refused"),
    (sendgrid.read, 403, _sendgrid("access forbidden"), _C, "provider_credentials"),
    (sendgrid.read, 413, _sendgrid("payload too large"), _P, "message_too_large"),
    (sendgrid.read, 429, _sendgrid("too many requests"), _S, "provider_throttled"),
    (sendgrid.read, 503, {}, _T, "provider_error"),
    (twilio.read, 400, _twilio(21211), _P, "recipient_refused"),
    (twilio.read, 400, _twilio(21614), _P, "recipient_refused"),
    (twilio.read, 400, _twilio(21610), _P, "recipient_unsubscribed"),
    (twilio.read, 400, _twilio(21606), _P, "sender_refused"),
    (twilio.read, 400, _twilio(21617), _P, "message_too_large"),
    (twilio.read, 400, _twilio(21602), _P, "message_refused"),
    (twilio.read, 400, _twilio(21408), _T, "provider_no_route"),
    (twilio.read, 401, _twilio(20003), _C, "provider_credentials"),
    (twilio.read, 404, _twilio(20404), _C, "provider_credentials"),
    (twilio.read, 429, _twilio(20429), _S, "provider_throttled"),
    (twilio.read, 429, _twilio(63038), _C, "provider_quota"),
    (twilio.read, 400, _twilio(21611), _S, "provider_throttled"),
    (twilio.read, 500, _twilio(20500), _T, "provider_error"),
    (africastalking.read, 201, _recipient(402, "InvalidSenderId"), _P, "sender_refused"),
    (africastalking.read, 201, _recipient(403, "InvalidPhoneNumber"), _P, "recipient_refused"),
    (africastalking.read, 201, _recipient(404, "UnsupportedNumberType"), _P, "recipient_refused"),
    (africastalking.read, 201, _recipient(405, "InsufficientBalance"), _C, "provider_quota"),
    (africastalking.read, 201, _recipient(406, "UserInBlacklist"), _P, "recipient_unsubscribed"),
    (africastalking.read, 201, _recipient(407, "CouldNotRoute"), _T, "provider_no_route"),
    (africastalking.read, 201, _recipient(500, "InternalServerError"), _T, "provider_error"),
    (africastalking.read, 201, _recipient(999, "New"), _T, "provider_error"),
    (
        africastalking.read,
        201,
        {"SMSMessageData": {"Message": "InvalidSenderId", "Recipients": []}},
        _P,
        "sender_refused",
    ),
    (africastalking.read, 201, {"SMSMessageData": {"Message": "Odd", "Recipients": []}}, _T, "provider_error"),
    (africastalking.read, 201, {}, _T, "provider_error"),
    (africastalking.read, 401, {}, _C, "provider_credentials"),
    (africastalking.read, 400, {}, _P, "message_refused"),
    (africastalking.read, 502, {}, _T, "provider_error"),
]


def _name(case: tuple[Callable[[HttpResponse], SendResult], int, Mapping[str, object], Verdict, str]) -> str:
    read, status, body, _, reason = case
    errors = body.get("errors")
    word = body.get("name") or body.get("code") or (errors[0].get("field") if isinstance(errors, list) else "")
    return f"{read.__module__.split('.')[-2]}-{status}-{word or ''}-{reason}"


@pytest.mark.parametrize(("read", "status", "body", "verdict", "reason"), _CASES, ids=[_name(case) for case in _CASES])
def test_a_no(
    read: Callable[[HttpResponse], SendResult], status: int, body: Mapping[str, object], verdict: Verdict, reason: str
) -> None:
    """Of the message, of the account, of the moment, or of the provider itself."""
    result = read(HttpResponse(status, {}, json.dumps(body).encode()))
    assert (result.verdict, result.reason) == (verdict, reason)
    assert result.detail


@pytest.mark.parametrize(
    "read", [resend.read, sendgrid.read, twilio.read, africastalking.read], ids=lambda f: f.__module__
)
@pytest.mark.parametrize("body", [b"", b"<html>Bad Gateway</html>", b"[1]", b'{"name": 5, "errors": [3]}', b"\xff\xfe"])
@pytest.mark.parametrize("status", [204, 302, 400, 401, 403, 404, 429, 500, 599])
def test_any_answer_is_read(read: Callable[[HttpResponse], SendResult], body: bytes, status: int) -> None:
    """A proxy's page, an empty body, another shape: a result, never an exception, and never SENT."""
    assert read(HttpResponse(status, {}, body)).verdict is not Verdict.SENT


@pytest.mark.parametrize(
    ("read", "answer", "message_id"),
    [
        (resend.read, HttpResponse(200, {}, b'{"id": "49a3999c"}'), "49a3999c"),
        (sendgrid.read, HttpResponse(202, {"x-message-id": "14c5d75c"}, b""), "14c5d75c"),
        (twilio.read, HttpResponse(201, {}, b'{"sid": "SM1", "status": "queued"}'), "SM1"),
        (
            africastalking.read,
            HttpResponse(201, {}, b'{"SMSMessageData": {"Recipients": [{"statusCode": 101, "messageId": "ATXid_1"}]}}'),
            "ATXid_1",
        ),
    ],
    ids=["resend", "sendgrid", "twilio", "africastalking"],
)
def test_a_yes_brings_the_providers_id(
    read: Callable[[HttpResponse], SendResult], answer: HttpResponse, message_id: str
) -> None:
    """By which its reports will name the message."""
    result = read(answer)
    assert (result.verdict, result.provider_message_id) == (Verdict.SENT, message_id)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "Wed, 04 Mar 2026 05:06:37 GMT"}, 30),
        ({"retry-after": "Wed, 04 Mar 2026 05:00:00 GMT"}, 0),
        ({"ratelimit-reset": "2"}, 2),
        ({"x-ratelimit-reset": "1772600787"}, 20),
        ({"retry-after": "100000"}, 900),
        ({"retry-after": "nan"}, 0),
        ({"retry-after": "-5"}, 0),
        ({"retry-after": "soon"}, 0),
        ({}, 0),
    ],
    ids=str,
)
def test_how_long_to_wait(headers: dict[str, str], seconds: float) -> None:
    """Seconds, a date, or the end of the window as a moment; never more than a quarter of an hour."""
    now = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    assert http_api.retry_after_s(headers, now=now) == pytest.approx(seconds)
