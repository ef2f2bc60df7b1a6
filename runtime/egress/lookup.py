"""The system's resolver: /etc/hosts and the configured name servers."""

import asyncio
import functools
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

# Returns the addresses of a name as text. Raises OSError where it has none.
Lookup = Callable[[str], Awaitable[Sequence[str]]]

_THREADS = 16


class SystemLookup:
    """Resolves names in threads, each name once at a time, so that a name server that hangs delays only its names."""

    def __init__(self) -> None:
        self._under_way: dict[str, asyncio.Future[list[str]]] = {}

    async def __call__(self, name: str) -> list[str]:
        """See Lookup."""
        found = self._under_way.get(name)
        if found is None:
            found = asyncio.get_running_loop().run_in_executor(_threads(), _addresses, name)
            self._under_way[name] = found
            found.add_done_callback(functools.partial(self._forget, name))
        return await asyncio.shield(found)

    def _forget(self, name: str, found: "asyncio.Future[list[str]]") -> None:
        del self._under_way[name]
        if not found.cancelled():
            found.exception()  # mark it as seen: the caller may have been cancelled


@functools.cache
def _threads() -> ThreadPoolExecutor:
    """Return separate threads: other work in threads must not wait for name servers."""
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="lookup")


def _addresses(name: str) -> list[str]:
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return [str(address[0]) for _, _, _, _, address in found]
