"""Which headers an endpoint may have of its own."""

import pytest

from services.domain import webhook_headers


@pytest.mark.parametrize(("name", "value"), [("X-Api-Key", "abc 123"), ("authorization", "Bearer x"), ("a", "é\tb")])
def test_headers_that_are_allowed(name: str, value: str) -> None:
    """Also such that other systems use for credentials."""
    assert webhook_headers.may_be_sent(name, value)


@pytest.mark.parametrize(
    "name",
    ["Host", "content-length", "Content-Type", "TRANSFER-ENCODING", "connection", "Webhook-Id", "webhook-anything",
     "Proxy-Authorization", "clarion-x", "expect", "te", "Upgrade", "user-agent", "accept-encoding", "", "a b", "a:",
     "a\r\nb", "ä"],
)  # fmt: skip
def test_names_that_are_refused(name: str) -> None:
    """Those that Clarion sets, those that frame a message, and what is no name."""
    assert not webhook_headers.may_be_sent(name, "x")
    assert webhook_headers.is_reserved(name) or not webhook_headers.is_name(name)


@pytest.mark.parametrize("value", ["a\r\nx-b: c", "a\nb", "a\rb", "\0", "\x7f", " a", "a ", "a\x0bb"])
def test_values_that_are_refused(value: str) -> None:
    """No value can begin another line."""
    assert not webhook_headers.may_be_sent("x-a", value)
