"""Appends accepted events to EVENTS."""

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
    """Implements ports.EventLog. The message id is made of the deduplication key, so the broker refuses repeats.

    An event without a key has its own id there.
    """

    def __init__(self, connection: Client) -> None:
        self._publisher = jetstream.StreamPublisher(connection, max_waiting=10_000)
        self._manager = connection.jetstream(timeout=2)

    async def append(self, event: event_pb2.Event, *, within: float | None = None) -> Appended:
        """Return when the event is on disk; for a duplicate, return the event that was stored first.

        Raises UNAVAILABLE or OVERLOADED; even then the event may be on disk, and a repeat of the call finds it.
        within, and TIMEOUT: see ports.EventLog.
        """
        stored = await self._publisher.publish(
            jetstream.Outgoing(
                topology.event_subject(event.tenant_id),
                event.SerializeToString(),
                msg_id=_message_id(event),
            ),
            within=within,
        )
        if not stored.duplicate:
            return Appended(event.id)
        first = await self._first(event, stored.sequence)
        return Appended(first.id if first is not None else event.id, first)

    async def drain(self) -> None:
        """Wait until all appends have ended."""
        await self._publisher.drain()

    async def _first(self, event: event_pb2.Event, sequence: int) -> event_pb2.Event | None:
        """Return the event that the broker stored under this sequence before; None: it is purged, or another one."""
        try:
            message = await self._manager.get_msg(topology.EVENTS, sequence, direct=True)
        except nats.js.errors.NotFoundError:  # purged: admission's row was marked as stored long ago, and lost
            log.warning("duplicate_unread", sequence=sequence, event_id=event.id)
            return None
        except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
            raise ClarionError(Code.UNAVAILABLE, "The message broker does not answer.", retry_after=1) from error
        first = event_pb2.Event.FromString(message.data or b"")
        is_same = first.dedupe_key == event.dedupe_key and _message_id(first) == _message_id(event)
        return first if is_same else None


def _message_id(event: event_pb2.Event) -> str:
    """Return half of the deduplication key: short, because the broker keeps all ids of its window in memory."""
    return base64.urlsafe_b64encode(event.dedupe_key[:16]).decode().rstrip("=") if event.dedupe_key else event.id
