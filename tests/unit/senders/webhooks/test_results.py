"""From answers to results, and to what the timeline shows."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from runtime.encryption import Vault
from services.delivery.ports import Verdict
from services.domain.endpoints import SLACK
from services.senders.webhooks import results
from services.senders.webhooks.directory import open_endpoint
from services.senders.webhooks.ports import Answer, NoAnswer
from tests.unit.senders.builders import TENANT, encryption_key
from tests.unit.senders.webhooks import builders

_NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
_VAULT = Vault(encryption_key())
_OPENED = open_endpoint(
    builders.endpoint(
        _VAULT, "https://a.example/in?key=s3cret", headers={"X-Key": "own-secret", "X-A": "short"}, auth="ada:pass-word"
    ),
    TENANT,
    _VAULT,
)
_SLACK = open_endpoint(builders.endpoint(_VAULT, "https://hooks.slack.com/services/T/B/x", kind=SLACK), TENANT, _VAULT)


def _answer(status: int, body: bytes = b"", **headers: str) -> Answer:
    return Answer(status, [(name.replace("_", "-"), value) for name, value in headers.items()], body, is_cut=False)


@pytest.mark.parametrize(
    ("status", "verdict", "reason"),
    [
        (200, Verdict.SENT, ""),
        (201, Verdict.SENT, ""),
        (204, Verdict.SENT, ""),
        (299, Verdict.SENT, ""),
        (301, Verdict.TRANSIENT, "endpoint_error"),
        (304, Verdict.TRANSIENT, "endpoint_error"),
        (307, Verdict.TRANSIENT, "endpoint_error"),
        (400, Verdict.TRANSIENT, "endpoint_error"),
        (401, Verdict.TRANSIENT, "endpoint_error"),
        (404, Verdict.TRANSIENT, "endpoint_error"),
        (410, Verdict.PERMANENT, "endpoint_answered_gone"),
        (429, Verdict.THROTTLED, "endpoint_throttled"),
        (500, Verdict.TRANSIENT, "endpoint_error"),
        (503, Verdict.TRANSIENT, "endpoint_error"),
        (999, Verdict.TRANSIENT, "endpoint_error"),
    ],
)
def test_statuses(status: int, verdict: Verdict, reason: str) -> None:
    """Only 2xx is a success; a redirect is not followed."""
    result = results.of_answer(_answer(status, b"say\r\nwhat", location="http://b.example/"), _OPENED, _NOW)
    assert (result.verdict, result.reason, result.provider) == (verdict, reason, "webhook")
    assert result.http is not None
    assert (result.http.status, result.http.body) == (status, b"say\r\nwhat")
    if verdict is not Verdict.SENT:
        assert result.detail == f"{status} say what"


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        (format_datetime(_NOW + timedelta(seconds=90), usegmt=True), 90.0),
        ("100000000", 86_400.0),
        ("1e308", 86_400.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400.0),
    ],
)
def test_retry_after(status: int, value: str, seconds: float) -> None:
    """Seconds or a date, at most a day."""
    assert results.of_answer(_answer(status, retry_after=value), _OPENED, _NOW).retry_after_s == seconds


@pytest.mark.parametrize("value", ["", "-5", "nan", "soon", "Fri, 31 Dec 1999 23:59:59 GMT"])
def test_a_retry_after_that_says_nothing(value: str) -> None:
    """429 pauses for a minute then; 503 is retried on schedule."""
    assert results.of_answer(_answer(429, retry_after=value), _OPENED, _NOW).retry_after_s == 60.0
    assert results.of_answer(_answer(503, retry_after=value), _OPENED, _NOW).retry_after_s == 0.0
    assert results.of_answer(_answer(500, retry_after="7"), _OPENED, _NOW).retry_after_s == 0.0


@pytest.mark.parametrize(
    ("reason", "verdict"),
    [
        ("endpoint_timeout", Verdict.TRANSIENT),
        ("endpoint_unreachable", Verdict.TRANSIENT),
        ("endpoint_tls", Verdict.TRANSIENT),
        ("endpoint_error", Verdict.TRANSIENT),
        ("address_not_allowed", Verdict.PERMANENT),
    ],
)
def test_no_answer(reason: str, verdict: Verdict) -> None:
    """The call is on the timeline, with the status if there was one."""
    result = results.of_no_answer(NoAnswer(reason, "A sentence.", status=200), _OPENED)
    assert (result.verdict, result.reason, result.detail) == (verdict, reason, "A sentence.")
    assert result.http is not None
    assert (result.http.url, result.http.status) == ("https://a.example/in?key=***", 200)


def test_too_many_calls_are_no_attempt() -> None:
    """The delivery waits in a row."""
    result = results.of_no_answer(NoAnswer("endpoint_busy", "Full."), _OPENED)
    assert (result.verdict, result.reason, result.retry_after_s, result.http) == (
        Verdict.PARKED,
        "endpoint_busy",
        1.0,
        None,
    )


def test_what_is_kept_of_an_answer() -> None:
    """At most 50 headers of 4 KiB together, and 4 KiB of the body; no control characters in headers."""
    many = [(f"x-{number}", "v") for number in range(100)]
    http = results.of_answer(Answer(200, many, b"b" * 5_000, is_cut=False), _OPENED, _NOW).http
    assert http is not None
    assert (len(http.headers), len(http.body), http.is_cut) == (50, 4_096, True)
    large = [(f"x-{number}", "ö" * 1_000) for number in range(5)]
    http = results.of_answer(Answer(200, large, b"b" * 4_096, is_cut=False), _OPENED, _NOW).http
    assert http is not None
    assert (len(http.headers), http.is_cut) == (2, False)
    http = results.of_answer(Answer(200, [("x-a", "a\x1b[31m\u202eb")], b"", is_cut=True), _OPENED, _NOW).http
    assert http is not None
    assert (http.headers[0].value, http.is_cut) == ("a [31m b", True)


def test_secrets_that_an_endpoint_repeats_are_not_recorded() -> None:
    """An echo of the request shows neither the password nor the own headers."""
    basic = "YWRhOnBhc3Mtd29yZA=="
    echo = f'{{"x-key":"own-secret","authorization":"Basic {basic}","password":"pass-word","x-a":"short"}}'.encode()
    result = results.of_answer(Answer(400, [("x-echo", f"Basic {basic}")], echo, is_cut=False), _OPENED, _NOW)
    assert result.http is not None
    shown = result.detail + str(result.http)
    for secret in ("own-secret", basic, "pass-word", "s3cret"):
        assert secret not in shown
    assert "short" in shown


def test_slack() -> None:
    """Its path is not shown, and an answer that says no is not a success."""
    sent = results.of_answer(_answer(200, b"ok"), _SLACK, _NOW)
    assert (sent.verdict, sent.provider) == (Verdict.SENT, "slack")
    assert sent.http is not None
    assert sent.http.url == "https://hooks.slack.com/***"
    refused = results.of_answer(_answer(200, b'{"ok":false,"error":"no_text"}'), _SLACK, _NOW)
    assert (refused.verdict, refused.reason, refused.detail) == (Verdict.TRANSIENT, "endpoint_error", "no_text")
    assert results.of_answer(_answer(429, retry_after="30"), _SLACK, _NOW).retry_after_s == 30.0
    assert results.of_answer(_answer(410, b"channel_is_archived"), _SLACK, _NOW).verdict is Verdict.PERMANENT
