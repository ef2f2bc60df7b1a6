"""EVENTS, as accepting sees it."""

import base64

import nats.errors
import nats.js.errors
from nats.aio.client import Client

from clarion.common.v1 import event_pb2
from runtime import logs
from runtime import nats as jetstream
from runtime.errors import ClarionError, Code
from services.domain import topology
from services.ingest.ports import Appended

log = logs.get(__name__)


class JetStreamEventLog:
    """See ports.EventLog. The message id is the deduplication key: the broker keeps it single."""

    def __init__(self, connection: Client) -> None:
        self._publisher = jetstream.StreamPublisher(connection, max_waiting=10_000)
        self._manager = connection.jetstream(timeout=2)

    async def append(self, event: event_pb2.Event) -> Appended:
        """Return when the event is on disk; of a duplicate, with the one that is there.

        Raises UNAVAILABLE or OVERLOADED; the event may be on disk all the same, and a repeat finds it.
        """
        stored = await self._publisher.publish(
            jetstream.Outgoing(
                topology.event_subject(event.tenant_id),
                event.SerializeToString(),
                msg_id=_message_id(event),
            )
        )
        if not stored.duplicate:
            return Appended(event.id)
        first = await self._first(event, stored.sequence)
        return Appended(first.id if first is not None else event.id, first)

    async def drain(self) -> None:
        """Wait until nothing is under way."""
        await self._publisher.drain()

    async def _first(self, event: event_pb2.Event, sequence: int) -> event_pb2.Event | None:
        """The broker's answer to a duplicate names the sequence of the first one."""
        try:
            message = await self._manager.get_msg(topology.EVENTS, sequence, direct=True)
        except nats.js.errors.NotFoundError:  # purged: then admission's row has long been marked, and was lost
            log.warning("duplicate_unread", sequence=sequence, event_id=event.id)
            return None
        except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
            raise ClarionError(Code.UNAVAILABLE, "The message broker does not answer.", retry_after=1) from error
        first = event_pb2.Event.FromString(message.data or b"")
        return first if first.dedupe_key == event.dedupe_key else None


def _message_id(event: event_pb2.Event) -> str:
    """Return half of the deduplication key, which is enough: the broker keeps every id in memory for its window."""
    return base64.urlsafe_b64encode(event.dedupe_key[:16]).decode().rstrip("=") if event.dedupe_key else event.id
