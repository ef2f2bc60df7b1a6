"""The admin API's bodies and queries."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from aiohttp import streams, web
from aiohttp.test_utils import make_mocked_request

from clarion.common.v1 import event_pb2, trace_pb2
from gateway.admin import drafts, forms
from gateway.admin.privacy import RecipientBody
from gateway.admin.tenants import NewTenantBody, NewWebhookSecretBody, TenantChangeBody
from gateway.replies import BodyError
from runtime.errors import ClarionError, Code


def get(query: str) -> web.Request:
    """Return a request with this query."""
    return make_mocked_request("GET", f"/?{query}")


class _Body(streams.EmptyStreamReader):
    def __init__(self, raw: bytes) -> None:
        super().__init__()
        self._raw = raw

    async def readany(self) -> bytes:
        raw, self._raw = self._raw, b""
        return raw


def post(body: Any, content_type: str = "application/json") -> web.Request:
    """Return a request with this body."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return make_mocked_request("POST", "/", headers={"Content-Type": content_type}, payload=_Body(raw))


@pytest.mark.parametrize(
    ("body", "field", "description"),
    [
        ({}, "name", "is required"),
        ({"name": "Acorn", "nmae": 1}, "nmae", "is not known here"),
        ({"name": 7}, "name", "must be a string"),
        ({"name": "x", "delivery_channels": ["EMAIL", 7]}, "delivery_channels[1]", "must be a string"),
        ({"name": "x", "delivery_channels": "EMAIL"}, "delivery_channels", "must be a list"),
        ({"name": "x", "max_unfinished_events": 0}, "max_unfinished_events", "from 1 to 2,147,483,647"),
        ({"name": "x", "max_unfinished_events": -1}, "max_unfinished_events", "from 1 to 2,147,483,647"),
        ({"name": "x", "max_unfinished_events": 2**31}, "max_unfinished_events", "from 1 to 2,147,483,647"),
        (b'{"name": "x", "max_unfinished_events": 1e400}', "max_unfinished_events", "from 1 to 2,147,483,647"),
        ({"name": "x", "max_unfinished_bytes": 5}, "max_unfinished_bytes", "from 33,554,432 to"),
        ({"name": "x", "max_sms_segments": 0}, "max_sms_segments", "must be a whole number from 1 to 255"),
        ({"name": "x", "max_sms_segments": 256}, "max_sms_segments", "must be a whole number from 1 to 255"),
        ({"name": "x", "max_sms_segments": 1.5}, "max_sms_segments", "must be a whole number from 1 to 255"),
        ({"name": "x", "daily_cap": "7"}, "daily_cap", "a whole number from 0 to 2,147,483,647 or null"),
        ({"name": "x", "rates": [{"bound": 1, "kind": "fixed"}]}, "rates[0].window_s", "is required"),
        (
            {"name": "x", "rates": [{"window_s": 2678401, "bound": 1, "kind": "fixed"}]},
            "rates[0].window_s",
            "from 1 to",
        ),
        ({"name": "x", "rates": [{"window_s": 1, "bound": 1, "kind": "log"}]}, "rates[0].kind", "sliding"),
        ({"name": "x", "rates": [{"window_s": 1, "bound": None, "kind": "fixed"}]}, "rates[0].bound", "whole number"),
        ({"name": "x", "content_key": "half"}, "content_key", "must be one of full, seed"),
        ([], "body", "must be a JSON object"),
    ],
)
async def test_a_misfit_names_its_field(body: Any, field: str, description: str) -> None:
    """A wrong, missing or misspelt field is INVALID by name."""
    with pytest.raises(ClarionError) as caught:
        await forms.read(post(body), NewTenantBody)
    assert caught.value.code is Code.INVALID
    assert caught.value.fields[0][0] == field
    assert description in caught.value.fields[0][1]
    assert not re.search(r"`|Expected|regex|\$", caught.value.detail)


async def test_a_form_that_a_pattern_decides_is_described() -> None:
    """A pattern says nothing to a person."""
    for body, fields in ((NewWebhookSecretBody, {"secret": "short"}), (RecipientBody, {"user_id": "a\0b"})):
        with pytest.raises(ClarionError) as caught:
            await forms.read(post(fields), body)
        (fault,) = caught.value.fields
        assert fault in {
            ("secret", "must be 16 to 256 visible ASCII characters, or empty"),
            ("user_id", "must be a string of 1 to 255 characters, none of them NUL"),
        }


async def test_a_nested_field_is_named_by_its_path() -> None:
    """Also inside another object, and behind a name that the caller chose."""
    for body, kind, path in (
        ({"recipient": {"email": 7}}, drafts.TestSendBody, "recipient.email"),
        ({"recipient": {"mail": "x"}}, drafts.TestSendBody, "recipient.mail"),
        ({"channel": "SMS", "body": "x", "partials": {"a.b": 7}}, drafts.DraftBody, "partials.*"),
    ):
        with pytest.raises(ClarionError) as caught:
            await forms.read(post(body), kind)
        assert caught.value.fields[0][0] == path


@pytest.mark.parametrize(
    ("raw", "content_type", "status"),
    [(b"{", "application/json", 400), (b"{}", "text/plain", 415), (b" " * (1024 * 1024 + 1), "application/json", 413)],
)
async def test_a_body_that_cannot_be_taken_has_its_status(raw: bytes, content_type: str, status: int) -> None:
    """Broken JSON, other types and too much are told apart."""
    with pytest.raises(BodyError) as caught:
        await forms.read(post(raw, content_type), NewTenantBody)
    assert caught.value.status == status


async def test_a_body_that_is_too_deep_is_refused() -> None:
    """64 levels with the body's own: what is stored of it must be readable, and writable, to all."""
    for depth in (62, 63, 900):
        body = post(b'{"recipient":{},"variables":{"a":' + b"[" * depth + b"]" * depth + b"}}")
        if depth == 62:
            assert (await forms.read(body, drafts.TestSendBody)).variables
            continue
        with pytest.raises(ClarionError, match="64 levels") as caught:
            await forms.read(body, drafts.TestSendBody)
        assert caught.value.fields[0][0] == "body"


async def test_a_change_tells_absent_from_empty() -> None:
    """PATCH leaves what is not named."""
    change = await forms.read(post({"sender_name": ""}), TenantChangeBody)
    assert change.sender_name == ""
    assert change.name is msgspec.UNSET


def test_channels_have_names_both_ways() -> None:
    """EMAIL is a number on the wire and a name to people."""
    assert forms.channels(["EMAIL", "PUSH"], "x") == [event_pb2.CHANNEL_EMAIL, event_pb2.CHANNEL_PUSH]
    assert forms.channel_name(event_pb2.CHANNEL_SMS) == "SMS"
    assert forms.channel_name(event_pb2.CHANNEL_UNSPECIFIED) is None
    with pytest.raises(ClarionError) as caught:
        forms.channels(["EMAIL", "FAX"], "delivery_channels")
    assert caught.value.fields[0][0] == "delivery_channels[1]"
    assert forms.channel("WEBHOOK") == event_pb2.CHANNEL_WEBHOOK
    with pytest.raises(ClarionError):
        forms.people_channel("WEBHOOK")


def test_times_go_both_ways() -> None:
    """ISO 8601 in, microseconds on the wire, ISO 8601 out."""
    at_us = forms.micros(get("since=2026-04-22T12:00:00.123456Z"), "since")
    assert forms.iso(at_us) == "2026-04-22T12:00:00.123456Z"
    assert forms.micros(get("since=2026-04-22"), "since") == forms.micros(
        get("since=2026-04-22T03:00:00%2B03:00"), "since"
    )
    assert forms.micros(get(""), "since") == 0
    assert forms.iso(0) is None
    with pytest.raises(ClarionError):
        forms.micros(get("since=yesterday"), "since")


_YEAR_US = 365 * 86_400 * 1_000_000


@pytest.mark.parametrize(
    ("text", "at_us"),
    [
        ("1969-01-01", -_YEAR_US),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("1970-01-01T00:00:00Z", -1),  # 0 means "none" on the wire, and nothing was accepted in between
        ("1970-01-01T00:00:00.000001Z", 1),
        ("1970-01-01t00:00:01z", 1_000_000),
        ("1970-01-01 00:00:01", 1_000_000),
        ("1970-01-01T05:45:01+05:45", 1_000_000),
        ("1969-12-31T19:00:01-0500", 1_000_000),
        ("1970-01-01T00:01", 60_000_000),
        ("1970-01-01T00:00:01.1234567Z", 1_123_456),
        ("0001-01-01", -62_135_596_800_000_000),
        ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
    ],
)
def test_a_time_means_what_it_says(text: str, at_us: int) -> None:
    """Before 1970 too, to the microsecond, in any zone."""
    assert forms.moment(text, "until") == at_us
    if at_us != -1:
        assert datetime.fromisoformat(forms.iso(at_us) or "") == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
            microseconds=at_us
        )


@pytest.mark.parametrize(
    "text",
    [
        *("yesterday", "0000-01-01", "10000-01-01", "2026-02-30", "2026-04-22T25:00:00Z", "2026-04-22T12:00:00+24:00"),
        *("2026-04-22T12", "20260422", "1712121210305", "1795011201200", "2026-W17-3", "2026-04", "2026-04-22T"),
        # A year that only the zone makes one too early, or too late.
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2026-04-22T12:00:00 Z", "\u0662026-04-22", " "),
    ],
)
def test_what_could_be_read_in_two_ways_is_no_time(text: str) -> None:
    """A number of milliseconds is not the year 1712."""
    with pytest.raises(ClarionError) as caught:
        forms.moment(text, "until")
    assert caught.value.fields == (
        ("until", "must be a time such as 2026-04-22T12:00:00Z, from the year 0001 to 9999"),
    )


def test_a_plus_that_became_a_blank_is_named() -> None:
    """In a URL a plus is a blank unless it is written %2B."""
    with pytest.raises(ClarionError, match="%2B"):
        forms.micros(get("until=2026-04-22T12:00:00+03:00"), "until")
    assert forms.micros(get("until=2026-04-22+12:00:00"), "until") == forms.moment("2026-04-22T12:00:00", "until")


def test_a_flag_is_true_or_false() -> None:
    """Any other word was meant as something, and would count as false."""
    assert forms.flag(get("active=true"), "active")
    assert not forms.flag(get("active=false"), "active")
    assert not forms.flag(get(""), "active")
    for wrong in ("1", "yes", "True", "TRUE", ""):
        with pytest.raises(ClarionError, match="active must be true or false"):
            forms.flag(get(f"active={wrong}"), "active")


def test_a_limit_is_1_to_100() -> None:
    """Outside of it is an error, not a guess."""
    assert forms.limit(get("")) == 50
    assert forms.limit(get("limit=100")) == 100
    for wrong in ("0", "101", "-1", "x", ""):
        with pytest.raises(ClarionError):
            forms.limit(get(f"limit={wrong}"))


def test_statuses_have_names_both_ways() -> None:
    """The words of the domain, in lower case."""
    assert forms.status(get("status=dead")) == trace_pb2.DELIVERY_STATUS_DEAD
    assert forms.status(get("")) == trace_pb2.DELIVERY_STATUS_UNSPECIFIED
    assert forms.status_name(trace_pb2.DELIVERY_STATUS_SENT) == "sent"
    with pytest.raises(ClarionError):
        forms.status(get("status=lost"))
