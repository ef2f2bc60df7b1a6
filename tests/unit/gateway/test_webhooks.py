"""HTTP exchanges as they are shown: without secrets, whatever an endpoint answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.common.v1 import trace_pb2
from clarion.router.v1 import endpoints_pb2
from gateway import webhooks


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.com/hooks", "https://example.com/hooks"),
        ("https://ada:s3cret@example.com:8443/a", "https://example.com:8443/a"),
        ("https://a@b@example.com/", "https://example.com/"),
        ("https://example.com/?token=s3cret&a=b=s3cret", "https://example.com/?token=***&a=***"),
        ("https://example.com/?s3cret", "https://example.com/?***"),
        ("https://example.com/#s3cret", "https://example.com/"),
        ("https://[::1/s3cret", "***"),
        ("", ""),
    ],
)
def test_a_url_shows_no_credentials(url: str, shown: str) -> None:
    """Names of parameters stay, so that it can be recognized."""
    assert webhooks.shown_url(url) == shown


@pytest.mark.parametrize(
    ("kind", "url", "shown"),
    [
        ("webhook", "https://example.com/a?token=s3cret", "https://example.com/a?token=***"),
        ("slack", "https://hooks.slack.com/services/T/B/s3cret?a", "https://hooks.slack.com/***"),
        ("webhook", "", ""),
        ("slack", "", ""),
    ],
)
def test_who_may_not_see_secrets_sees_where_messages_go(kind: str, url: str, shown: str) -> None:
    """But not with which password."""
    endpoint = endpoints_pb2.Endpoint(kind=webhooks.KINDS[kind], url=url)
    assert webhooks.without_password(endpoint) == shown


@pytest.mark.parametrize(
    "name",
    [
        *("Set-Cookie", "set-cookie", "AUTHORIZATION", "WWW-Authenticate", "x-api-key"),
        *("webhook-signature", "X-Hub-Signature-256", "Svix-Signature", "Signature-Input"),
    ],
)
def test_a_header_that_may_be_a_secret_is_hidden(name: str) -> None:
    """In any case, of answers and of stored calls."""
    headers = [trace_pb2.HttpHeader(name=one, value="s3cret") for one in (name, "webhook-id")]
    assert webhooks.shown_headers(headers) == [
        {"name": name, "value": "***"},
        {"name": "webhook-id", "value": "s3cret"},
    ]


@given(st.text(), st.binary(), st.text())
def test_any_answer_can_be_shown(url: str, body: bytes, value: str) -> None:
    """Whatever bytes came: no exception, and text that JSON can hold."""
    headers = [trace_pb2.HttpHeader(name="x", value=value)]
    try:
        http = trace_pb2.HttpExchange(url=url, status=200, headers=headers, body=body)
    except (UnicodeEncodeError, ValueError):  # surrogates, which no message can hold
        return
    shown = webhooks.shown_exchange(http)
    assert shown["body"] == body.decode("utf-8", "replace")
    shown["url"].encode()
