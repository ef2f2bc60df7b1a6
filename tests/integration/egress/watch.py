"""Whether anything is connected to: listeners on all addresses of this machine, and each connect() of the process."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast


@dataclass
class Watch:
    """port: where the listeners are. accepted: whom they saw. tried: where connect() went over TCP."""

    port: int
    accepted: list[Any] = field(default_factory=list)
    tried: list[Any] = field(default_factory=list)

    def untouched(self) -> bool:
        """Tell whether nothing at all was tried."""
        return not self.accepted and not self.tried


_watches: list[Watch] = []


def _on_audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and _watches and arguments[0].type == socket.SOCK_STREAM:
        _watches[-1].tried.append(arguments[1])


sys.addaudithook(_on_audit)


class _Listener(asyncio.Protocol):
    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._watch.accepted.append(transport.get_extra_info("peername"))
        cast(asyncio.Transport, transport).write(b"220 internal-secret ESMTP\r\n")
        transport.close()


@asynccontextmanager
async def watching() -> AsyncIterator[Watch]:
    """Listen on a port of every address of this machine, of both families where it has both."""
    loop = asyncio.get_running_loop()
    first = socket.create_server(("0.0.0.0", 0))
    watch = Watch(first.getsockname()[1])
    servers = [await loop.create_server(lambda: _Listener(watch), sock=first)]
    if socket.has_ipv6:
        try:
            second = socket.create_server(("::", watch.port), family=socket.AF_INET6)
        except OSError:  # a machine without IPv6
            pass
        else:
            servers.append(await loop.create_server(lambda: _Listener(watch), sock=second))
    _watches.append(watch)
    try:
        yield watch
    finally:
        _watches.remove(watch)
        for server in servers:
            server.close()
