"""A raw mail, read back: for what arrives at the local stack's mail server."""

import email
import email.policy
from dataclasses import dataclass
from email.message import EmailMessage

from runtime.ids import is_uuid
from services.senders.channels.email.mime import DELIVERY_HEADER, EVENT_HEADER, TENANT_HEADER
from services.senders.compose import clean_lines, one_line


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
    """Return what is in raw (RFC 5322). Raises ValueError where it cannot be read at all."""
    try:
        message = email.message_from_bytes(raw, policy=email.policy.default)
        return ParsedMail(
            sender=_header(message, "From"),
            to=_header(message, "To"),
            reply_to=_header(message, "Reply-To"),
            subject=_header(message, "Subject"),
            text=_content(message, "plain"),
            html=_content(message, "html"),
            tenant_id=_header(message, TENANT_HEADER),
            event_id=_id(message, EVENT_HEADER),
            delivery_id=_id(message, DELIVERY_HEADER),
        )
    except RecursionError as error:
        raise ValueError("the mail is nested too deeply") from error


def _header(message: EmailMessage, name: str) -> str:
    return _valid(one_line(str(message.get(name, ""))))


def _id(message: EmailMessage, name: str) -> str:
    value = _header(message, name)
    return value if is_uuid(value) else ""


def _content(message: EmailMessage, subtype: str) -> str:
    part = message.get_body(preferencelist=(subtype,))
    if part is None:
        return ""
    raw = part.get_payload(decode=True)
    data = raw if isinstance(raw, bytes) else b""
    try:
        text = data.decode(part.get_content_charset("utf-8"), "replace")
    except LookupError:  # a charset nobody knows
        text = data.decode("latin-1")
    return _valid(clean_lines(text))


def _valid(text: str) -> str:
    """Without the half characters that a parser leaves where bytes were no text."""
    return text.encode("utf-8", "replace").decode()
