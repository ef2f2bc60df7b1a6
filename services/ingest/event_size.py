"""What an event counts against its tenant's budget of bytes: pure."""

from clarion.ingest.v1 import ingest_pb2
from services.domain import channels

# Beside what the caller sent: ids, times and the deduplication key.
_ENVELOPE = 200
# A delivery for each channel, and with it up to so much of the body: see router.route.MAX_INLINE_BODY.
_CHANNELS = len(channels.BY_NUMBER)
_MAX_INLINE = 4096


def size_in_streams(event: ingest_pb2.NewEvent) -> int:
    """Return how many bytes the streams may hold of an event: itself, and its deliveries with what travels along."""
    size = event.ByteSize() + _ENVELOPE
    return size + _CHANNELS * min(size, _MAX_INLINE)
