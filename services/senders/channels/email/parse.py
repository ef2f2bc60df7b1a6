"""Parses a raw mail that the local stack's mail server received."""

import email
import email.errors
import email.header
import email.policy
import re
from dataclasses import dataclass
from email.message import Message

from runtime.ids import is_uuid
from services.senders.channels.email.headers import DELIVERY_HEADER, EVENT_HEADER, TENANT_HEADER
from services.senders.compose import clean_lines, one_line

_FOLD = re.compile(r"\r?\n(?=[ \t])")


@dataclass(frozen=True, slots=True)
class ParsedMail:
    r"""A mail's fields; empty where missing. Ids are empty unless they are UUIDs. Lines end with "\n"."""

    sender: str
    to: str
    reply_to: str
    subject: str
    text: str
    html: str
    tenant_id: str
    event_id: str
    delivery_id: str


def parse(raw: bytes) -> ParsedMail:
    """Return the fields of a raw mail (RFC 5322). Raises ValueError if it cannot be parsed."""
    try:
        # The older policy of the standard library parses ten times as fast as the newer one.
        message = email.message_from_bytes(raw, policy=email.policy.compat32)
        bodies = _bodies(message)
    except RecursionError as error:
        raise ValueError("the mail is nested too deeply") from error
    headers: dict[str, str] = {}
    for name, value in message.raw_items():
        headers.setdefault(name.lower(), value)

    def header(name: str) -> str:
        return _decoded(headers.get(name.lower(), ""))

    return ParsedMail(
        sender=header("From"),
        to=header("To"),
        reply_to=header("Reply-To"),
        subject=header("Subject"),
        text=bodies.get("text/plain", ""),
        html=bodies.get("text/html", ""),
        tenant_id=header(TENANT_HEADER),
        event_id=_id(header(EVENT_HEADER)),
        delivery_id=_id(header(DELIVERY_HEADER)),
    )


def _bodies(message: "Message[str, str]") -> dict[str, str]:
    """Return the first content of each type that is not an attachment."""
    found: dict[str, str] = {}
    for part in message.walk():
        kind = part.get_content_type()
        if part.is_multipart() or kind in found or part.get_content_disposition() == "attachment":
            continue
        if kind in {"text/plain", "text/html"}:
            found[kind] = _content(part)
    return found


def _content(part: "Message[str, str]") -> str:
    raw = part.get_payload(decode=True)
    return _valid(clean_lines(_text(raw if isinstance(raw, bytes) else b"", part.get_content_charset("utf-8"))))


def _decoded(value: str) -> str:
    """Return a header's text: unfolded, encoded words decoded, bytes outside ASCII read as UTF-8 (RFC 6532)."""
    unfolded = _FOLD.sub("", value)
    if not unfolded.isascii():
        return _valid(one_line(unfolded.encode("utf-8", "surrogateescape").decode("utf-8", "replace")))
    try:
        chunks = email.header.decode_header(unfolded)
    except email.errors.HeaderParseError:
        return one_line(unfolded)
    whole = "".join(chunk if isinstance(chunk, str) else _text(chunk, charset or "utf-8") for chunk, charset in chunks)
    return _valid(one_line(whole))


def _text(data: bytes, charset: str) -> str:
    try:
        return data.decode(charset, "replace")
    except (LookupError, ValueError):  # an unknown charset
        return data.decode("latin-1")


def _id(text: str) -> str:
    return text if is_uuid(text) else ""


def _valid(text: str) -> str:
    """Return text without the lone surrogates that the parser leaves for invalid bytes."""
    return text.encode("utf-8", "replace").decode()
