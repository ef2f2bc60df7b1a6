"""Restarts NATS when its store is broken: after a full disk it stores nothing before a restart (docs/nats.md).

deploy/keep-storing.sh does the same in a container.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from stack.http import get_status
from stack.nats import Nats

_LOOK_S = 1.0
# The number of consecutive checks that must find the store broken.
_LOOKS = 3
# The pause between two restarts, in seconds. It doubles until the store stays healthy.
_FIRST_PAUSE_S = 2.0
_LONGEST_PAUSE_S = 300.0
_LASTING_LOOKS = 60
_HEALTHY, _BROKEN = "healthy", "broken"


async def keep_storing(server: Nats, restart: Callable[[], Awaitable[None]], report: Callable[[str], None]) -> None:
    """Check the server's health for ever. Restart it when its store is broken and the disk has room again.

    A server that is still reading its store is left alone, and so is one that does not answer: it may hang for other
    reasons.
    """
    broken, healthy, pause, not_before = 0, 0, _FIRST_PAUSE_S, 0.0
    while True:
        await asyncio.sleep(_LOOK_S)
        state = await _look(server)
        broken = broken + 1 if state == _BROKEN else 0
        healthy = healthy + 1 if state == _HEALTHY else 0
        if healthy == _LASTING_LOOKS:
            pause = _FIRST_PAUSE_S
        if broken == _LOOKS:
            report("NATS does not store messages: its disk is or was full. It is restarted when the disk has room")
        if broken < _LOOKS or time.monotonic() < not_before or not server.has_room():
            continue
        report("NATS still does not store messages although its disk has room: restarting it")
        await restart()
        broken, not_before, pause = 0, time.monotonic() + pause, min(2 * pause, _LONGEST_PAUSE_S)


async def _look(server: Nats) -> str:
    """Return the state of the store, empty if it is unknown."""
    status = await get_status(server.monitor_port, "/healthz")
    if status == 200:
        return _HEALTHY
    # The second page tells whether the server accepts connections, that is, whether it has loaded its store.
    is_up = status == 503 and await get_status(server.monitor_port, "/healthz?js-server-only=true") == 200
    return _BROKEN if is_up else ""
