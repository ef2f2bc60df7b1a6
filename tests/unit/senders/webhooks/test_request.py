"""The head of a request to an endpoint."""

import base64

from runtime.egress import urls
from services.senders.webhooks import request

_ADDRESS = urls.read("https://hooks.example.org:8443/in?x=1#frag")


def _lines(headers: dict[str, str], auth: str = "") -> list[str]:
    return request.head(_ADDRESS, headers, auth).decode().split("\r\n")


def test_the_head() -> None:
    """Request line, host with its port, and what Clarion always sends; no fragment."""
    assert _lines({}) == [
        "POST /in?x=1 HTTP/1.1",
        "host: hooks.example.org:8443",
        "user-agent: Clarion/0.1",
        "accept: */*",
        "accept-encoding: identity",
        "content-type: application/json",
        "",
    ]


def test_own_headers_and_basic_authentication() -> None:
    """The password is sent as UTF-8, and no other Authorization beside it."""
    lines = _lines({"X-Key": "abc", "Authorization": "Bearer x"}, "ada:pä:ss")
    assert "X-Key: abc" in lines
    assert [line for line in lines if line.lower().startswith("authorization")] == [
        f"authorization: Basic {base64.b64encode('ada:pä:ss'.encode()).decode()}"
    ]
    assert "Authorization: Bearer x" in _lines({"Authorization": "Bearer x"})


def test_headers_that_are_not_allowed_are_left_out() -> None:
    """Whoever stored them: no line can be added, and none that Clarion sets is there twice."""
    lines = _lines({"Host": "evil", "Content-Length": "0", "webhook-id": "x", "X-A": "a\r\nX-B: b", "a b": "c"})
    assert lines == _lines({})


def test_the_lines_of_a_message() -> None:
    """The signature's headers, and the length in bytes."""
    assert request.own_lines("é".encode(), {"webhook-id": "msg_1"}) == b"webhook-id: msg_1\r\ncontent-length: 2\r\n"
