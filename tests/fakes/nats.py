"""A NATS server with JetStream, in memory: what runtime.nats and runtime.pulling use of a connection."""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import nats.errors
import nats.js.errors
from nats.aio.msg import Msg
from nats.js.api import RawStreamMsg

from services.domain import provision, topology

_PULL = "$JS.API.CONSUMER.MSG.NEXT."
_ACK = "$JS.ACK."
_BATCH_ID, _BATCH_COMMIT = "Nats-Batch-Id", "Nats-Batch-Commit"
_FULL, _DUPLICATE = 10077, 10201

Callback = Callable[[Msg], Awaitable[None]]


@dataclass
class StoredMessage:
    """A message of a stream. deliveries: how often it was handed out; acked: it will not come again."""

    stream: str
    sequence: int
    subject: str
    payload: bytes
    headers: Mapping[str, str]
    deliveries: int = 0
    acked: bool = False


@dataclass
class _Request:
    consumer: topology.Consumer
    inbox: str
    left: int


@dataclass(eq=False)
class MemoryBroker:
    """Stands for a nats Client. The streams and consumers are those of services.domain.topology.

    is_connected: False while the server is away. full: streams that take nothing more. stored: all messages, in the
    order in which they were stored.
    """

    is_connected: bool = True
    full: set[str] = field(default_factory=set)
    stored: list[StoredMessage] = field(default_factory=list)
    stats: dict[str, int] = field(default_factory=lambda: {"reconnects": 0})
    _inboxes: "itertools.count[int]" = field(default_factory=itertools.count)
    _callbacks: dict[str, Callback] = field(default_factory=dict)
    _requests: list[_Request] = field(default_factory=list)
    _batches: dict[str, list[tuple[str, bytes, Mapping[str, str]]]] = field(default_factory=dict)
    _waiting: dict[str, list[StoredMessage]] = field(default_factory=dict)
    # By consumer and sequence.
    _in_hand: dict[tuple[str, int], StoredMessage] = field(default_factory=dict)

    def new_inbox(self) -> str:
        """Return a new subject for answers."""
        return f"_INBOX.{next(self._inboxes)}"

    async def subscribe(self, subject: str, *, cb: Callback, **_: Any) -> "_Subscription":
        """Call cb with what is published there."""
        self._callbacks[subject] = cb
        return _Subscription(self, subject)

    async def publish(
        self, subject: str, payload: bytes = b"", *, reply: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        """Take a pull request, an acknowledgement, or a message of an atomic batch."""
        if subject.startswith(_PULL):
            stream, consumer = subject.removeprefix(_PULL).split(".")
            [wanted] = [one for one in topology.consumers() if (one.stream, one.name) == (stream, consumer)]
            self._requests.append(_Request(wanted, reply, json.loads(payload)["batch"]))
            await self._serve()
        elif subject.startswith(_ACK):
            await self._acknowledge(subject, payload)
        elif headers and _BATCH_ID in headers:
            self._batches.setdefault(headers[_BATCH_ID], []).append((subject, payload, headers))

    async def request(self, subject: str, payload: bytes, *, headers: Mapping[str, str] | None = None, **_: Any) -> Msg:
        """Store a message, or the batch that it completes; answer as the server does."""
        await asyncio.sleep(0)
        if not self.is_connected:
            raise nats.errors.TimeoutError
        headers = headers or {}
        group = [*self._batches.pop(headers.get(_BATCH_ID, ""), ()), (subject, payload, headers)]
        stream = _stream_of(subject)
        if stream in self.full:
            return _answer(error={"err_code": _FULL, "description": "maximum bytes exceeded"})
        known = [self._known(stream, one[2]) for one in group]
        if any(known) and len(group) > 1:
            return _answer(error={"err_code": _DUPLICATE, "description": "duplicate message id"})
        if known[0] is not None:
            return _answer(seq=known[0].sequence, duplicate=True)
        for one in group:
            self._store(stream, *one)
        await self._serve()
        return _answer(seq=self.stored[-1].sequence)

    def jetstream(self, **_: Any) -> "MemoryBroker":
        """Return what reads single messages."""
        return self

    async def get_msg(self, stream: str, sequence: int, **_: Any) -> RawStreamMsg:
        """Return a stored message."""
        if not self.is_connected:
            raise nats.errors.TimeoutError
        for one in self.stored:
            if (one.stream, one.sequence) == (stream, sequence):
                return RawStreamMsg(one.subject, one.sequence, one.payload)
        raise nats.js.errors.NotFoundError

    def messages(self, stream: str) -> list[StoredMessage]:
        """Return what a stream holds, oldest first."""
        return [one for one in self.stored if one.stream == stream]

    async def put(self, subject: str, payload: bytes, *, deliveries: int = 0) -> StoredMessage:
        """Store a message that was handed out so often before."""
        stored = self._store(_stream_of(subject), subject, payload, {})
        stored.deliveries = deliveries
        await self._serve()
        return stored

    async def redeliver(self) -> None:
        """Hand out again what is in hand and not acknowledged, as the server does after ack_wait."""
        for (name, _), one in list(self._in_hand.items()):
            self._waiting.setdefault(name, []).append(one)
        self._in_hand.clear()
        await self._serve()

    def _known(self, stream: str, headers: Mapping[str, str]) -> StoredMessage | None:
        id_ = headers.get("Nats-Msg-Id")
        same = (one for one in self.messages(stream) if id_ and one.headers.get("Nats-Msg-Id") == id_)
        return next(same, None)

    def _store(self, stream: str, subject: str, payload: bytes, headers: Mapping[str, str]) -> StoredMessage:
        stored = StoredMessage(stream, len(self.messages(stream)) + 1, subject, payload, headers)
        self.stored.append(stored)
        for consumer in topology.consumers():
            if consumer.stream == stream and any(_matches(subject, one) for one in consumer.subjects):
                self._waiting.setdefault(consumer.name, []).append(stored)
        return stored

    async def _serve(self) -> None:
        for request in list(self._requests):
            waiting = self._waiting.get(request.consumer.name, [])
            while waiting and request.left and request.inbox in self._callbacks and self.is_connected:
                one = waiting.pop(0)
                one.deliveries += 1
                request.left -= 1
                self._in_hand[request.consumer.name, one.sequence] = one
                where = f"{one.stream}.{request.consumer.name}.{one.deliveries}.{one.sequence}"
                reply = f"{_ACK}{where}.{one.sequence}.0.{len(waiting)}"
                message = Msg(_client=None, subject=one.subject, reply=reply, data=one.payload, headers=None)  # type: ignore[arg-type]  # it is not asked to answer
                await self._callbacks[request.inbox](message)
        self._requests = [request for request in self._requests if request.left]

    async def _acknowledge(self, subject: str, payload: bytes) -> None:
        _, _, _, name, _, sequence, *_ = subject.split(".")
        one = self._in_hand.get((name, int(sequence)))
        if one is None or payload == b"+WPI":
            return
        del self._in_hand[name, int(sequence)]
        one.acked = payload == b""
        if payload == b"-NAK":
            self._waiting.setdefault(name, []).append(one)
            await self._serve()


@dataclass
class _Subscription:
    broker: MemoryBroker
    subject: str

    async def unsubscribe(self) -> None:
        """Hand out nothing more there."""
        self.broker._callbacks.pop(self.subject, None)


def _stream_of(subject: str) -> str:
    [name] = [
        stream.name
        for stream in provision.streams(replicas=1, max_bytes=1)
        if any(_matches(subject, one) for one in stream.subjects or ())
    ]
    return str(name)


def _matches(subject: str, pattern: str) -> bool:
    parts, wanted = subject.split("."), pattern.split(".")
    if wanted[-1] == ">":
        return len(parts) >= len(wanted) and _matches(".".join(parts[: len(wanted) - 1]), ".".join(wanted[:-1]))
    return len(parts) == len(wanted) and all(one in ("*", part) for part, one in zip(parts, wanted, strict=True))


def _answer(**fields: Any) -> Msg:
    return Msg(_client=None, data=json.dumps(fields).encode())  # type: ignore[arg-type]  # it is not asked to answer
