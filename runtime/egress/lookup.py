"""The system's resolver: /etc/hosts and the configured name servers."""

import asyncio
import functools
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

# Returns the addresses of a name as text. Raises OSError where it has none.
Lookup = Callable[[str], Awaitable[Sequence[str]]]

_THREADS = 64
# Of one owner, see LookupShares.
_SHARE = 8


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


@dataclass(slots=True)
class _Owner:
    under_way: int = 0
    waiting: "deque[asyncio.Future[None]]" = field(default_factory=deque)


class LookupShares:
    """Lets each owner of names, such as a tenant, have only some looked up at a time.

    So an owner of many names whose name servers hang does not take all the threads. A lookup counts until it has ended,
    even if its caller has given up.
    """

    def __init__(self, lookup: Lookup, *, share: int = _SHARE) -> None:
        self._lookup = lookup
        self._share = share
        self._owners: dict[str, _Owner] = {}

    def of(self, owner: str) -> Lookup:
        """Return the lookup of an owner's names. It waits for its turn; the caller sets the deadline."""
        return functools.partial(self._look_up, owner)

    async def _look_up(self, name: str, host: str) -> Sequence[str]:
        owner = self._owners.get(name)
        if owner is None:
            owner = self._owners[name] = _Owner()
        if owner.under_way >= self._share:
            await self._turn(name, owner)
        else:
            owner.under_way += 1
        found = asyncio.ensure_future(self._lookup(host))
        found.add_done_callback(functools.partial(self._end, name))
        return await asyncio.shield(found)

    async def _turn(self, name: str, owner: _Owner) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        owner.waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._pass_on(name)
            raise

    def _end(self, name: str, found: "asyncio.Future[Sequence[str]]") -> None:
        if not found.cancelled():
            found.exception()  # mark it as seen: the caller may have been cancelled
        self._pass_on(name)

    def _pass_on(self, name: str) -> None:
        """Give the place of a lookup that has ended to the next one."""
        owner = self._owners[name]
        while owner.waiting:
            turn = owner.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        owner.under_way -= 1
        if not owner.under_way:
            del self._owners[name]


@functools.cache
def _threads() -> ThreadPoolExecutor:
    """Return separate threads: other work in threads must not wait for name servers."""
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="lookup")


def _addresses(name: str) -> list[str]:
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return [str(address[0]) for _, _, _, _, address in found]
