"""Calls of 16 MiB at ingest's gRPC port, without a token."""

import asyncio
from collections import Counter

import grpc
import grpc.aio

from checks.siege.scene import MIB, Scene, mib
from checks.siege.siege import Attack

CALLS = 40
_BYTES = 16 * MIB - 1024
_METHODS = ("/clarion.ingest.v1.IngestService/TriggerEvent", "/clarion.ingest.v1.IngestService/AcceptEvents")
_DEADLINE_S = 20.0
# What ingest may take for all of it.
_MORE_BYTES = 128 * MIB


async def _attack(scene: Scene) -> None:
    before = scene.taken("ingest")
    # A field that no message has, of that length: it is read before anything can refuse it.
    body = b"\xfa\x01" + _length(_BYTES - 6) + bytes(_BYTES - 6)
    number = scene.count(CALLS, 4)
    answers: Counter[str] = Counter()
    address = scene.running.process("ingest").address
    options = [("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]

    async def call(which: int) -> None:
        async with grpc.aio.insecure_channel(address, options=options) as channel:
            method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(_METHODS[which % 2])
            try:
                await method(body, timeout=_DEADLINE_S)
            except grpc.aio.AioRpcError as error:
                answers[error.code().name] += 1
            else:
                answers["OK"] += 1

    await asyncio.gather(*(call(which) for which in range(number)))
    await asyncio.sleep(1.0)
    told = ", ".join(f"{times} x {name}" for name, times in answers.most_common())
    scene.check(not answers["OK"], f"{number} calls of {mib(_BYTES)} without a token: {told}")
    peak = scene.watch.peaks["ingest"]
    scene.check(peak - before <= _MORE_BYTES, f"ingest's memory went from {mib(before)} to {mib(peak)}")


def _length(number: int) -> bytes:
    """Return a number as protobuf's varint."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


ATTACK = Attack("a7", "gRPC calls of 16 MiB at ingest without a token", _attack)
