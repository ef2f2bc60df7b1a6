"""SIGTERM under load: no connection that stands is reset, neither one in the kernel's queue nor one kept alive."""

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.listening import stop_handshakes
from tests.conftest import REPORT
from tests.integration.gateway.alone import Alone, alone
from tests.waiting import eventually

ROUNDS = 4
CLIENTS = 100
REQUEST = b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
REFUSED, ANSWERED, RESET = "refused", "answered", "reset"


class Crowd:
    """Clients that make connections one after the other, until there is nothing to connect to."""

    def __init__(self, gateway: Alone) -> None:
        self.outcomes: Counter[str] = Counter()
        self._port = gateway.port
        self._clients = [asyncio.create_task(self._call_until_refused()) for _ in range(CLIENTS)]

    async def done(self) -> None:
        """Wait until all have found the port closed."""
        await asyncio.gather(*self._clients)

    async def _call_until_refused(self) -> None:
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except ConnectionError:
                self.outcomes[REFUSED] += 1
                return
            self.outcomes[await _exchange(reader, writer)] += 1
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    try:
        writer.write(REQUEST)
        head = await reader.readuntil(b"\r\n\r\n")
    except (ConnectionError, asyncio.IncompleteReadError):
        return RESET
    assert head.startswith(b"HTTP/1.1 404 ")
    return ANSWERED


@pytest.mark.parametrize("number", range(ROUNDS))
async def test_no_connection_that_stands_is_reset(
    tmp_path: Path, number: int, record_property: Callable[[str, object], None]
) -> None:
    """A hundred clients connect as fast as they can while the only gateway stops: all are answered, then refused."""
    async with alone(tmp_path) as gateway:
        crowd = Crowd(gateway)
        await eventually(lambda: crowd.outcomes[ANSWERED] > 500)
        gateway.terminate()
        await crowd.done()
        assert await asyncio.to_thread(gateway.process.wait, 30) == 0
    record_property(REPORT, f"SIGTERM under load, round {number + 1}: {dict(crowd.outcomes)}")
    assert crowd.outcomes[RESET] == 0
    assert crowd.outcomes[REFUSED] == CLIENTS


async def test_a_connection_kept_alive_is_answered_once_more(tmp_path: Path) -> None:
    """After the port is closed, an idle connection and one that has sent nothing yet are served, and then closed."""
    async with alone(tmp_path) as gateway:
        used, fresh = [await asyncio.open_connection("127.0.0.1", gateway.port) for _ in range(2)]
        assert await _exchange(*used) == ANSWERED
        await used[0].readuntil(b"}")
        gateway.terminate()

        async def is_shut() -> bool:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            except ConnectionRefusedError:
                return True
            writer.close()
            return False

        await eventually(is_shut)
        for reader, writer in (used, fresh):
            writer.write(REQUEST)
            answer = await reader.read()
            assert answer.startswith(b"HTTP/1.1 404 ")
            assert b"Connection: close\r\n" in answer
            writer.close()
        assert await asyncio.to_thread(gateway.process.wait, 30) == 0


def test_handshakes_stop_and_what_stands_stays() -> None:
    """A client that is connected can be accepted afterwards; a new one gets no answer until the port is closed."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()
        with socket.create_connection(address, 5) as standing:
            assert stop_handshakes(listening)
            with pytest.raises(TimeoutError):
                socket.create_connection(address, 0.3)
            standing.sendall(b"hello")
            accepted, _ = listening.accept()
            with accepted:
                assert accepted.recv(5) == b"hello"
