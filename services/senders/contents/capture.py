"""Makes of an attempt what is stored of it: pure."""

import zlib
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from clarion.common.v1 import event_pb2
from clarion.render.v1 import render_pb2
from clarion.senders.v1 import contents_pb2
from services.delivery.ports import Handed
from services.senders.contents.ports import Captured, Message
from services.senders.ports import Email, Sms

RAW, ZLIB = 0, 1
# Smaller contents are stored as they are: compressing them saves few bytes.
COMPRESS_FROM = 1024
_LEVEL = 1
# What a row holds beside its texts, about.
_ROW_BYTES = 200


class Row(NamedTuple):
    """A row of senders.contents. captured_us: Unix microseconds. packing: RAW or ZLIB."""

    tenant_id: str
    delivery_id: str
    replay: int
    attempt: int
    event_id: str
    channel: int
    captured_us: int
    packing: int
    content: bytes


def of_message(
    delivery: event_pb2.Delivery,
    content: render_pb2.Content,
    message: Email | Sms,
    handed: Handed | None,
    provider: str,
    provider_id: str,
    now_us: int,
) -> Captured:
    """Return what an attempt by a provider sent. handed: None: a sandbox, which takes the message itself."""
    size = len(message.text) + (len(message.html) if isinstance(message, Email) else 0)
    if handed is not None:
        size += len(handed.body)
    return Captured(
        delivery.tenant_id,
        delivery.event_id,
        delivery.id,
        delivery.channel,
        delivery.attempt,
        delivery.replay,
        now_us,
        provider,
        provider_id,
        message,
        handed,
        size + _ROW_BYTES,
        content.sms_segments,
        content.sms_encoding,
    )


def of_call(delivery: event_pb2.Delivery, call: contents_pb2.StoredCall, kind: str, now_us: int) -> Captured:
    """Return what a call of an endpoint sent. kind: the endpoint's."""
    return Captured(
        delivery.tenant_id,
        delivery.event_id,
        delivery.id,
        delivery.channel,
        delivery.attempt,
        delivery.replay,
        now_us,
        kind,
        "",
        call,
        None,
        len(call.head) + len(call.body) + _ROW_BYTES,
    )


def is_storable(captured: Captured) -> bool:
    """Return whether erasures will find it: by the time of its event, with which the delivery's id begins.

    Ids of deliveries that were planned by early versions begin with something else.
    """
    return captured.delivery_id[:13] == captured.event_id[:13]


def rows(items: Sequence[Captured]) -> list[Row]:
    """Return the rows. Of the same attempt only the last one stays: the next provider's, after a failover."""
    latest = {(one.tenant_id, one.delivery_id, one.replay, one.attempt): one for one in items}
    # In one order, so that two processes which write the same attempts do not deadlock.
    return [_row(one) for _, one in sorted(latest.items())]


def _row(one: Captured) -> Row:
    content, packing = _stored(one).SerializeToString(), RAW
    if len(content) >= COMPRESS_FROM:
        content, packing = zlib.compress(content, _LEVEL), ZLIB
    return Row(
        one.tenant_id,
        one.delivery_id,
        one.replay,
        one.attempt,
        one.event_id,
        one.channel,
        one.captured_us,
        packing,
        content,
    )


def unpacked(packing: int, content: bytes) -> contents_pb2.StoredContent:
    """Return a row's content."""
    raw = zlib.decompress(content) if packing == ZLIB else content
    return contents_pb2.StoredContent.FromString(raw)


def _stored(one: Captured) -> contents_pb2.StoredContent:
    stored = contents_pb2.StoredContent(provider=one.provider, provider_id=one.provider_id)
    message = one.message
    if isinstance(message, contents_pb2.StoredCall):
        stored.call.CopyFrom(message)
    elif isinstance(message, Sms):
        stored.text.sender = message.sender
        stored.text.recipient = message.recipient
        stored.text.text = message.text
        stored.text.segments = one.segments
        stored.text.encoding = one.encoding
    elif one.handed is not None and not one.handed.url:
        stored.mail.mime = one.handed.body
    else:
        _fill(stored.mail, message)
    if one.handed is not None and one.handed.url:
        stored.request.CopyFrom(_request(one.handed, message))
    return stored


def _fill(mail: contents_pb2.StoredMail, message: Email) -> None:
    mail.sender_name = message.sender_name
    mail.sender = str(message.sender)
    mail.recipient = str(message.recipient)
    mail.reply_to = str(message.reply_to or "")
    mail.subject = message.subject
    mail.text = message.text
    mail.html = message.html
    mail.message_id = message.message_id
    mail.date_us = round(message.date.timestamp() * 1_000_000)
    mail.unsubscribe_url = message.unsubscribe_url


def _request(handed: Handed, message: Message) -> contents_pb2.StoredRequest:
    request = contents_pb2.StoredRequest(url=handed.url)
    for name, value in handed.headers.items():
        request.headers.add(name=name, value=value)
    request.pieces.extend(_folded(handed.body, message))
    return request


def _folded(body: bytes, message: Message) -> list[contents_pb2.StoredPiece]:
    """Return a request's body without the texts of the mail, which are stored already."""
    if not isinstance(message, Email):
        return [contents_pb2.StoredPiece(raw=body)]
    found = []
    for is_html, text in ((False, message.text), (True, message.html)):
        encoded = msgspec.json.encode(text)
        start = body.find(encoded) if text else -1  # an empty text is found anywhere
        if start >= 0:
            found.append((start, start + len(encoded), is_html))
    pieces, at = [], 0
    for start, end, is_html in sorted(found):
        if start < at:  # one text stands within the other
            continue
        pieces.append(contents_pb2.StoredPiece(raw=body[at:start]))
        pieces.append(contents_pb2.StoredPiece(html=True) if is_html else contents_pb2.StoredPiece(text=True))
        at = end
    return [*pieces, contents_pb2.StoredPiece(raw=body[at:])]


def unfolded(request: contents_pb2.StoredRequest, mail: contents_pb2.StoredMail) -> bytes:
    """Return a request's body as it was sent. mail: with the texts."""
    parts = []
    for piece in request.pieces:
        which = piece.WhichOneof("piece")
        parts.append(piece.raw if which == "raw" else msgspec.json.encode(getattr(mail, which or "text")))
    return b"".join(parts)
