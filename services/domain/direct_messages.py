"""What a caller sends instead of what an event's type means (clarion.common.v1.DirectMessage): pure."""

from clarion.common.v1 import event_pb2


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
