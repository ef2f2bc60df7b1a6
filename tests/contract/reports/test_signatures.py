"""Our checks of providers' signatures beside those of their own SDKs: both say yes and no to the same calls.

Resend signs as Svix does; SendGrid with ECDSA; Twilio with HMAC-SHA1 over URL and fields; Africa's Talking does not.
"""

import base64
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sendgrid.helpers.eventwebhook import EventWebhook
from svix.webhooks import Webhook, WebhookVerificationError
from twilio.request_validator import RequestValidator

from services.senders.reports import africastalking, resend, sendgrid, twilio
from services.senders.reports.ports import Callback, RefusedError, Reporter

NOW = int(time.time())
URL = "https://notify.example.com/callbacks/0197a0b4-0000-7000-8000-000000000001/s3cret?x=1"
WHSEC = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
OTHER_WHSEC = "whsec_" + base64.b64encode(b"another one, another one, anothe").decode()
TOKEN = "f" * 32
EC_KEY = ec.generate_private_key(ec.SECP256R1())
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
FIELDS = {"MessageSid": "SM1", "MessageStatus": "delivered", "To": "+254712345678", "Body": "", "Name": "Zoë & co"}

Change = Callable[[Callback], Callback]


def _ours(reporter: Reporter, callback: Callback, credentials: dict[str, Any], now: float = NOW) -> bool:
    headers = {name.lower(): value for name, value in callback.headers.items()}
    try:
        reporter.verify(replace(callback, headers=headers), credentials, int(now * 1_000_000))
    except RefusedError:
        return False
    return True


def _changed_body(callback: Callback) -> Callback:
    return replace(callback, body=callback.body.replace(b"delivered", b"bouncedxx"))


def _without(name: str) -> Change:
    return lambda callback: replace(callback, headers={k: v for k, v in callback.headers.items() if k != name})


def _with(name: str, value: str) -> Change:
    return lambda callback: replace(callback, headers={**callback.headers, name: value})


def _same(callback: Callback) -> Callback:
    return callback


def _svix(offset_s: int = 0) -> Callback:
    at = int(time.time()) + offset_s  # not when the tests were collected: Svix's verifier asks the clock
    body = '{"type":"email.delivered","data":{"email_id":"é1"}}'
    signature = Webhook(WHSEC).sign("msg_1", datetime.fromtimestamp(at, UTC), body)
    headers = {"svix-id": "msg_1", "svix-timestamp": str(at), "svix-signature": signature}
    return Callback([URL], headers, body.encode())


def _with_another_first(callback: Callback) -> Callback:
    return _with("svix-signature", f"v1,AAAA {callback.headers['svix-signature']}")(callback)


@pytest.mark.parametrize(
    ("change", "offset_s", "secret", "expected"),
    [
        pytest.param(_same, 0, WHSEC, True, id="as-signed"),
        pytest.param(_with_another_first, 0, WHSEC, True, id="second-of-two-signatures"),
        pytest.param(_changed_body, 0, WHSEC, False, id="changed-body"),
        pytest.param(_same, 0, OTHER_WHSEC, False, id="another-secret"),
        pytest.param(_with("svix-id", "msg_2"), 0, WHSEC, False, id="another-id"),
        pytest.param(_without("svix-signature"), 0, WHSEC, False, id="no-signature"),
        pytest.param(_without("svix-timestamp"), 0, WHSEC, False, id="no-timestamp"),
        pytest.param(_with("svix-timestamp", "soon"), 0, WHSEC, False, id="no-number"),
        pytest.param(_same, -310, WHSEC, False, id="five-minutes-old"),
        pytest.param(_same, 400, WHSEC, False, id="six-minutes-ahead"),
        pytest.param(_same, -200, WHSEC, True, id="three-minutes-old"),
    ],
)
def test_resend_as_svix(
    change: Change,
    offset_s: int,
    secret: str,
    expected: bool,  # noqa: FBT001 - a case's own answer
) -> None:
    """The verifier of Svix's package and ours."""
    callback = change(_svix(offset_s))
    try:
        Webhook(secret).verify(callback.body, dict(callback.headers))
        theirs = True
    except WebhookVerificationError:
        theirs = False
    assert (theirs, _ours(resend.REPORTER, callback, {"webhook_secret": secret}, time.time())) == (expected, expected)


def _public(key: ec.EllipticCurvePrivateKey) -> str:
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def _event_webhook(at: int = NOW) -> Callback:
    body = '[{"event":"delivered","sg_message_id":"m.filter1"},\r\n{"event":"open","email":"zoë@example.com"}]\r\n'
    signature = EC_KEY.sign(f"{at}{body}".encode(), ec.ECDSA(hashes.SHA256()))
    headers = {
        "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
        "X-Twilio-Email-Event-Webhook-Timestamp": str(at),
    }
    return Callback([URL], headers, body.encode())


@pytest.mark.parametrize(
    ("change", "key", "expected"),
    [
        pytest.param(_same, _public(EC_KEY), True, id="as-signed"),
        pytest.param(_changed_body, _public(EC_KEY), False, id="changed-body"),
        pytest.param(_same, _public(ec.generate_private_key(ec.SECP256R1())), False, id="another-key"),
        pytest.param(
            _with("X-Twilio-Email-Event-Webhook-Timestamp", str(NOW - 1)), _public(EC_KEY), False, id="another-time"
        ),
    ],
)
def test_sendgrid_as_its_sdk(change: Change, key: str, expected: bool) -> None:  # noqa: FBT001 - likewise
    """SendGrid's EventWebhook and our check."""
    callback = change(_event_webhook())
    theirs = EventWebhook(key).verify_signature(
        callback.body.decode(),
        callback.headers["X-Twilio-Email-Event-Webhook-Signature"],
        callback.headers["X-Twilio-Email-Event-Webhook-Timestamp"],
    )
    assert (theirs, _ours(sendgrid.REPORTER, callback, {"webhook_public_key": key})) == (expected, expected)


@pytest.mark.parametrize(
    ("change", "key", "later_s"),
    [
        pytest.param(_same, "", 0, id="no-key-set"),
        pytest.param(_same, "bm90IGEga2V5", 0, id="no-key"),
        pytest.param(_with("X-Twilio-Email-Event-Webhook-Signature", "%%%"), _public(EC_KEY), 0, id="no-base64"),
        pytest.param(_without("X-Twilio-Email-Event-Webhook-Signature"), _public(EC_KEY), 0, id="no-signature"),
        pytest.param(_without("X-Twilio-Email-Event-Webhook-Timestamp"), _public(EC_KEY), 0, id="no-timestamp"),
        pytest.param(_same, _public(EC_KEY), 26 * 3600, id="a-day-old"),
    ],
)
def test_sendgrid_beyond_its_sdk(change: Change, key: str, later_s: int) -> None:
    """What the SDK would crash on, or not look at, is refused."""
    assert not _ours(sendgrid.REPORTER, change(_event_webhook()), {"webhook_public_key": key}, NOW + later_s)


def _status_callback(url: str = URL, token: str = TOKEN) -> Callback:
    signature = RequestValidator(token).compute_signature(url, FIELDS)
    return Callback([URL], {**FORM, "X-Twilio-Signature": signature}, urllib.parse.urlencode(FIELDS).encode())


@pytest.mark.parametrize(
    ("callback", "expected"),
    [
        pytest.param(_status_callback(), True, id="as-signed"),
        pytest.param(_changed_body(_status_callback()), False, id="changed-field"),
        pytest.param(_status_callback(token="e" * 32), False, id="another-token"),
        pytest.param(_status_callback(url=URL.replace("https", "http")), False, id="another-url"),
        pytest.param(_with("X-Twilio-Signature", "")(_status_callback()), False, id="no-signature"),
    ],
)
def test_twilio_as_its_sdk(callback: Callback, expected: bool) -> None:  # noqa: FBT001 - likewise
    """Twilio's RequestValidator and our check."""
    fields = dict(urllib.parse.parse_qsl(callback.body.decode(), keep_blank_values=True))
    theirs = RequestValidator(TOKEN).validate(URL, fields, callback.headers["X-Twilio-Signature"])
    assert (theirs, _ours(twilio.REPORTER, callback, {"auth_token": TOKEN})) == (expected, expected)


def test_twilio_behind_a_proxy() -> None:
    """The address that the world knows, or the one that was called here: either may be what Twilio signed."""
    callback = replace(_status_callback(), urls=["http://10.0.0.7:8080/callbacks/x", URL])
    assert _ours(twilio.REPORTER, callback, {"auth_token": TOKEN})
    assert not _ours(twilio.REPORTER, callback, {"auth_token": ""})


def test_africastalking_signs_nothing() -> None:
    """So its URL's secret is its proof, and there is no setting to wait for."""
    assert africastalking.REPORTER.setting == ""
    assert _ours(africastalking.REPORTER, Callback([URL], FORM, b"id=1&status=Success"), {})
