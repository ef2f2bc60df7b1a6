"""A listening socket that closes without resetting connections that clients have made.

Closing a listening socket resets the connections that the kernel has accepted and this process has not, although
their clients may have sent a request. So this socket first ignores new handshakes, waits for those under way, accepts
all waiting connections, and then closes.
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

# Python has no constant for it. The value is that of Linux, except on SPARC and PA-RISC.
_SO_ATTACH_FILTER = 26
# A classic BPF program (code, jump if true, jump if false, value). The kernel runs it on each segment from the TCP
# header on. Segments that open a connection (SYN without ACK) are dropped, all others pass.
_NO_NEW_HANDSHAKES = (
    (0x30, 0, 0, 13),  # load the byte of the flags
    (0x54, 0, 0, 0x12),  # keep ACK and SYN
    (0x15, 0, 1, 0x02),  # is it SYN alone?
    (0x06, 0, 0, 0),  # then drop it
    (0x06, 0, 0, 0xFFFFFFFF),  # else pass all of it
)

# How long connections that the event loop accepted have to get their protocol, in seconds.
_HAND_OVER_S = 0.02

log = logs.get(__name__)


class DrainingListener:
    """Listens on host:port and creates a protocol for each connection with the factory."""

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
        """Refuse new connections, and accept and serve those that clients have made. Takes settle_s seconds."""
        if self._server is None:
            return
        # A second descriptor keeps the socket and its waiting connections open.
        kept = [socket.socket(fileno=os.dup(listening.fileno())) for listening in self._server.sockets]
        try:
            for one in kept:
                stop_handshakes(one)
            # Meanwhile the loop accepts, and clients finish their handshakes.
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
        for _ in range(self._backlog + 1):  # no more than can wait, in case new ones still arrive
            try:
                connection, _ = listening.accept()
            except ConnectionAbortedError:  # that client has left
                continue
            except OSError:  # nothing waits
                return
            connection.setblocking(False)
            await loop.connect_accepted_socket(self._factory, connection)


def stop_handshakes(listening: socket.socket) -> bool:
    """Make the kernel ignore new connections. Clients retry, and then find the port closed or another process.

    Return False if the system cannot do this; then a connection made just before the close may be reset.
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
    """Raise the limit of open files to the maximum: a connection needs one, a WebSocket two."""
    _, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # some systems refuse their own maximum
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))
