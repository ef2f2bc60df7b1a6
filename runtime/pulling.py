"""Pulling from a JetStream consumer as a stream, with a bound on what is in our hands.

What the server does in each of these cases was tried; docs/nats.md tells.
"""

import asyncio
import functools
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from runtime import logs

# No service writes a larger message to a stream (TRACE's are up to 512 KiB); one that is comes alone.
_LARGEST = 1024 * 1024
# The server's word for a request that ends because the next message would be more than it was allowed.
_FULL = "Message Size Exceeds MaxBytes"
# And for one that brought all it was asked for: it says so where bytes were bounded.
_COMPLETE = "Batch Completed"

log = logs.get(__name__)


class Held:
    """A message in our hands: it comes again unless acked, and stays ours while the process lives."""

    __slots__ = ("_msg", "_puller", "is_aside", "sequence", "touched")

    def __init__(self, msg: Msg, puller: "Puller", sequence: int) -> None:
        self._msg = msg
        self._puller = puller
        # Its sequence in the stream.
        self.sequence = sequence
        self.touched = time.monotonic()
        # It waits, and does not count as in hand; see set_aside.
        self.is_aside = False

    @property
    def data(self) -> bytes:
        """The payload."""
        return self._msg.data

    @property
    def subject(self) -> str:
        """The subject it was published on."""
        return self._msg.subject

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers; empty where there are none."""
        return self._msg.headers or {}

    @property
    def deliveries(self) -> int:
        """How often it has been delivered, this time included."""
        return int(_ack_part(self._msg, -5))

    async def ack(self) -> None:
        """Done: never again."""
        await self._puller.acknowledge(self)

    def release(self) -> None:
        """Let go without an ack: it comes again, here or elsewhere, after the consumer's ack_wait."""
        self._puller.release(self)

    def set_aside(self) -> bool:
        """Keep it, and make its place free for another one: it waits for a part that others do not need.

        False: no more may be set aside, and it keeps its place.
        """
        return self._puller.set_aside(self)

    def take_back(self) -> None:
        """Let it take a place again; what is in hand may be more than max_held for a while."""
        self._puller.take_back(self)


def _ack_part(msg: Msg, index: int) -> str:
    return msg.reply.split(".")[index]


@dataclass(slots=True)
class _Request:
    """A place for one request to the server: what it still owes us, and until when it means to."""

    inbox: str
    asked: int = 0
    messages: int = 0
    # At most.
    bytes: int = 0
    until: float = 0.0

    def settle(self, messages: int, size: int) -> None:
        """Take off what has come, or will not come any more."""
        self.messages = max(0, self.messages - messages)
        self.bytes = max(0, self.bytes - size) if self.messages else 0


class Puller:
    """Pulls from one durable consumer as a stream: asks for more while the last is being handled.

    max_held and max_held_bytes (of payloads; at least 4 MiB) bound what is handed out and not yet acked.
    max_aside of them, up to max_aside_bytes, may be set aside (Held.set_aside): they do not count.
    ack_wait, in seconds, is the consumer's own: messages held for longer than a third of it are reported
    as in progress, so they stay here; those of a killed process come again elsewhere after ack_wait.
    """

    EXPIRES_S = 10.0

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
    ) -> None:
        self._nats = connection
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._name = f"{stream}/{consumer}"
        self._max_held = max_held
        self._max_held_bytes = max_held_bytes
        self._ack_wait = ack_wait
        # By sequence.
        self._held: dict[int, Held] = {}
        self._held_bytes = 0
        # Of those held.
        self._max_aside = max_aside
        self._max_aside_bytes = max_aside_bytes
        self._aside = 0
        self._aside_bytes = 0
        self._arrived: deque[Held] = deque()
        # Two: one is asked for while the other is being served.
        self._requests = [_Request(connection.new_inbox()) for _ in range(2)]
        # Nothing was asked for, for want of room for its bytes.
        self._is_short = False
        # The next message is larger than any request may bring.
        self._is_alone = False
        self._wake = asyncio.Event()
        self._stopping = False
        self._pause_until = 0.0
        self._connects = connection.stats["reconnects"]

    @property
    def held(self) -> int:
        """How many messages are in our hands, those set aside included."""
        return len(self._held)

    @property
    def _places_taken(self) -> int:
        return len(self._held) - self._aside

    async def batches(self) -> AsyncIterator[list[Held]]:
        """Yield what has arrived, as soon as something has, until stop()."""
        subscriptions = [
            await self._nats.subscribe(
                request.inbox,
                cb=functools.partial(self._receive, request),
                pending_msgs_limit=-1,
                pending_bytes_limit=-1,
            )
            for request in self._requests
        ]
        heartbeat = asyncio.create_task(self._keep_held())
        try:
            while not self._stopping:
                await self._ask()
                if not self._arrived:
                    self._wake.clear()
                    await self._wake.wait()
                if self._arrived and not self._stopping:
                    batch = list(self._arrived)
                    self._arrived.clear()
                    yield batch
            for subscription in subscriptions:
                await subscription.unsubscribe()
            # What arrived and was not handed out goes back at once, not after ack_wait.
            for message in self._arrived:
                await self._give_back(message)
            self._arrived.clear()
            while self._held:  # still being handled: keep them ours until they are acked
                self._wake.clear()
                await self._wake.wait()
        finally:
            heartbeat.cancel()

    def stop(self) -> None:
        """Take no more; batches() ends when what is held has been acked."""
        self._stopping = True
        self._wake.set()

    async def acknowledge(self, message: Held) -> None:
        """Ack one; Held.ack is the way to call it."""
        if not self._let_go(message):
            return
        await self._nats.publish(message._msg.reply)  # noqa: SLF001 - Held is this class's own handle
        if self._stopping or self._is_short or self._places_taken * 2 <= self._max_held:
            self._wake.set()

    def release(self, message: Held) -> None:
        """Let one go; Held.release is the way to call it."""
        self._let_go(message)
        self._wake.set()

    def set_aside(self, message: Held) -> bool:
        """Set one aside; Held.set_aside is the way to call it."""
        size = len(message.data)
        if (
            message.is_aside
            or self._held.get(message.sequence) is not message
            or self._aside >= self._max_aside
            or self._aside_bytes + size > self._max_aside_bytes
        ):
            return message.is_aside
        message.is_aside = True
        self._aside += 1
        self._aside_bytes += size
        self._wake.set()
        return True

    def take_back(self, message: Held) -> None:
        """Take one back; Held.take_back is the way to call it."""
        if message.is_aside:
            message.is_aside = False
            self._aside -= 1
            self._aside_bytes -= len(message.data)

    def _let_go(self, message: Held) -> bool:
        """Tell whether it was in our hands until now: it may have been let go, and be here a second time."""
        if self._held.get(message.sequence) is not message:
            return False
        self.take_back(message)
        del self._held[message.sequence]
        self._held_bytes -= len(message.data)
        return True

    async def _receive(self, request: _Request, msg: Msg) -> None:
        status = msg.headers.get("Status") if msg.headers and not msg.data else None
        if status is not None:  # a request has ended; it says how much of it was left
            headers = msg.headers or {}
            is_used_up = headers.get("Nats-Pending-Bytes") == "0"  # to the byte: the rest will not come, either
            left = request.messages if is_used_up else int(headers.get("Nats-Pending-Messages", "0"))
            request.settle(left, 0)
            if status not in ("404", "408"):
                self._note_refusal(status, msg, brought=request.asked - left)
            self._wake.set()
            return
        request.settle(1, len(msg.data))
        self._wake.set()
        sequence = int(_ack_part(msg, -4))
        if (known := self._held.get(sequence)) is not None:
            if known.data == msg.data:
                # The server was away for long, so it takes us for dead. To handle it twice would double what it
                # leads to.
                known._msg = msg  # noqa: SLF001
                return
            self._let_go(known)
        held = self._held[sequence] = Held(msg, self, sequence)
        self._held_bytes += len(msg.data)
        self._arrived.append(held)

    def _note_refusal(self, status: str, msg: Msg, *, brought: int) -> None:
        description = msg.headers.get("Description", "") if msg.headers else ""
        if _FULL in description:
            self._is_alone = not brought
            return
        if _COMPLETE in description:
            return
        self._pause_until = time.monotonic() + 0.25
        if status != "409" or "Server Shutdown" not in description:
            log.warning("pull_refused", consumer=self._name, status=status, description=description)

    async def _ask(self) -> None:
        now = time.monotonic()
        reconnects = self._nats.stats["reconnects"]
        for request in self._requests:
            if reconnects != self._connects or now > request.until + 2:  # the server forgot what it was asked
                request.settle(request.messages, 0)
        self._connects = reconnects
        owed = sum(request.messages for request in self._requests)
        room = self._max_held - self._places_taken - owed
        if room <= 0 or (owed and room * 2 < self._max_held):
            return
        if now < self._pause_until or not self._nats.is_connected:
            return
        free = next((request for request in self._requests if not request.messages), None)
        if free is None:
            return
        promised = self._held_bytes - self._aside_bytes + sum(request.bytes for request in self._requests)
        # Half at a time, so that the other place is not left without.
        room_bytes = min(self._max_held_bytes // 2, self._max_held_bytes - promised)
        self._is_short = room_bytes < _LARGEST  # the server would send nothing at all if the next one did not fit
        if self._is_short:
            return
        body = {"batch": room, "max_bytes": room_bytes, "expires": int(self.EXPIRES_S * 1e9)}
        if self._is_alone:
            self._is_alone = False
            room = body["batch"] = 1
            del body["max_bytes"]
        free.asked, free.messages, free.bytes, free.until = room, room, room_bytes, now + self.EXPIRES_S
        await self._nats.publish(self._subject, msgspec.json.encode(body), reply=free.inbox)

    async def _keep_held(self) -> None:
        """Tell the server what is still being worked on."""
        interval = self._ack_wait / 3
        while True:
            await asyncio.sleep(min(interval / 2, 1.0))
            self._wake.set()  # time to see whether the server has to be asked anew
            stale = time.monotonic() - interval
            for message in [message for message in self._held.values() if message.touched < stale]:
                if not self._nats.is_connected:  # nobody would hear it, and a full buffer would end this loop
                    break
                message.touched = time.monotonic()
                await self._nats.publish(message._msg.reply, b"+WPI")  # noqa: SLF001

    async def _give_back(self, message: Held) -> None:
        self._let_go(message)
        await self._nats.publish(message._msg.reply, b"-NAK")  # noqa: SLF001
