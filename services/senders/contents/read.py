"""From what is stored of an attempt to what people read: pure, and to be run beside the event loop."""

import email
import email.header
import email.message
import email.policy
from datetime import UTC, datetime

from clarion.senders.v1 import contents_pb2
from services.senders.channels.email import mime
from services.senders.contents import capture, support
from services.senders.contents.ports import StoredRow
from services.senders.ports import Address, Email, Reference

# The most characters of a text that a response has.
MAX_TEXT = 2 * 1024 * 1024


def shown(row: StoredRow, tenant_id: str, *, with_source: bool = False) -> contents_pb2.SentContent:
    """Return the content of an attempt."""
    stored = capture.unpacked(row.packing, row.packed)
    sent = contents_pb2.SentContent(
        channel=row.channel,
        attempt=row.attempt,
        replay=row.replay,
        event_id=row.event_id,
        delivery_id=row.delivery_id,
        captured_at_us=row.captured_us,
        provider=stored.provider,
        provider_id=stored.provider_id,
    )
    if stored.HasField("request"):
        sent.request.url = stored.request.url
        sent.request.headers.extend(stored.request.headers)
        sent.request.body = capture.unfolded(stored.request, stored.mail)
    which = stored.WhichOneof("content")
    if which == "mail":
        source = source_of(stored.mail, row, tenant_id)
        sent.mail.CopyFrom(_mail(stored.mail, source, with_source=with_source))
        sent.size_bytes = len(sent.request.body) or len(source)
    elif which == "text":
        sent.text.CopyFrom(stored.text)
        sent.size_bytes = len(sent.request.body) or len(stored.text.text.encode())
    elif which == "call":
        sent.call.url = stored.call.url
        sent.call.headers.extend(_lines(stored.call.head))
        if stored.call.HasField("body"):
            sent.call.body = stored.call.body
        sent.size_bytes = len(stored.call.head.encode()) + len(stored.call.body)
    return sent


def source_of(mail: contents_pb2.StoredMail, row: StoredRow, tenant_id: str) -> bytes:
    """Return the message in RFC 5322: as a mail server got it, else composed of the parts that the provider got."""
    if mail.mime:
        return mail.mime
    composed = Email(
        reference=Reference(tenant_id, row.event_id, row.delivery_id),
        sender_name=mail.sender_name,
        sender=_address(mail.sender),
        reply_to=_address(mail.reply_to) if mail.reply_to else None,
        recipient=_address(mail.recipient),
        subject=mail.subject,
        text=mail.text,
        html=mail.html,
        message_id=mail.message_id,
        date=datetime.fromtimestamp(mail.date_us / 1_000_000, UTC),
        unsubscribe_url=mail.unsubscribe_url,
    )
    return mime.to_bytes(composed)


def _mail(stored: contents_pb2.StoredMail, source: bytes, *, with_source: bool) -> contents_pb2.SentMail:
    message = email.message_from_bytes(source, policy=email.policy.compat32)
    mail = contents_pb2.SentMail(
        sender=_header(message, "From"),
        recipient=_header(message, "To"),
        reply_to=_header(message, "Reply-To"),
        subject=_header(message, "Subject"),
        headers=[contents_pb2.SentHeader(name=name, value=_decoded(value)) for name, value in message.items()],
        is_composed=not stored.mime,
        source=source if with_source else b"",
    )
    for part in message.walk():
        if part.is_multipart():
            continue
        raw = part.get_payload(decode=True)
        data = raw if isinstance(raw, bytes) else b""
        mail.parts.add(content_type=part.get_content_type(), size_bytes=len(data))
        text = data.decode("utf-8", "replace").replace("\r\n", "\n")[:MAX_TEXT]
        if part.get_content_type() == "text/html" and not mail.html:
            mail.html = text
        elif part.get_content_type() == "text/plain" and not mail.text:
            mail.text = text
    if mail.html:
        mail.notes.extend(
            contents_pb2.SupportNote(rule=note.rule, text=note.text, count=note.times)
            for note in support.notes(mail.html)
        )
    return mail


def _header(message: email.message.Message, name: str) -> str:
    return _decoded(message.get(name, ""))


def _decoded(value: object) -> str:
    """Return a header's value on one line, with its encoded words decoded."""
    unfolded = "".join(str(value).splitlines())
    try:
        return str(email.header.make_header(email.header.decode_header(unfolded)))
    except (ValueError, LookupError):
        return unfolded


def _lines(head: str) -> list[contents_pb2.SentHeader]:
    found = []
    for line in head.split("\r\n"):
        name, colon, value = line.partition(": ")
        if colon:
            found.append(contents_pb2.SentHeader(name=name, value=value))
    return found


def _address(text: str) -> Address:
    local, _, domain = text.rpartition("@")
    return Address(local, domain)
