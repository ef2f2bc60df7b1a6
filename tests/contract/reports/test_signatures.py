"""Our checks of providers' signatures beside those of their own SDKs: both say yes and no to the same calls.

Resend signs as Svix does; SendGrid with ECDSA; Twilio with HMAC-SHA1 over URL and fields; Africa's Talking does not.
"""

import base64
import hashlib
import json
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
from twilio.request_validator import RequestValidator, get_signature_algorithm

from clarion.common.v1.event_pb2 import CHANNEL_EMAIL
from services.senders import providers
from services.senders.reports import africastalking, resend, sendgrid, twilio
from services.senders.reports.ports import MalformedReport, ProviderCallback, ReportReader, UnverifiedCallback

NOW = int(time.time())
URL = "https://notify.example.com/callbacks/0197a0b4-0000-7000-8000-000000000001/s3cret?x=1"
WHSEC = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
OTHER_WHSEC = "whsec_" + base64.b64encode(b"another one, another one, anothe").decode()
TOKEN = "f" * 32
EC_KEY = ec.generate_private_key(ec.SECP256R1())
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
FIELDS = {"MessageSid": "SM1", "MessageStatus": "delivered", "To": "+254712345678", "Body": "", "Name": "Zoë & co"}

Change = Callable[[ProviderCallback], ProviderCallback]


def _ours(
    report_reader: ReportReader, callback: ProviderCallback, credentials: dict[str, Any], now: float = NOW
) -> bool:
    headers = {name.lower(): value for name, value in callback.headers.items()}
    try:
        report_reader.verify(replace(callback, headers=headers), credentials, int(now * 1_000_000))
    except UnverifiedCallback:
        return False
    return True


def _changed_body(callback: ProviderCallback) -> ProviderCallback:
    return replace(callback, body=callback.body.replace(b"delivered", b"bouncedxx"))


def _without(name: str) -> Change:
    return lambda callback: replace(callback, headers={k: v for k, v in callback.headers.items() if k != name})


def _with(name: str, value: str) -> Change:
    return lambda callback: replace(callback, headers={**callback.headers, name: value})


def _same(callback: ProviderCallback) -> ProviderCallback:
    return callback


def _svix(offset_s: int = 0) -> ProviderCallback:
    at = int(time.time()) + offset_s  # not when the tests were collected: Svix's verifier asks the clock
    body = '{"type":"email.delivered","data":{"email_id":"é1"}}'
    signature = Webhook(WHSEC).sign("msg_1", datetime.fromtimestamp(at, UTC), body)
    headers = {"svix-id": "msg_1", "svix-timestamp": str(at), "svix-signature": signature}
    return ProviderCallback([URL], headers, body.encode())


def _with_another_first(callback: ProviderCallback) -> ProviderCallback:
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
        pytest.param(_same, 0, WHSEC.removeprefix("whsec_"), True, id="without-prefix"),
        pytest.param(_same, 0, WHSEC.rstrip("="), True, id="without-padding"),
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
    assert (theirs, _ours(resend.REPORT_READER, callback, {"webhook_secret": secret}, time.time())) == (
        expected,
        expected,
    )


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(f"{WHSEC}\n", id="line-end"),
        pytest.param(f"{WHSEC}\r\n", id="windows-line-end"),
        pytest.param(f" {WHSEC}\t", id="blanks"),
        pytest.param(f"v1,{WHSEC}", id="with-the-version-of-signatures"),
        pytest.param(f"\u200b{WHSEC}\ufeff", id="invisible-marks"),
    ],
)
def test_a_resend_secret_as_it_is_pasted(written: str) -> None:
    """What is kept of it is Svix's form: reports that Svix's package signs with the secret are proven by it."""
    kept = _kept("resend", webhook_secret=written)
    assert kept["webhook_secret"] == WHSEC
    assert _ours(resend.REPORT_READER, _svix(), kept, time.time())
    assert resend.REPORT_READER.is_ready(kept)


def _public(key: ec.EllipticCurvePrivateKey) -> str:
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def _event_webhook(at: int = NOW) -> ProviderCallback:
    body = '[{"event":"delivered","sg_message_id":"m.filter1"},\r\n{"event":"open","email":"zoë@example.com"}]\r\n'
    signature = EC_KEY.sign(f"{at}{body}".encode(), ec.ECDSA(hashes.SHA256()))
    headers = {
        "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
        "X-Twilio-Email-Event-Webhook-Timestamp": str(at),
    }
    return ProviderCallback([URL], headers, body.encode())


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
    assert (theirs, _ours(sendgrid.REPORT_READER, callback, {"webhook_public_key": key})) == (expected, expected)


PEM = EC_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
BASE64 = "".join(PEM.splitlines()[1:-1])


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(PEM, id="pem"),
        pytest.param(PEM.replace("\n", "\r\n"), id="pem-with-windows-line-ends"),
        pytest.param(PEM.replace("\n", "\\n"), id="pem-with-escaped-line-ends"),
        pytest.param(PEM.replace("\n", " "), id="pem-in-one-line"),
        pytest.param("\n".join(PEM.splitlines()[1:-1]), id="pem-without-its-frame"),
        pytest.param(f"{BASE64}\n", id="line-end"),
        pytest.param(f"\ufeff {BASE64} ", id="blanks-and-a-byte-order-mark"),
        pytest.param(BASE64.rstrip("="), id="without-padding"),
    ],
)
def test_a_sendgrid_key_as_it_is_pasted(written: str) -> None:
    """What is kept of it is the form that SendGrid's SDK takes; both prove the same report by it."""
    kept = _kept("sendgrid", webhook_public_key=written)
    callback = _event_webhook()
    signature, at = callback.headers.values()
    assert EventWebhook(kept["webhook_public_key"]).verify_signature(callback.body.decode(), signature, at)
    assert _ours(sendgrid.REPORT_READER, callback, kept)
    assert sendgrid.REPORT_READER.is_ready(kept)


def _kept(kind: str, **settings: str) -> dict[str, Any]:
    """Return what is stored of a new provider, secrets among it."""
    given = {"api_key": "re_123456789", "from_email": "us@acorn.example", **settings}
    new = providers.check(
        tenant_id="t", channel=CHANNEL_EMAIL, kind=kind, name="", priority=0, settings_json=json.dumps(given)
    )
    return {**new.settings, **new.secrets}


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
    assert not _ours(sendgrid.REPORT_READER, change(_event_webhook()), {"webhook_public_key": key}, NOW + later_s)


class Fields(dict[str, list[str]]):
    """A form's fields as Django's QueryDict gives them to Twilio's SDK."""

    def getlist(self, name: str) -> list[str]:
        """Return a field's values."""
        return self[name]


def _status_callback(
    called: str = URL, *, signed: str = URL, token: str = TOKEN, fields: dict[str, Any] | None = None
) -> ProviderCallback:
    """Return a call to one URL, signed for another as Twilio's SDK computes it."""
    given = fields or FIELDS
    body = urllib.parse.urlencode(given, doseq=True)
    signature = RequestValidator(token).compute_signature(signed, Fields(urllib.parse.parse_qs(body, True)))
    return ProviderCallback([called], {**FORM, "X-Twilio-Signature": signature}, body.encode())


HERE = "http://127.0.0.1:8080/callbacks/p/s3cret"
SECURE = "https://notify.example.com/callbacks/p/s3cret"


@pytest.mark.parametrize(
    ("callback", "expected"),
    [
        pytest.param(_status_callback(), True, id="as-signed"),
        pytest.param(_changed_body(_status_callback()), False, id="changed-field"),
        pytest.param(_status_callback(token="e" * 32), False, id="another-token"),
        pytest.param(_status_callback(signed=URL.replace("s3cret", "secret")), False, id="another-path"),
        pytest.param(_status_callback(signed=URL.replace("notify", "other")), False, id="another-host"),
        pytest.param(_status_callback(signed=URL.replace("x=1", "x=2")), False, id="another-query"),
        pytest.param(_status_callback(signed=URL.replace("?", "/?")), False, id="another-slash"),
        pytest.param(_with("X-Twilio-Signature", "")(_status_callback()), False, id="no-signature"),
        pytest.param(_status_callback(HERE, signed=HERE), True, id="port"),
        pytest.param(_status_callback(HERE, signed=HERE.replace(":8080", "")), True, id="port-that-is-not-signed"),
        pytest.param(
            _status_callback(SECURE, signed=SECURE.replace(".com/", ".com:443/")), True, id="usual-port-is-signed"
        ),
        pytest.param(
            _status_callback(HERE.replace(":8080", ""), signed=HERE.replace("8080", "80")), True, id="port-80-is-signed"
        ),
        pytest.param(_status_callback(HERE, signed=HERE.replace("8080", "9090")), False, id="another-port"),
        pytest.param(_status_callback(fields={"To": ["+2", "+1", "+2"], "A": ""}), True, id="field-twice"),
        pytest.param(_status_callback(fields={"b": "1", "B": "2", "é": "ü"}), True, id="fields-in-order-of-code"),
        pytest.param(
            _status_callback(SECURE + "?q=a%20b+c%27&e=", signed=SECURE + "?q=a%20b+c%27&e="), True, id="query"
        ),
    ],
)
def test_twilio_as_its_sdk(callback: ProviderCallback, expected: bool) -> None:  # noqa: FBT001 - likewise
    """Twilio's RequestValidator and our check."""
    fields = Fields(urllib.parse.parse_qs(callback.body.decode(), keep_blank_values=True))
    theirs = RequestValidator(TOKEN).validate(callback.urls[0], fields, callback.headers["X-Twilio-Signature"])
    assert (theirs, _ours(twilio.REPORT_READER, callback, {"auth_token": TOKEN})) == (expected, expected)


JSON_BODY = '{"MessageSid": "SM1", "MessageStatus": "delivered", "To": "é"}'
JSON_URL = f"{SECURE}?bodySHA256={hashlib.sha256(JSON_BODY.encode()).hexdigest()}"


def _json_callback(body: str = JSON_BODY, url: str = JSON_URL) -> ProviderCallback:
    signature = RequestValidator(TOKEN).compute_signature(url, {})
    return ProviderCallback([url], {"Content-Type": "application/json", "X-Twilio-Signature": signature}, body.encode())


@pytest.mark.parametrize(
    ("callback", "expected"),
    [
        pytest.param(_json_callback(), True, id="as-signed"),
        pytest.param(_json_callback(JSON_BODY.replace("delivered", "failed")), False, id="another-body"),
        pytest.param(_json_callback(url=JSON_URL.replace("=", "=0")), False, id="another-hash"),
        pytest.param(_with("X-Twilio-Signature", "AAAA")(_json_callback()), False, id="another-signature"),
    ],
)
def test_twilio_json_as_its_sdk(callback: ProviderCallback, expected: bool) -> None:  # noqa: FBT001 - likewise
    """The URL names the hash of a body that is no form."""
    signature = callback.headers["X-Twilio-Signature"]
    theirs = RequestValidator(TOKEN).validate(callback.urls[0], callback.body.decode(), signature)
    assert (theirs, _ours(twilio.REPORT_READER, callback, {"auth_token": TOKEN})) == (expected, expected)


def test_a_twilio_body_without_a_hash_is_no_report() -> None:
    """Whoever signs the URL alone has not signed the body."""
    with pytest.raises(MalformedReport):
        _ours(twilio.REPORT_READER, _json_callback(url=SECURE), {"auth_token": TOKEN})


@pytest.mark.parametrize(
    ("algorithm", "settings", "credentials", "expected"),
    [
        pytest.param("HMAC_SHA256", "key=k1,algorithm=HMAC_SHA256", {"shared_key": TOKEN}, True, id="sha256"),
        pytest.param("HMAC_SHA1", "key=k1", {"shared_key": TOKEN}, True, id="no-algorithm-named"),
        pytest.param("HMAC_SHA1", "key=k1,algorithm=HMAC_SHA256", {"shared_key": TOKEN}, False, id="another-algorithm"),
        pytest.param("HMAC_SHA256", "key=k1,algorithm=HMAC_SHA256", {"auth_token": TOKEN}, False, id="only-the-token"),
        pytest.param("HMAC_SHA1", "key=k1,algorithm=HMAC_MD5", {"shared_key": TOKEN}, False, id="unknown-algorithm"),
        pytest.param("HMAC_SHA1", "", {"shared_key": TOKEN}, False, id="signed-with-the-token"),
    ],
)
def test_twilio_shared_keys_as_its_sdk(
    algorithm: str,
    settings: str,
    credentials: dict[str, str],
    expected: bool,  # noqa: FBT001 - likewise
) -> None:
    """Where a webhook rule says so it signs with a shared key: a header tells how."""
    signature = RequestValidator(TOKEN).compute_signature(URL, FIELDS, algorithm)
    headers = {**FORM, "X-Twilio-Signature": signature, "X-Twilio-Webhooks-Signature-Settings": settings}
    callback = ProviderCallback([URL], headers, urllib.parse.urlencode(FIELDS).encode())
    if credentials.get("shared_key") and settings:
        theirs = RequestValidator(TOKEN).validate(URL, FIELDS, signature, get_signature_algorithm(settings))
        assert theirs is expected
    assert _ours(twilio.REPORT_READER, callback, credentials) is expected


@pytest.mark.parametrize(
    ("called", "signed", "credentials"),
    [
        pytest.param(SECURE.replace("https", "http"), SECURE, {}, id="proxy-that-ends-tls"),
        pytest.param(SECURE.replace("https", "http"), SECURE.replace(".com/", ".com:443/"), {}, id="and-its-port"),
        pytest.param(HERE, HERE.replace("http", "https").replace(":8080", ""), {}, id="proxy-on-another-port"),
        pytest.param("http://[::1]:8080/c", "http://[::1]/c", {}, id="ipv6-with-a-port"),
        pytest.param("http://[::1]/c", "http://[::1]:80/c", {}, id="ipv6-without-a-port"),
        pytest.param(HERE, SECURE, {"status_callback": SECURE + "#rc=3"}, id="status-callback-of-the-provider"),
        pytest.param(
            HERE,
            SECURE.replace("//", "//user:word@"),
            {"status_callback": SECURE.replace("//", "//user:word@")},
            id="status-callback-with-a-password",
        ),
        pytest.param(HERE, HERE, {"auth_token": f"{TOKEN}\n"}, id="token-stored-with-a-line-end"),
    ],
)
def test_twilio_beyond_its_sdk(called: str, signed: str, credentials: dict[str, str]) -> None:
    """Proxies hide scheme, host and port; what Twilio was told to call, it signs."""
    callback = _status_callback(called, signed=signed)
    assert _ours(twilio.REPORT_READER, callback, {"auth_token": TOKEN, **credentials})


def test_twilio_believes_no_status_callback_of_another_path() -> None:
    """A signature that was made for another call of the same account proves nothing here."""
    other = SECURE.replace("s3cret", "other")
    callback = _status_callback(HERE, signed=other)
    assert not _ours(twilio.REPORT_READER, callback, {"auth_token": TOKEN, "status_callback": other})


def test_twilio_behind_a_proxy() -> None:
    """The address that the world knows, or the one that was called here: either may be what Twilio signed."""
    callback = replace(_status_callback(), urls=["http://10.0.0.7:8080/callbacks/x", URL])
    assert _ours(twilio.REPORT_READER, callback, {"auth_token": TOKEN})
    assert not _ours(twilio.REPORT_READER, callback, {"auth_token": ""})


def test_africastalking_signs_nothing() -> None:
    """So its URL's secret is its proof, and there is no setting to wait for."""
    assert africastalking.REPORT_READER.setting == ""
    assert _ours(africastalking.REPORT_READER, ProviderCallback([URL], FORM, b"id=1&status=Success"), {})
