"""NATS JetStream: a connection that survives restarts of the server, and batched publishing. Pulling: runtime.pulling.

The server's behaviour in each case was tried; docs/nats.md describes it.
"""

import asyncio
import dataclasses
import random
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import msgspec
import nats
import nats.errors
from nats.aio.client import Client
from prometheus_client import Histogram

from runtime import logs, tracing
from runtime.batching import Batcher, BatchLimits, BatchTiming
from runtime.errors import ClarionError, Code

MSG_ID = "Nats-Msg-Id"
_BATCH_ID = "Nats-Batch-Id"
_BATCH_SEQUENCE = "Nats-Batch-Sequence"
_BATCH_COMMIT = "Nats-Batch-Commit"

# Server error codes (nats-server's errors.json).
_DUPLICATE_IN_BATCH = 10201
_BATCH_INCOMPLETE = 10176
_OVERLOAD = {10077, 10023, 10210}  # stream full, store full, too many open batches

# Measured cost at the server: 0.7 ms for a single message, 5 ms for an atomic batch of two, 10 ms for one of a hundred.
# So up to this many messages are cheaper as singles; above it, larger batches are cheaper.
_SINGLES = 8
_TIMING = BatchTiming(rest_s=0.02, rest_from=_SINGLES + 1)
_LEAST_WAIT_S = 0.5
# The longest pause between two tries of a batch, seconds.
_LONGEST_DELAY_S = 0.5
_MAX_BATCH = 1000
_MAX_BATCH_BYTES = 4 * 1024 * 1024

_SECONDS = Histogram(
    "clarion_publish_seconds",
    "Until a message, or an atomic batch, was stored.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
_MESSAGES = Histogram(
    "clarion_publish_messages", "Messages stored together.", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
)

log = logs.get(__name__)

_failures: "WeakKeyDictionary[Client, asyncio.Event]" = WeakKeyDictionary()


def publish_failures(connection: Client) -> asyncio.Event:
    """Return the event that is set when a publish on this connection fails; runtime.write_probe waits for it."""
    return _failures.setdefault(connection, asyncio.Event())


async def connect(url: str, *, name: str, wait: float = 10.0) -> Client:
    """Return a connection that reconnects for ever. url may list several servers, comma-separated.

    wait: seconds to go on trying at start. Raises UNAVAILABLE after them.
    """

    async def on_error(error: Exception) -> None:
        log.warning("nats_error", error=repr(error))

    async def on_disconnect() -> None:
        log.warning("nats_disconnected")

    async def on_reconnect() -> None:
        log.info("nats_reconnected")

    try:
        async with asyncio.timeout(max(wait, _LEAST_WAIT_S)):  # without it, nats-py tries for ever
            return await nats.connect(
                url.split(","),
                name=name,
                max_reconnect_attempts=-1,
                reconnect_time_wait=0.2,
                connect_timeout=2,
                ping_interval=5,
                max_outstanding_pings=2,
                allow_reconnect=True,
                error_cb=on_error,
                disconnected_cb=on_disconnect,
                reconnected_cb=on_reconnect,
                pending_size=8 * 1024 * 1024,
            )
    except (TimeoutError, OSError, nats.errors.Error) as error:
        raise ClarionError(Code.UNAVAILABLE, f"NATS does not answer at {_shown(url)}.") from error


def _shown(url: str) -> str:
    """Return the addresses without user and password, for logs."""
    return ",".join(part.rpartition("@")[2].rpartition("/")[2] for part in url.split(","))


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to be stored.

    msg_id: stored once within the stream's duplicate window; empty: always stored. span: the span that it is published
    in; None: the current one.
    """

    subject: str
    payload: bytes
    msg_id: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    span: tracing.Span | None = None


@dataclass(frozen=True, slots=True)
class PublishAck:
    """The server's confirmation that a message is on disk. duplicate: it was stored before, at this sequence."""

    sequence: int
    duplicate: bool


class _ApiError(msgspec.Struct):
    err_code: int = 0
    description: str = ""


class _PubAck(msgspec.Struct):
    seq: int = 0
    duplicate: bool = False
    error: _ApiError | None = None


_decode_ack = msgspec.json.Decoder(_PubAck).decode


class _Refused(Exception):
    def __init__(self, error: _ApiError) -> None:
        super().__init__(f"{error.err_code}: {error.description}")
        self.code = error.err_code


class StreamPublisher:
    """Stores messages in one stream, many at a time as an atomic batch.

    A result means stored. Without one within deadline seconds it raises UNAVAILABLE, and the message may or may not be
    stored: publish it again with the same msg_id.
    """

    def __init__(
        self, connection: Client, *, deadline: float = 5.0, max_waiting: int = 20_000, max_batch: int = 500
    ) -> None:
        self._nats = connection
        self._deadline = deadline
        self._batcher: Batcher[Outgoing, PublishAck] = Batcher(
            self._flush,
            BatchLimits(items=min(max_batch, _MAX_BATCH), waiting=max_waiting, bytes=_MAX_BATCH_BYTES),
            _TIMING,
            size=lambda message: len(message.payload) + 200,
        )

    async def publish(self, message: Outgoing, *, within: float | None = None) -> PublishAck:
        """Return when the message is stored.

        within: seconds after which it is not sent any more, if it has not been; then it raises TIMEOUT, and the message
        is never stored. Of one that has been sent the result comes, however late.
        """
        if not tracing.is_on():
            return await self._batcher.enqueue(message, within=within)
        with _span(message) as span:
            return await self._batcher.enqueue(_carrying(message, span), within=within)

    async def publish_all(self, messages: Sequence[Outgoing]) -> list[PublishAck]:
        """Return when all messages are stored. They are not stored atomically."""
        if not tracing.is_on():
            return await self._batcher.submit_all(messages)
        spans = [_span(message) for message in messages]
        try:
            return await self._batcher.submit_all(
                [_carrying(message, span) for message, span in zip(messages, spans, strict=True)]
            )
        except Exception as error:
            for span in spans:
                span.fail(type(error).__name__)
            raise
        finally:
            for span in spans:
                span.end()

    async def drain(self) -> None:
        """Wait until no publish is in progress."""
        await self._batcher.drain()

    async def _flush(self, messages: list[Outgoing]) -> list[PublishAck | BaseException]:
        return await self._store(messages, time.monotonic() + self._deadline)

    async def _store(self, messages: list[Outgoing], deadline: float) -> list[PublishAck | BaseException]:
        if len(messages) <= _SINGLES:
            return await asyncio.gather(
                *[self._retried([message], deadline) for message in messages], return_exceptions=True
            )
        try:
            last = await self._retried(messages, deadline)
        except _Refused as refused:
            if refused.code != _DUPLICATE_IN_BATCH:
                return [_translated(refused)] * len(messages)
            # A known id makes the server refuse the whole batch: halve it until that message is alone.
            middle = len(messages) // 2
            first = await self._store(messages[:middle], deadline)
            return first + await self._store(messages[middle:], deadline)
        except ClarionError as error:
            return [error] * len(messages)
        first_sequence = last.sequence - len(messages) + 1
        return [PublishAck(first_sequence + index, duplicate=False) for index in range(len(messages))]

    async def _retried(self, messages: list[Outgoing], deadline: float) -> PublishAck:
        """Send until the server answers. The message ids make a repeat harmless."""
        delay = 0.05
        started = time.perf_counter()
        while True:
            try:
                ack = await self._send(messages, min(2.0, max(0.05, deadline - time.monotonic())))
                if ack.error is None:
                    _SECONDS.observe(time.perf_counter() - started)
                    _MESSAGES.observe(len(messages))
                    return PublishAck(ack.seq, ack.duplicate)
                if ack.error.err_code != _BATCH_INCOMPLETE:
                    if len(messages) == 1 and ack.error.err_code == _DUPLICATE_IN_BATCH:
                        return PublishAck(0, duplicate=True)
                    if ack.error.err_code in _OVERLOAD:
                        publish_failures(self._nats).set()
                    refused = _Refused(ack.error)
                    raise refused if len(messages) > 1 else _translated(refused)
            except (TimeoutError, nats.errors.Error, OSError):
                publish_failures(self._nats).set()
            delay = min(1.6 * delay, _LONGEST_DELAY_S) * random.uniform(0.75, 1.25)  # noqa: S311 - jitter, not a secret
            if time.monotonic() + delay > deadline:
                raise ClarionError(Code.UNAVAILABLE, "The message broker does not answer.", retry_after=1)
            await asyncio.sleep(delay)

    async def _send(self, messages: list[Outgoing], patience: float) -> _PubAck:
        if not self._nats.is_connected:
            raise nats.errors.ConnectionReconnectingError
        if len(messages) == 1:
            message = messages[0]
            reply = await self._nats.request(
                message.subject, message.payload, timeout=patience, headers=_headers(message)
            )
            return _decode_ack(reply.data)
        batch_id = secrets.token_hex(8)
        for sequence, message in enumerate(messages[:-1], start=1):
            headers = _headers(message)
            headers[_BATCH_ID] = batch_id
            headers[_BATCH_SEQUENCE] = str(sequence)
            await self._nats.publish(message.subject, message.payload, headers=headers)
        last = messages[-1]
        headers = _headers(last)
        headers[_BATCH_ID] = batch_id
        headers[_BATCH_SEQUENCE] = str(len(messages))
        headers[_BATCH_COMMIT] = "1"
        reply = await self._nats.request(last.subject, last.payload, timeout=patience, headers=headers)
        return _decode_ack(reply.data)


def _span(message: Outgoing) -> tracing.Span:
    return tracing.produce(message.subject, len(message.payload), message.span)


def _carrying(message: Outgoing, span: tracing.Span) -> Outgoing:
    """Return the message with the headers that make its consumer's span a child of this one."""
    return dataclasses.replace(message, headers={**message.headers, **span.headers}) if span.headers else message


def _headers(message: Outgoing) -> dict[str, str]:
    headers = dict(message.headers)
    if message.msg_id:
        headers[MSG_ID] = message.msg_id
    return headers


def _translated(refused: _Refused) -> ClarionError:
    if refused.code in _OVERLOAD:
        return ClarionError(Code.OVERLOADED, "The message store is full; try again shortly.", retry_after=5)
    log.error("publish_refused", error=str(refused))
    return ClarionError(Code.UNAVAILABLE, "The message broker refused the message.")
