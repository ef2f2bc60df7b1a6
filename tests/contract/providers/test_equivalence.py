"""The official SDKs' requests and ours, side by side: method, host, path, query, headers and body, field by field."""

import asyncio
import json
import urllib.parse
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from clarion.common.v1 import event_pb2
from services.delivery.ports import Verdict
from services.senders import provider_settings, registry
from services.senders.http import HttpClient
from services.senders.ports import Address, Email, Resources, Sms
from tests.conftest import REPORT
from tests.contract.providers import sdks
from tests.contract.providers.recorder import Recorded, Recorder, Reply, recording
from tests.unit.senders import builders

# The only headers that may differ, each with its reason; whatever is not here must be the same on both sides.
MAY_DIFFER = {
    "user-agent": "says whose client it is",
    "accept-encoding": "ours asks for no compression: the answers are a few hundred bytes",
    "connection": "of the connection, not of the request",
    "content-length": "JSON may be written with other blanks and escapes; the bodies are compared once decoded",
}
MAY_DIFFER_AT = {
    "twilio": {
        "x-twilio-client": "names the SDK and its version, as its User-Agent does",
        "accept-charset": "JSON is UTF-8 (RFC 8259)",
    },
}

_ATEXT = '{"SMSMessageData": {"Message": "Sent to 1/1", "Recipients": [{"statusCode": 101, "messageId": "ATXid_1"}]}}'
_JSON = {"Content-Type": "application/json"}
REPLIES = {
    "api.resend.com": Reply(200, b'{"id": "49a3999c-0ce1-4ea6-ab68-afcd6dc2e794"}', _JSON),
    "api.sendgrid.com": Reply(202, b"", {"X-Message-Id": "14c5d75ce93"}),
    "api.eu.sendgrid.com": Reply(202, b"", {"X-Message-Id": "14c5d75ce93"}),
    "api.twilio.com": Reply(201, b'{"sid": "SM1", "status": "queued"}', _JSON),
    "api.dublin.ie1.twilio.com": Reply(201, b'{"sid": "SM1", "status": "queued"}', _JSON),
    "api.africastalking.com": Reply(201, _ATEXT.encode(), _JSON),
    "api.sandbox.africastalking.com": Reply(201, _ATEXT.encode(), _JSON),
}

_PLAIN = builders.email()
_RICH = replace(
    builders.email(
        subject='Ihre Bestellung „7" & <b>mehr</b> — 100 % 🎉',
        text="Grüße,\n\tZoë + 2 = 4 & more\n\nこんにちは",
        html='<p title="x">Grüße &amp; 🎉</p>\n<p>\\ "quoted" / + %20</p>',
        recipient=Address("zoë+tag", "xn--bcher-kva.example"),
        sender_name='Käse, "Wurst" & Co.',
        reply_to=Address("help", "acorn.example"),
    )
)
_NAMELESS = builders.email(sender_name="")
_TEXT = builders.sms()
_RICH_TEXT = builders.sms('Ihre Bestellung „7" & mehr: 100 % 🎉\nhttps://acorn.example/?a=1&b=2+3 ~*')


@dataclass(frozen=True)
class Case:
    """A message, our provider's settings, and the SDK's way to send the same."""

    kind: str
    name: str
    message: Email | Sms
    sdk: Callable[[], str]
    settings: dict[str, Any] = field(default_factory=dict)


def _headers(message: Email) -> dict[str, str]:
    ids = message.reference
    return {
        "Auto-Submitted": "auto-generated",
        "X-Clarion-Tenant": ids.tenant_id,
        "X-Clarion-Event": ids.event_id,
        "X-Clarion-Delivery": ids.delivery_id,
    }


def _resend(name: str, message: Email, sender: str) -> Case:
    settings = {"api_key": sdks.API_KEY, "from_email": "noreply@acorn.example"}
    return Case("resend", name, message, lambda: sdks.resend(message, sender, _headers(message)), settings)


def _sendgrid(name: str, message: Email, region: str = "global") -> Case:
    settings = {"api_key": sdks.API_KEY, "from_email": "noreply@acorn.example", "region": region}
    return Case("sendgrid", name, message, lambda: sdks.sendgrid(message, region, _headers(message)), settings)


def _twilio(name: str, message: Sms, sdk: dict[str, str], **settings: str) -> Case:
    message = replace(message, sender=settings.get("sender", ""))
    auth = {} if "api_key_sid" in settings else {"auth_token": sdks.API_KEY}
    given = {"account_sid": sdks.ACCOUNT_SID, **auth, **settings}
    return Case("twilio", name, message, lambda: sdks.twilio(message, **sdk), given)


def _africastalking(
    name: str, message: Sms, *, username: str = "acorn", sender: str = "", enqueue: bool = False
) -> Case:
    message = replace(message, sender=sender)
    settings = {"username": username, "api_key": sdks.API_KEY, "sender": sender, "enqueue": enqueue}
    return Case(
        "africastalking", name, message, lambda: sdks.africastalking(message, username, enqueue=enqueue), settings
    )


CASES = [
    _resend("plain", _PLAIN, "Acorn Shop <orders@acorn.example>"),
    _resend("rich", _RICH, '"Käse, \\"Wurst\\" & Co." <orders@acorn.example>'),
    _resend("nameless", _NAMELESS, "orders@acorn.example"),
    _sendgrid("plain", _PLAIN),
    _sendgrid("rich", _RICH),
    _sendgrid("nameless", _NAMELESS),
    _sendgrid("europe", _PLAIN, "eu"),
    _twilio("plain", _TEXT, {"from_": "+15005550006"}, sender="+15005550006"),
    _twilio("rich", _RICH_TEXT, {"from_": "Acorn"}, sender="Acorn"),
    _twilio(
        "service",
        _TEXT,
        {"messaging_service_sid": sdks.SERVICE_SID, "status_callback": "https://n.example/c?a=1&b=2"},
        messaging_service_sid=sdks.SERVICE_SID,
        status_callback="https://n.example/c?a=1&b=2",
    ),
    _twilio(
        "key-in-dublin",
        _TEXT,
        {"from_": "+15005550006", "api_key_sid": sdks.KEY_SID, "region": "ie1", "edge": "dublin"},
        sender="+15005550006",
        api_key_sid=sdks.KEY_SID,
        api_key_secret=sdks.API_KEY,
        region="ie1",
        edge="dublin",
    ),
    _africastalking("plain", _TEXT),
    _africastalking("rich", _RICH_TEXT, sender="ACORN", enqueue=True),
    _africastalking("their-sandbox", _TEXT, username="sandbox"),
]


@pytest.fixture
async def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Recorder]:
    """All providers' hosts, led to one server by the environment that the SDKs read."""
    async with recording(REPLIES, tmp_path) as recorder:
        for name in ("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy", "CURL_CA_BUNDLE"):
            monkeypatch.delenv(name, raising=False)
        for name, value in recorder.environment().items():
            monkeypatch.setenv(name, value)
        yield recorder


async def _ours(case: Case, recorder: Recorder) -> str:
    """Send by our provider, opened as the senders do; return the provider's id."""
    channel = event_pb2.CHANNEL_EMAIL if isinstance(case.message, Email) else event_pb2.CHANNEL_SMS
    kind = registry.kind(channel, case.kind)
    http = HttpClient(builders.guard(), proxy=recorder.proxy)
    try:
        resources = _resources(http)
        result = await kind.open(provider_settings.read_settings(kind, case.settings), resources).send(case.message)
    finally:
        await http.close()
    assert result.verdict is Verdict.SENT, result
    return result.provider_message_id


def _resources(http: HttpClient) -> Resources:
    no_sandbox: Any = None
    return Resources(recorder=no_sandbox, http=http, mail_guard=builders.guard())


def _decoded(request: Recorded) -> Any:
    """The body as the provider understands it: JSON, or a form's fields in their order."""
    if request.headers["content-type"].startswith("application/json"):
        return json.loads(request.body)
    return urllib.parse.parse_qsl(request.body.decode(), keep_blank_values=True, strict_parsing=True)


def _differences(kind: str, theirs: Recorded, ours: Recorded) -> dict[str, tuple[Any, Any]]:
    """Return what differs, by name: (the SDK's, ours)."""
    pairs: dict[str, tuple[Any, Any]] = {
        name: (getattr(theirs, name), getattr(ours, name)) for name in ("method", "host", "path", "query")
    }
    for name in sorted({*theirs.headers, *ours.headers}):
        pairs[f"header {name}"] = (theirs.headers.get(name), ours.headers.get(name))
    pairs["body"] = (_decoded(theirs), _decoded(ours))
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


@pytest.mark.parametrize("kind", ["resend", "sendgrid", "twilio", "africastalking"])
async def test_our_request_is_the_official_sdks(
    kind: str, recorder: Recorder, record_property: Callable[[str, object], None]
) -> None:
    """Nothing differs but what MAY_DIFFER names, and both read the same message id from the answer."""
    allowed = {f"header {name}" for name in {**MAY_DIFFER, **MAY_DIFFER_AT.get(kind, {})}}
    seen: set[str] = set()
    wrong: dict[str, Any] = {}
    cases = [case for case in CASES if case.kind == kind]
    for case in cases:
        recorder.requests.clear()
        their_id = await asyncio.to_thread(case.sdk)
        our_id = await _ours(case, recorder)
        theirs, ours = recorder.requests
        found = _differences(kind, theirs, ours)
        seen |= allowed & found.keys()
        unexpected = {name: pair for name, pair in found.items() if name not in allowed}
        if unexpected or their_id != our_id:
            wrong[case.name] = (unexpected, their_id, our_id)
    differing = ", ".join(sorted(name.removeprefix("header ") for name in seen))
    verdict = f"DIFFERENT in {', '.join(wrong)}" if wrong else "same"
    line = f"provider equivalence: {kind:<15} {verdict} ({len(cases)} messages; only these headers differ: {differing})"
    record_property(REPORT, line)
    print(line)
    assert not wrong


async def test_a_difference_would_be_seen(recorder: Recorder) -> None:
    """The comparison itself: another word in the body, another header, another path."""
    case = next(case for case in CASES if case.kind == "twilio")
    await _ours(case, recorder)
    one = recorder.requests[0]
    other = replace(one, path=one.path + "x", body=one.body + b"s", headers={**one.headers, "x-more": "1"})
    assert _differences("twilio", one, other).keys() == {"path", "body", "header x-more"}


async def test_a_certificate_that_nobody_vouches_for(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is not trusted: nothing is sent, and the attempt says so."""
    monkeypatch.delenv("SSL_CERT_FILE")
    case = CASES[0]
    kind = registry.kind(event_pb2.CHANNEL_EMAIL, case.kind)
    http = HttpClient(builders.guard(), proxy=recorder.proxy)
    resources = _resources(http)
    result = await kind.open(provider_settings.read_settings(kind, case.settings), resources).send(case.message)
    await http.close()
    assert (result.verdict, result.reason) == (Verdict.TRANSIENT, "provider_tls")
    assert recorder.requests == []
