"""What stands in the streams of a test, without the messages that prove their health."""

import asyncio
from typing import TYPE_CHECKING

from nats import errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg, StreamConfig
from nats.js.errors import NotFoundError

from clarion.common.v1 import event_pb2
from runtime import nats
from services.domain import provision, topology
from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.conftest import NatsServer


class Streams:
    """What stands in the streams."""

    def __init__(self, connection: Client, server: "NatsServer") -> None:
        self._connection = connection
        self._server = server
        self._jetstream = connection.jetstream(timeout=60)
        self._impatient = connection.jetstream()

    async def redeliver_after(self, seconds: float) -> None:
        """Shorten each consumer's ack_wait: what is not acknowledged is delivered again sooner than in the product."""
        for consumer in topology.consumers():
            config = (await self._jetstream.consumer_info(consumer.stream, consumer.name)).config
            await self._jetstream.add_consumer(consumer.stream, config.evolve(ack_wait=seconds))

    async def events(self) -> list[event_pb2.Event]:
        """All of EVENTS."""
        return [event_pb2.Event.FromString(data) for data in await self.messages(topology.EVENTS)]

    async def deliveries(self) -> list[event_pb2.Delivery]:
        """Return what DELIVERIES holds."""
        return [event_pb2.Delivery.FromString(raw) for raw in await self.messages(topology.DELIVERIES)]

    async def messages(self, stream: str) -> list[bytes]:
        """The payloads of a stream, oldest first."""
        return [message.data or b"" for message in await self._raw(stream)]

    async def headers(self, stream: str) -> list[dict[str, str]]:
        """The headers of each message."""
        return [message.headers or {} for message in await self._raw(stream)]

    async def subjects(self, stream: str) -> list[str]:
        """The subject of each message."""
        return [message.subject or "" for message in await self._raw(stream)]

    async def count(self, stream: str) -> int:
        """How many messages a stream holds; 0 while nobody answers."""
        try:
            return await count(self._impatient, stream)
        except (TimeoutError, errors.Error):
            return 0

    async def refuse(self, stream: str) -> None:
        """Have a stream take nothing more, as a full one does."""
        await self._limit(stream, 1)

    async def relent(self, stream: str) -> None:
        """Make room in it again."""
        await self._limit(stream, topology.GIB)

    async def remember_nothing(self, stream: str) -> None:
        """Have a stream forget message ids at once, as it does after its duplicate window."""
        config = self._config(stream, topology.GIB)
        config.duplicate_window = 0.1  # the least there is
        await self._jetstream.update_stream(config)

    async def in_hand(self, stream: str) -> set[int]:
        """The sequences that are reported as in progress from now on: consumers still have them after two seconds."""
        found: set[int] = set()

        async def note(msg: Msg) -> None:
            if msg.data == b"+WPI":
                found.add(int(msg.subject.split(".")[-4]))

        await self._connection.subscribe(f"$JS.ACK.{stream}.>", cb=note)
        await self._connection.flush()
        return found

    async def forget(self) -> None:
        """Empty EVENTS and make the broker forget its ids, as ten minutes and the janitor do."""
        await self._jetstream.purge_stream(topology.EVENTS)
        self._server.kill()  # a server knows the ids of stored messages when it starts, and no others
        await asyncio.to_thread(self._server.start)
        await eventually(lambda: self._connection.is_connected)

    async def _limit(self, stream: str, max_bytes: int) -> None:
        await self._jetstream.update_stream(self._config(stream, max_bytes))

    @staticmethod
    def _config(stream: str, max_bytes: int) -> StreamConfig:
        return next(one for one in provision.streams(replicas=1, max_bytes=max_bytes) if one.name == stream)

    async def _raw(self, stream: str) -> list[RawStreamMsg]:
        return await messages_of(self._jetstream, stream)

    async def publish(self, *messages: nats.Outgoing) -> None:
        """Store messages as a service does: those of each stream together."""
        for of_trace in (True, False):
            part = [message for message in messages if (message.subject == topology.TRACE_SUBJECT) is of_trace]
            await nats.StreamPublisher(self._connection, deadline=60).publish_all(part)


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
    except NotFoundError:  # a probe that the next one replaced
        return None
