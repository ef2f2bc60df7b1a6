"""Pulls from a JetStream consumer as a stream, with a limit on the messages in hand.

The server's behaviour in each case was tried; docs/nats.md describes it.
"""

import asyncio
import functools
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from runtime import logs, tracing
from runtime.pull_window import EXPIRES_S, PullRequest, PullWindow

# The server's description when a request ends because the next message exceeds its bytes.
_FULL = "Message Size Exceeds MaxBytes"
# And when a request brought everything; it is sent if the request limited the bytes.
_COMPLETE = "Batch Completed"

log = logs.get(__name__)


class Held:
    """A message in hand: delivered again unless it is acked, and to no other process while this one lives."""

    __slots__ = ("_msg", "_puller", "is_aside", "sequence", "span", "touched")

    def __init__(self, msg: Msg, puller: "Puller", sequence: int) -> None:
        self._msg = msg
        self._puller = puller
        # The sequence in the stream.
        self.sequence = sequence
        self.touched = time.monotonic()
        # See set_aside().
        self.is_aside = False
        # The span of handling it: from being handed out until the ack or release.
        self.span = tracing.OFF

    @property
    def data(self) -> bytes:
        """The payload."""
        return self._msg.data

    @property
    def subject(self) -> str:
        """The subject."""
        return self._msg.subject

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers; may be empty."""
        return self._msg.headers or {}

    @property
    def deliveries(self) -> int:
        """How often it has been delivered, including this time."""
        return int(_ack_part(self._msg, -5))

    async def ack(self) -> None:
        """Acknowledge it: it is never delivered again."""
        await self._puller.acknowledge(self)
        self.span.end()

    def release(self) -> None:
        """Give it up without an ack: it is delivered again, to any process, after the consumer's ack_wait."""
        self._puller.release(self)
        self.span.fail("released")
        self.span.end()

    def set_aside(self) -> bool:
        """Keep it, but free its place for another message, because it waits for something that others may not need.

        False: the limit is reached, and it keeps its place.
        """
        return self._puller.set_aside(self)

    def take_back(self) -> None:
        """Let it take a place again; for a while there may be more than max_held in hand."""
        self._puller.take_back(self)


def _ack_part(msg: Msg, index: int) -> str:
    return msg.reply.split(".")[index]


class Puller:
    """Pulls from one durable consumer as a stream: asks for more while the last is being handled.

    max_held and max_held_bytes (of payloads; at least 4 MiB) bound what is handed out and not yet acked.
    max_aside of them, up to max_aside_bytes, may be set aside (Held.set_aside): they do not count.
    ack_wait, in seconds, is the consumer's own: messages held for longer than a third of it are reported
    as in progress, so they stay here; those of a killed process come again elsewhere after ack_wait.
    spans: make a span of handling each message (runtime.tracing).
    """

    def __init__(
        self,
        connection: Client,
        stream: str,
        consumer: str,
        *,
        max_held: int,
        ack_wait: float,
        max_held_bytes: int = 8 * 1024 * 1024,
        max_aside: int = 0,
        max_aside_bytes: int = 4 * 1024 * 1024,
        spans: bool = False,
    ) -> None:
        self._nats = connection
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._name = f"{stream}/{consumer}"
        self._ack_wait = ack_wait
        self._spans = spans
        self._window = PullWindow(
            [connection.new_inbox() for _ in range(2)],
            max_held=max_held,
            max_held_bytes=max_held_bytes,
            max_aside=max_aside,
            max_aside_bytes=max_aside_bytes,
        )
        # By sequence; those set aside included.
        self._held: dict[int, Held] = {}
        self._arrived: deque[Held] = deque()
        self._wake = asyncio.Event()
        self._stopping = False
        self._pause_until = 0.0
        self._reconnects = connection.stats["reconnects"]

    @property
    def held(self) -> int:
        """The number of messages in hand, including those set aside."""
        return len(self._held)

    async def batches(self) -> AsyncIterator[list[Held]]:
        """Yield messages as soon as some have arrived, until stop()."""
        subscriptions = [
            await self._nats.subscribe(
                request.inbox,
                cb=functools.partial(self._receive, request),
                pending_msgs_limit=-1,
                pending_bytes_limit=-1,
            )
            for request in self._window.requests
        ]
        heartbeat = asyncio.create_task(self._keep_held())
        try:
            while not self._stopping:
                await self._request_more()
                if not self._arrived:
                    self._wake.clear()
                    await self._wake.wait()
                if self._arrived and not self._stopping:
                    batch = list(self._arrived)
                    self._arrived.clear()
                    if self._spans and tracing.is_on():
                        for held in batch:
                            held.span = tracing.consume(held.subject, held.headers, len(held.data))
                    yield batch
            for subscription in subscriptions:
                await subscription.unsubscribe()
            # Messages that were not handed out are returned now, not after ack_wait.
            for message in self._arrived:
                await self._give_back(message)
            self._arrived.clear()
            while self._held:  # still being handled: keep them here until they are acked
                self._wake.clear()
                await self._wake.wait()
        finally:
            heartbeat.cancel()

    def stop(self) -> None:
        """Request no more messages; batches() ends when those in hand are acked."""
        self._stopping = True
        self._wake.set()

    async def acknowledge(self, message: Held) -> None:
        """See Held.ack."""
        if not self._let_go(message):
            return
        await self._nats.publish(message._msg.reply)  # noqa: SLF001 - Held is this class's own handle
        if self._stopping or self._window.has_room:
            self._wake.set()

    def release(self, message: Held) -> None:
        """See Held.release."""
        self._let_go(message)
        self._wake.set()

    def set_aside(self, message: Held) -> bool:
        """See Held.set_aside."""
        if message.is_aside or self._held.get(message.sequence) is not message:
            return message.is_aside
        message.is_aside = self._window.set_aside(len(message.data))
        if message.is_aside:
            self._wake.set()
        return message.is_aside

    def take_back(self, message: Held) -> None:
        """See Held.take_back."""
        if message.is_aside:
            message.is_aside = False
            self._window.take_back(len(message.data))

    def _let_go(self, message: Held) -> bool:
        """Remove it; return whether it was in hand. It may have been given up before, and be here a second time."""
        if self._held.get(message.sequence) is not message:
            return False
        self.take_back(message)
        del self._held[message.sequence]
        self._window.let_go(len(message.data))
        return True

    async def _receive(self, request: PullRequest, msg: Msg) -> None:
        status = msg.headers.get("Status") if msg.headers and not msg.data else None
        if status is not None:  # a request has ended; it says how much of it was left
            headers = msg.headers or {}
            left_bytes = headers.get("Nats-Pending-Bytes")
            brought = self._window.ended(
                request,
                left=int(headers.get("Nats-Pending-Messages", "0")),
                left_bytes=int(left_bytes) if left_bytes is not None else None,
            )
            if status not in ("404", "408"):
                self._note_refusal(status, msg, brought=brought)
            self._wake.set()
            return
        self._window.received(request, len(msg.data))
        self._wake.set()
        sequence = int(_ack_part(msg, -4))
        if (known := self._held.get(sequence)) is not None:
            if known.data == msg.data:
                # The server was away for long and considers this process dead: the same message, not another one.
                known._msg = msg  # noqa: SLF001
                return
            self._let_go(known)
        held = self._held[sequence] = Held(msg, self, sequence)
        self._window.hold(len(msg.data))
        self._arrived.append(held)

    def _note_refusal(self, status: str, msg: Msg, *, brought: int) -> None:
        description = msg.headers.get("Description", "") if msg.headers else ""
        if _FULL in description:
            self._window.message_was_too_large(brought=brought)
            return
        if _COMPLETE in description:
            return
        self._pause_until = time.monotonic() + 0.25
        if status != "409" or "Server Shutdown" not in description:
            log.warning("pull_refused", consumer=self._name, status=status, description=description)

    async def _request_more(self) -> None:
        now = time.monotonic()
        reconnects = self._nats.stats["reconnects"]
        self._window.expire(now, reconnected=reconnects != self._reconnects)  # a new server knows of no request
        self._reconnects = reconnects
        if now < self._pause_until or not self._nats.is_connected:
            return
        if (pull := self._window.next_pull(now)) is None:
            return
        body = {"batch": pull.messages, "expires": int(EXPIRES_S * 1e9)}
        if pull.max_bytes is not None:
            body["max_bytes"] = pull.max_bytes
        await self._nats.publish(self._subject, msgspec.json.encode(body), reply=pull.inbox)

    async def _keep_held(self) -> None:
        """Report messages that are still being handled as in progress."""
        interval = self._ack_wait / 3
        while True:
            await asyncio.sleep(min(interval / 2, 1.0))
            self._wake.set()  # an overdue request may have to be made again
            stale = time.monotonic() - interval
            for message in [message for message in self._held.values() if message.touched < stale]:
                if not self._nats.is_connected:  # a full send buffer would end this loop
                    break
                message.touched = time.monotonic()
                await self._nats.publish(message._msg.reply, b"+WPI")  # noqa: SLF001

    async def _give_back(self, message: Held) -> None:
        self._let_go(message)
        await self._nats.publish(message._msg.reply, b"-NAK")  # noqa: SLF001
