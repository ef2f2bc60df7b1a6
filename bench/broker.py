"""A baseline: only storing messages in JetStream, singly or in atomic batches.

A process of its own, `python -m bench.broker`, see bench.helper. The stream is made and removed by it.
"""

import asyncio
import os
import time

import msgspec
import nats
import uvloop
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import DiscardPolicy, StorageType, StreamConfig

from bench import helper

_STREAM = "BENCH"
_SUBJECT = "bench.baseline"
_MAX_BYTES = 256 * 1024**2
_PATIENCE_S = 5.0


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """The order. batch: messages per atomic batch, 1 for singles. window: the number of batches under way."""

    url: str
    batch: int
    window: int
    payload_bytes: int
    seconds: float


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The result. seconds: from the first message to the last acknowledgement."""

    stored: int
    refused: int
    seconds: float
    cpu_seconds: float


class _Ack(msgspec.Struct):
    error: dict[str, int | str] | None = None


class Publisher:
    """Publishes with a full window until the time is over."""

    def __init__(self, connection: Client, order: Order) -> None:
        self._nats = connection
        self._order = order
        self._payload = os.urandom(order.payload_bytes)
        self._inbox = connection.new_inbox()
        self._free = asyncio.Semaphore(order.window)
        self._decode = msgspec.json.Decoder(_Ack).decode
        self._acknowledged = 0
        self._refused = 0

    async def run(self) -> Answer:
        """Publish. Raises TimeoutError if the server stops answering."""
        await self._nats.subscribe(f"{self._inbox}.*", cb=self._receive, pending_msgs_limit=-1)
        cpu, began = helper.cpu_seconds(), time.perf_counter()
        number = 0
        while time.perf_counter() - began < self._order.seconds:
            async with asyncio.timeout(_PATIENCE_S):
                await self._free.acquire()
            await self._publish(number)
            number += 1
        for _ in range(self._order.window):
            async with asyncio.timeout(_PATIENCE_S):
                await self._free.acquire()
        return Answer(
            stored=self._acknowledged * self._order.batch,
            refused=self._refused * self._order.batch,
            seconds=time.perf_counter() - began,
            cpu_seconds=helper.cpu_seconds() - cpu,
        )

    async def _publish(self, number: int) -> None:
        reply = f"{self._inbox}.{number}"
        last = self._order.batch
        for sequence in range(1, last + 1):
            # As the services do, each message has an id that the server remembers.
            headers = {"Nats-Msg-Id": f"{self._inbox}.{number}.{sequence}"}
            if last > 1:
                headers |= {"Nats-Batch-Id": str(number), "Nats-Batch-Sequence": str(sequence)}
            if sequence < last:
                await self._nats.publish(_SUBJECT, self._payload, headers=headers)
        if last > 1:
            headers["Nats-Batch-Commit"] = "1"
        await self._nats.publish(_SUBJECT, self._payload, reply=reply, headers=headers)

    async def _receive(self, message: Msg) -> None:
        if self._decode(message.data).error is None:
            self._acknowledged += 1
        else:
            self._refused += 1
        self._free.release()


async def _main(order: Order) -> Answer:
    connection = await nats.connect(order.url, allow_reconnect=False)
    stream = connection.jetstream(timeout=10)
    try:
        await stream.add_stream(
            StreamConfig(
                name=_STREAM,
                subjects=[_SUBJECT],
                storage=StorageType.FILE,
                discard=DiscardPolicy.OLD,
                max_bytes=_MAX_BYTES,
                allow_atomic=True,
            )
        )
        return await Publisher(connection, order).run()
    finally:
        await stream.delete_stream(_STREAM)
        await connection.close()


def main() -> None:
    """Read the order, execute it, and print the result."""
    helper.answer(uvloop.run(_main(helper.order(Order))))


if __name__ == "__main__":
    main()
