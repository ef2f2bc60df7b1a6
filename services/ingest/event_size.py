"""How many bytes of its tenant's budget an event takes: pure."""

from clarion.common.v1 import event_pb2
from services.domain import audience, channels
from services.ingest.ports import LEAST_MAX_BYTES
from services.ingest.pressure import LEAST_SHARE

# Ids, times and the deduplication key, which are stored beside what the caller sent and the tenant.
_ENVELOPE = 160
# Each recipient gets one delivery for each channel that reaches people, each with up to so many bytes of the body: see
# router.messages.MAX_INLINE_BODY.
_CHANNELS = len(channels.FOR_PEOPLE)
_MAX_INLINE = 4096
# Groups and the like are read in pages of so many recipients. One page of an event is under way at a time.
_PAGE = 500
# What the tenant with the least budget has while a stream is crowded: so every event has room.
_MOST = int(LEAST_MAX_BYTES * LEAST_SHARE)


def size_in_streams(event: event_pb2.Event) -> int:
    """Return the most bytes that the streams hold of an event at a time: the event, and its deliveries with bodies.

    Of an event that is for endpoints alone these are known.
    All targets of an audience that name many count as one page. No event counts more than 2 MiB.
    """
    size = event.ByteSize() + _ENVELOPE
    if event.HasField("endpoints"):
        endpoints = event.endpoints
        return min(size + len(endpoints.endpoint_ids) * min(size - endpoints.ByteSize(), _MAX_INLINE), _MOST)
    if not event.audience:
        return size + _CHANNELS * min(size, _MAX_INLINE)
    named = [target.ByteSize() for target in event.audience if not audience.is_of_many(target)]
    recipients = len(named) + (_PAGE if len(named) < len(event.audience) else 0)
    shared = min(size - sum(target.ByteSize() for target in event.audience), _MAX_INLINE)
    return min(size + _CHANNELS * (recipients * shared + sum(named)), _MOST)
