"""The admin API's bodies and queries."""

import json
from typing import Any

import msgspec
import pytest
from aiohttp import streams, web
from aiohttp.test_utils import make_mocked_request

from clarion.common.v1 import event_pb2, trace_pb2
from gateway.admin import drafts, forms
from gateway.admin.tenants import NewTenant, TenantChange
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
        ({"name": 7}, "name", "is wrong: Expected `str`, got `int`"),
        ({"name": "x", "delivery_channels": ["EMAIL", 7]}, "delivery_channels[1]", "Expected `str`"),
        ([], "body", "Expected `object`"),
    ],
)
async def test_a_misfit_names_its_field(body: Any, field: str, description: str) -> None:
    """A wrong, missing or misspelt field is INVALID by name."""
    with pytest.raises(ClarionError) as caught:
        await forms.read(post(body), NewTenant)
    assert caught.value.code is Code.INVALID
    assert caught.value.fields[0][0] == field
    assert description in caught.value.fields[0][1]


@pytest.mark.parametrize(
    ("raw", "content_type", "status"),
    [(b"{", "application/json", 400), (b"{}", "text/plain", 415), (b" " * (1024 * 1024 + 1), "application/json", 413)],
)
async def test_a_body_that_cannot_be_taken_has_its_status(raw: bytes, content_type: str, status: int) -> None:
    """Broken JSON, other types and too much are told apart."""
    with pytest.raises(BodyError) as caught:
        await forms.read(post(raw, content_type), NewTenant)
    assert caught.value.status == status


async def test_a_body_that_is_too_deep_is_refused() -> None:
    """64 levels with the body's own: what is stored of it must be readable, and writable, to all."""
    for depth in (62, 63, 900):
        body = post(b'{"recipient":{},"variables":{"a":' + b"[" * depth + b"]" * depth + b"}}")
        if depth == 62:
            assert (await forms.read(body, drafts.TestSend)).variables
            continue
        with pytest.raises(ClarionError, match="64 levels") as caught:
            await forms.read(body, drafts.TestSend)
        assert caught.value.fields[0][0] == "body"


async def test_a_change_tells_absent_from_empty() -> None:
    """PATCH leaves what is not named."""
    change = await forms.read(post({"sender_name": ""}), TenantChange)
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


def test_times_go_both_ways() -> None:
    """ISO 8601 in, microseconds on the wire, ISO 8601 out."""
    at_us = forms.micros(get("since=2026-04-22T12:00:00.123456Z"), "since")
    assert forms.iso(at_us) == "2026-04-22T12:00:00.123456Z"
    assert forms.micros(get("since=2026-04-22"), "since") == forms.micros(
        get("since=2026-04-22T03:00:00%2B03:00"), "since"
    )
    assert forms.micros(get(""), "since") == 0
    assert forms.micros(get("since=0001-01-01"), "since") == 0
    assert forms.iso(0) is None
    with pytest.raises(ClarionError):
        forms.micros(get("since=yesterday"), "since")


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


def test_what_no_store_could_hold_is_refused_early() -> None:
    """NUL and endless text do not reach a database."""
    with pytest.raises(ClarionError):
        forms.text(get("recipient=a%00b"), "recipient")
    with pytest.raises(ClarionError):
        forms.text(get("recipient=" + "x" * 2000), "recipient")
