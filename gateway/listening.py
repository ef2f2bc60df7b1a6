"""A listening socket that closes without resetting a connection that stands.

Closing a listening socket resets what the kernel has accepted and this process has not: clients that are connected,
and have perhaps sent a request. So the socket first stops taking new handshakes, then the handshakes under way end,
then what waits is accepted, and only then it is closed.
"""

import asyncio
import contextlib
import ctypes
import os
import resource
import socket
import struct
import sys
from collections.abc import Callable

from runtime import logs

# Not among Python's constants; of Linux on all processors that it runs on today but SPARC and PA-RISC.
_SO_ATTACH_FILTER = 26
# A classic BPF program (code, jump if true, jump if false, value), which the kernel runs on a segment from its TCP
# header on: what opens a connection (SYN without ACK) is dropped, as if it was lost on its way, all else passes.
_NO_NEW_HANDSHAKES = (
    (0x30, 0, 0, 13),  # load the byte of the flags
    (0x54, 0, 0, 0x12),  # keep ACK and SYN
    (0x15, 0, 1, 0x02),  # is it SYN alone?
    (0x06, 0, 0, 0),  # then drop it
    (0x06, 0, 0, 0xFFFFFFFF),  # else pass all of it
)

# How long what the loop itself has accepted has to become a protocol, seconds.
_HAND_OVER_S = 0.02

log = logs.get(__name__)


class DrainingListener:
    """Listens on host:port and makes each connection a protocol of the factory's."""

    def __init__(self, factory: Callable[[], asyncio.Protocol]) -> None:
        self._factory = factory
        self._server: asyncio.Server | None = None
        self._backlog = 0

    async def start(self, host: str, port: int, *, backlog: int) -> None:
        """Listen. OSError: the address is taken."""
        loop = asyncio.get_running_loop()
        self._backlog = backlog
        self._server = await loop.create_server(self._factory, host, port, backlog=backlog)

    @property
    def port(self) -> int:
        """The port listened on; after start()."""
        if self._server is None:
            raise RuntimeError("not started")
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self, settle_s: float) -> None:
        """Take no new connection; every one that stands is accepted and served. Lasts settle_s seconds."""
        if self._server is None:
            return
        # A socket that is closed by one of its descriptors lives on by the other, with what waits in it.
        kept = [socket.socket(fileno=os.dup(listening.fileno())) for listening in self._server.sockets]
        try:
            for one in kept:
                stop_handshakes(one)
            # The loop accepts meanwhile; clients that have the kernel's SYN-ACK send their last ACK.
            await asyncio.sleep(settle_s)
            self._server.close()
            for one in kept:
                await self._accept_waiting(one)
            await asyncio.sleep(_HAND_OVER_S)
        finally:
            for one in kept:
                one.close()

    async def _accept_waiting(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        listening.setblocking(False)
        for _ in range(self._backlog + 1):  # as many as can wait: where new ones come all the same, there is an end
            try:
                connection, _ = listening.accept()
            except ConnectionAbortedError:  # that client has left
                continue
            except OSError:  # nothing waits
                return
            connection.setblocking(False)
            await loop.connect_accepted_socket(self._factory, connection)


def stop_handshakes(listening: socket.socket) -> bool:
    """Have the kernel ignore new connections; clients repeat, and find the port closed or another process there.

    False: this system cannot, so a connection made in the last moment before the close may be reset.
    """
    if sys.platform != "linux":
        return False
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in _NO_NEW_HANDSHAKES))
    try:
        listening.setsockopt(
            socket.SOL_SOCKET,
            _SO_ATTACH_FILTER,
            struct.pack("HL", len(_NO_NEW_HANDSHAKES), ctypes.addressof(program)),
        )
    except OSError as error:
        log.info("handshakes_not_stopped", error=repr(error))
        return False
    return True


def allow_open_files() -> None:
    """Raise this process' bound of open files to what it is allowed: each connection is one, a WebSocket two."""
    _, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # some systems allow less than they say
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))
