"""A name server on loopback that answers as told, another answer each time if need be, and a way to ask it."""

import asyncio
import ipaddress
import struct
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import cast

import idna

_A, _CNAME, _AAAA = 1, 5, 28
_NO_SUCH_NAME = 3

# What a name has at one time: addresses, and names that it stands for. Of several times, the next one each time.
Answers = Mapping[str, Sequence[Sequence[str]]]


class NameServer(asyncio.DatagramProtocol):
    """RFC 1035, as much of it as a resolver needs. queries: how often each name's IPv4 addresses were asked for."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self.queries: Counter[str] = Counter()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one question."""
        name, end = _read_name(data, 12)
        kind, _ = struct.unpack("!HH", data[end : end + 4])
        times = self._answers.get(name)
        records = self._records(name, kind, times[min(self.queries[name], len(times) - 1)]) if times else []
        if kind == _AAAA:  # asked for last: see lookup
            self.queries[name] += 1
        head = struct.pack("!2sHHHHH", data[:2], 0x8180 | (0 if times else _NO_SUCH_NAME), 1, len(records), 0, 0)
        self._transport.sendto(head + data[12 : end + 4] + b"".join(records), addr)

    def _records(self, name: str, kind: int, values: Sequence[str]) -> list[bytes]:
        records = []
        for value in values:
            try:
                address = ipaddress.ip_address(value)
            except ValueError:
                records.append(_record(name, _CNAME, _name(value)))
                records += self._records(value, kind, self._answers[value][0])
                continue
            if kind == (_A if address.version == 4 else _AAAA):
                records.append(_record(name, kind, address.packed))
        return records


@asynccontextmanager
async def serving(answers: Answers) -> AsyncIterator["Names"]:
    """Run a name server for a block."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(
        lambda: NameServer({_ascii(name): times for name, times in answers.items()}), local_addr=("127.0.0.1", 0)
    )
    try:
        yield Names(server, transport.get_extra_info("sockname"))
    finally:
        transport.close()


class Names:
    """A way to ask the name server: a runtime.egress.lookup.Lookup."""

    def __init__(self, server: NameServer, place: tuple[str, int]) -> None:
        self.queries = server.queries
        self._place = place

    async def __call__(self, name: str) -> list[str]:
        """Ask for both kinds of addresses over UDP. Raises OSError where there is no such name."""
        name = name.lower().removesuffix(".")
        return [*await self._ask(name, _A), *await self._ask(name, _AAAA)]

    async def _ask(self, name: str, kind: int) -> list[str]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes] = loop.create_future()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Asker(answer), local_addr=("127.0.0.1", 0))
        try:
            query = struct.pack("!HHHHHH", 1, 0x0100, 1, 0, 0, 0) + _name(name) + struct.pack("!HH", kind, 1)
            transport.sendto(query, self._place)
            async with asyncio.timeout(30):
                return _addresses(await answer)
        finally:
            transport.close()


class _Asker(asyncio.DatagramProtocol):
    def __init__(self, answer: "asyncio.Future[bytes]") -> None:
        self._answer = answer

    def datagram_received(self, data: bytes, _: tuple[str, int]) -> None:
        if not self._answer.done():
            self._answer.set_result(data)


def _addresses(data: bytes) -> list[str]:
    _, flags, _, records, _, _ = struct.unpack("!HHHHHH", data[:12])
    if flags & 0xF:
        raise OSError("no such name")
    _, at = _read_name(data, 12)
    at += 4
    found = []
    for _ in range(records):
        _, at = _read_name(data, at)
        kind, _, _, length = struct.unpack("!HHIH", data[at : at + 10])
        at += 10
        if kind in {_A, _AAAA}:
            found.append(str(ipaddress.ip_address(data[at : at + length])))
        at += length
    return found


def _ascii(name: str) -> str:
    return name.lower() if name.isascii() else idna.encode(name, uts46=True).decode()


def _record(name: str, kind: int, value: bytes) -> bytes:
    return _name(name) + struct.pack("!HHIH", kind, 1, 0, len(value)) + value


def _name(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def _read_name(data: bytes, at: int) -> tuple[str, int]:
    labels = []
    while length := data[at]:
        labels.append(data[at + 1 : at + 1 + length].decode().lower())
        at += 1 + length
    return ".".join(labels), at + 1
