"""Reads the bodies of large events, which their deliveries only refer to: from EVENTS, later from the ledger.

An event may have many deliveries, which come one after another: the last bodies are kept in memory.
"""

import asyncio
from collections import Counter, OrderedDict
from typing import NamedTuple

import grpc.aio
import nats.errors
import nats.js.errors
from google.protobuf.message import DecodeError
from nats.aio.client import Client

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ledger_pb2, ledger_pb2_grpc
from runtime.grpc import Caller
from runtime.parts import INGEST, OwnParts
from services.domain import direct_messages, topology

_READ_S = 2.0
_ASK_S = 5.0
# Bytes of bodies that are kept. The largest event has 1 MiB as it is stored.
_KEPT_BYTES = 8 * 1024 * 1024


class Body(NamedTuple):
    """What an event carries. content: of a direct message whose content the caller wrote; None: it is none."""

    variables: bytes
    payload_extra: bytes
    content: event_pb2.DirectContent | None = None


class Bodies:
    """Adds the body to deliveries. The stream deletes acknowledged events; the ledger keeps them for days."""

    def __init__(self, connection: Client, channel: grpc.aio.Channel, caller: Caller, own: OwnParts) -> None:
        self._own = own
        self._stream = connection.jetstream(timeout=_READ_S)
        self._stub = ledger_pb2_grpc.LedgerServiceStub(channel)
        self._caller = caller
        # By event, the one that was used last at the end.
        self._kept: OrderedDict[str, Body] = OrderedDict()
        self._kept_bytes = 0
        # Deliveries of one event that come together wait for one reading. With how many they are.
        self._reading: dict[str, asyncio.Lock] = {}
        self._readers: Counter[str] = Counter()

    async def complete(self, delivery: event_pb2.Delivery) -> event_pb2.Delivery:
        """Return the delivery with its variables, payload_extra and content; the delivery itself where it has them.

        Raises ClarionError: NOT_FOUND if neither the stream nor the ledger has them; PartAway if the ledger does not
        answer.
        """
        if not delivery.HasField("body_reference"):
            return delivery
        body = await self._body(delivery)
        whole = event_pb2.Delivery()
        whole.CopyFrom(delivery)
        whole.ClearField("body_reference")
        whole.variables, whole.payload_extra = body.variables, body.payload_extra
        if body.content is not None:
            whole.direct.content_given.CopyFrom(body.content)
        return whole

    async def _body(self, delivery: event_pb2.Delivery) -> Body:
        key = f"{delivery.tenant_id}/{delivery.event_id}"
        lock = self._reading.setdefault(key, asyncio.Lock())
        self._readers[key] += 1
        try:
            async with lock:
                body = self._kept.pop(key, None)
                if body is None:
                    body = await self._from_stream(delivery) or await self._from_ledger(delivery)
                    self._kept_bytes += _size(body)
                self._kept[key] = body
        finally:
            self._readers[key] -= 1
            if not self._readers[key]:  # one that fails leaves the lock to those that wait for it
                del self._readers[key], self._reading[key]
        while self._kept_bytes > _KEPT_BYTES:
            _, oldest = self._kept.popitem(last=False)
            self._kept_bytes -= _size(oldest)
        return body

    async def _from_stream(self, delivery: event_pb2.Delivery) -> Body | None:
        """Return the body; None: it was purged, or the broker does not answer."""
        sequence = delivery.body_reference.sequence
        if not sequence:
            return None
        try:
            message = await self._stream.get_msg(topology.EVENTS, sequence, direct=True)
            event = event_pb2.Event.FromString(message.data or b"")
        except (nats.errors.Error, nats.js.errors.Error, TimeoutError, DecodeError):
            return None
        # A recreated stream has used this sequence for another event.
        return _of_event(event) if event.id == delivery.event_id else None

    async def _from_ledger(self, delivery: event_pb2.Delivery) -> Body:
        request = ledger_pb2.GetEventBodyRequest(
            tenant_id=delivery.tenant_id, event_id=delivery.event_id, whole=delivery.HasField("direct")
        )
        answer = await self._own.ask(INGEST, lambda: self._caller(self._stub.GetEventBody, request, deadline=_ASK_S))
        return Body(answer.variables, answer.payload_extra, _content(answer.event))


def _of_event(event: event_pb2.Event) -> Body:
    return Body(event.variables, event.payload_extra, _content(event))


def _content(event: event_pb2.Event) -> event_pb2.DirectContent | None:
    return event.direct.content_given if direct_messages.is_given(event.direct) else None


def _size(body: Body) -> int:
    content = 0 if body.content is None else body.content.ByteSize()
    return len(body.variables) + len(body.payload_extra) + content
