"""What stands in the streams of a test, without the messages that prove their health."""

import asyncio

import nats.js.errors
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg

from services.domain import topology


async def messages_of(jetstream: JetStreamContext, stream: str) -> list[RawStreamMsg]:
    """Return a stream's messages, oldest first."""
    state = (await jetstream.stream_info(stream)).state
    numbers = range(max(1, state.first_seq), state.last_seq + 1)
    found = await asyncio.gather(*[_get(jetstream, stream, number) for number in numbers])
    return [message for message in found if message and message.subject != topology.probe_subject(stream)]


async def count(jetstream: JetStreamContext, stream: str) -> int:
    """Return how many messages a stream holds."""
    by_subject = (await jetstream.stream_info(stream, subjects_filter=">")).state.subjects or {}
    return sum(number for subject, number in by_subject.items() if subject != topology.probe_subject(stream))


async def _get(jetstream: JetStreamContext, stream: str, sequence: int) -> RawStreamMsg | None:
    try:
        return await jetstream.get_msg(stream, sequence)
    except nats.js.errors.NotFoundError:  # a probe that the next one replaced
        return None
