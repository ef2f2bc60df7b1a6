"""How many bytes of its tenant's budget an event takes: pure."""

from clarion.ingest.v1 import ingest_pb2
from services.domain import channels

# Ids, times and the deduplication key, which are stored beside what the caller sent.
_ENVELOPE = 200
# One delivery for each channel, each with up to so many bytes of the body: see router.messages.MAX_INLINE_BODY.
_CHANNELS = len(channels.BY_NUMBER)
_MAX_INLINE = 4096


def size_in_streams(event: ingest_pb2.NewEvent) -> int:
    """Return the most bytes that the streams hold of an event: the event, and its deliveries with their bodies."""
    size = event.ByteSize() + _ENVELOPE
    return size + _CHANNELS * min(size, _MAX_INLINE)
