"""What a caller sends instead of a template (clarion.common.v1.DirectMessage): pure."""

from collections.abc import Sequence

from clarion.common.v1 import event_pb2
from services.domain import addresses, channels

# Bytes of a content that the caller writes, all its texts together.
MAX_CONTENT_BYTES = 100 * 1024
# Characters of a subject as it is written, and of the name of a sender.
MAX_SUBJECT, MAX_SENDER_NAME = 2000, 255
MAX_KEY = 255

_EMAIL, _SMS = event_pb2.CHANNEL_EMAIL, event_pb2.CHANNEL_SMS
# The channels on which a caller may write the content.
_WITH_CONTENT = (_EMAIL, _SMS)


def faults(direct: event_pb2.DirectMessage) -> Sequence[tuple[str, str]]:
    """Return what is wrong with a direct message: the field ("direct.sender_email"), and what to do about it."""
    found = _given_faults(direct) if direct.WhichOneof("content") == "content_given" else _template_faults(direct)
    if direct.channel != _EMAIL:
        used = {"sender_name": direct.sender_name, "sender_email": direct.sender_email, "reply_to": direct.reply_to}
        found += [(field, "is for the channel EMAIL only") for field, value in used.items() if value]
    else:
        found += _mailbox_faults(direct)
    return [(f"direct.{field}", description) for field, description in found]


def is_given(direct: event_pb2.DirectMessage) -> bool:
    """Return whether the caller writes the content, instead of naming a template."""
    return direct.WhichOneof("content") == "content_given"


def content_size(direct: event_pb2.DirectMessage) -> int:
    """Return the bytes of a content that the caller writes, as messages carry it."""
    return direct.content_given.ByteSize()


def without_content(direct: event_pb2.DirectMessage) -> event_pb2.DirectMessage:
    """Return the message without the texts that a caller wrote, though it still says that there are some."""
    left = event_pb2.DirectMessage()
    left.CopyFrom(direct)
    if is_given(direct):
        left.content_given.CopyFrom(event_pb2.DirectContent())
    return left


def _given_faults(direct: event_pb2.DirectMessage) -> list[tuple[str, str]]:
    if direct.channel not in _WITH_CONTENT:
        names = " or ".join(channels.PUBLIC_NAMES[channel] for channel in _WITH_CONTENT)
        return [("channel", f"must be {names}, or name a template instead of content")]
    content, found = direct.content_given, []
    if direct.channel == _SMS:
        found += [(name, "is for the channel EMAIL only") for name in ("subject", "text") if getattr(content, name)]
        if not content.body.strip():
            found.append(("body", "must not be empty"))
    elif not (content.body.strip() or content.text.strip()):
        found.append(("body", "must not be empty, unless there is text"))
    if len(content.subject) > MAX_SUBJECT:
        found.append(("subject", f"must have at most {MAX_SUBJECT:,} characters"))
    if content_size(direct) > MAX_CONTENT_BYTES:
        found.append(("body", f"must have at most {MAX_CONTENT_BYTES // 1024} KiB, together with subject and text"))
    return [(f"content_given.{name}", description) for name, description in found]


def _template_faults(direct: event_pb2.DirectMessage) -> list[tuple[str, str]]:
    found = []
    if direct.channel not in channels.FOR_PEOPLE:
        found.append(("channel", f"must be one of {', '.join(channels.PUBLIC_NAMES_FOR_PEOPLE)}"))
    key = direct.template_key
    if not 1 <= len(key) <= MAX_KEY or not key.isprintable():
        found.append(("template_key", f"must have 1 to {MAX_KEY} printable characters, unless there is content_given"))
    return found


def _mailbox_faults(direct: event_pb2.DirectMessage) -> list[tuple[str, str]]:
    found = []
    if len(direct.sender_name) > MAX_SENDER_NAME:
        found.append(("sender_name", f"must have at most {MAX_SENDER_NAME} characters"))
    for field, text in (("sender_email", direct.sender_email), ("reply_to", direct.reply_to)):
        if not text:
            continue
        try:
            addresses.parse_email(text)
        except addresses.InvalidAddress as error:
            found.append((field, f"must be an e-mail address: {error}"))
    return found
