"""Makes the request to an endpoint: its head, and what of it belongs to one message. Pure."""

import base64
from collections.abc import Mapping

from runtime.egress.urls import WebAddress
from services.domain import secret_headers, webhook_headers
from services.domain.secret_headers import HIDDEN
from services.senders.ports import USER_AGENT
from services.senders.webhooks import signing


def head(address: WebAddress, headers: Mapping[str, str], auth: str) -> bytes:
    """Return the lines of the head that all messages to an endpoint share.

    headers: the endpoint's own; those that are not allowed are left out. auth: "user:password"; empty: none.
    """
    lines = [
        f"POST {address.path} HTTP/1.1",
        f"host: {address.place}",
        f"user-agent: {USER_AGENT}",
        "accept: */*",
        # Compressed answers are not read: they are recorded as they come.
        "accept-encoding: identity",
        "content-type: application/json",
    ]
    for name, value in headers.items():
        if webhook_headers.may_be_sent(name, value) and not (auth and name.lower() == "authorization"):
            lines.append(f"{name}: {value}")
    if auth:
        lines.append(f"authorization: {basic(auth)}")
    return "".join(f"{line}\r\n" for line in lines).encode()


def shown_head(address: WebAddress, headers: Mapping[str, str], auth: str) -> str:
    """Return the headers of head() as people may see them: the endpoint's own ones and its password have no value."""
    hidden = dict.fromkeys(headers, HIDDEN)
    lines = head(address, hidden, "").decode("latin-1").split("\r\n")[1:]
    return "\r\n".join([*lines[:-1], *([f"authorization: {HIDDEN}"] if auth else []), ""])


def basic(auth: str) -> str:
    """Return the value of an Authorization header for "user:password"."""
    return f"Basic {base64.b64encode(auth.encode()).decode()}"


def own_lines(body: bytes, signed: Mapping[str, str]) -> bytes:
    """Return the lines of the head that belong to one message. signed: the headers of its signature."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in signed.items())
    return f"{lines}content-length: {len(body)}\r\n".encode()


def shown_own_lines(body: bytes, signed: Mapping[str, str]) -> str:
    """Return the lines of own_lines() as people may see them."""
    return own_lines(body, {name: secret_headers.shown(name, value) for name, value in signed.items()}).decode()


def signed_headers(keys: list[bytes], delivery_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers of Standard Webhooks. keys: all that are valid, newest first. timestamp: Unix seconds."""
    message_id = signing.message_id(delivery_id)
    return {
        signing.ID: message_id,
        signing.TIMESTAMP: str(timestamp),
        signing.SIGNATURE: signing.signatures(keys, message_id, timestamp, body),
    }
