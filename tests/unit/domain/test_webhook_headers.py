"""Which headers an endpoint may have of its own."""

import pytest

from services.domain import webhook_headers


@pytest.mark.parametrize(("name", "value"), [("X-Api-Key", "abc 123"), ("authorization", "Bearer x"), ("a", "é\tb")])
def test_headers_that_are_allowed(name: str, value: str) -> None:
    """Also such that other systems use for credentials."""
    assert webhook_headers.fault(name, value) == ""
    assert webhook_headers.faults({name: value}) == []


@pytest.mark.parametrize(
    "name",
    ["Host", "content-length", "Content-Type", "TRANSFER-ENCODING", "connection", "Webhook-Id", "webhook-anything",
     "Proxy-Authorization", "expect", "te", "Upgrade", "user-agent", "accept-encoding", "", "a b", "a:", "a\r\nb", "ä"],
)  # fmt: skip
def test_names_that_are_refused(name: str) -> None:
    """Those that Clarion sets, those that frame a message, and what is no name."""
    assert webhook_headers.fault(name, "x")


@pytest.mark.parametrize("value", ["a\r\nx-b: c", "a\nb", "a\rb", "\0", "\x7f", " a", "a ", "a\x0bb"])
def test_values_that_are_refused(value: str) -> None:
    """No value can begin another line."""
    assert webhook_headers.fault("x-a", value)


def test_all_headers_together() -> None:
    """They are bounded in number and bytes, and each is there once, however it is written."""
    assert webhook_headers.faults({f"x-{number}": "v" for number in range(20)}) == []
    assert webhook_headers.faults({f"x-{number}": "v" for number in range(21)}) == [("headers", "must be at most 20")]
    assert [name for name, _ in webhook_headers.faults({"x-a": "ö" * 4096})] == ["headers"]
    assert [name for name, _ in webhook_headers.faults({"X-A": "1", "x-a": "2"})] == ["X-A", "x-a"]
