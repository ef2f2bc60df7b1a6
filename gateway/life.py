"""What this process is doing: serving or draining, and how many requests are under way."""

import asyncio

from aiohttp import web


class Life:
    """One per application."""

    def __init__(self) -> None:
        self.serving = True
        # What an operator should look at, by name: the health pages show it, and `clarion doctor` warns of it.
        self.warnings: set[str] = set()
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def begin(self) -> None:
        """A request is under way."""
        self._under_way += 1
        self._idle.clear()

    def end(self) -> None:
        """It is answered."""
        self._under_way -= 1
        if not self._under_way:
            self._idle.set()

    async def idle(self) -> None:
        """Wait until no request is under way."""
        await self._idle.wait()


LIFE = web.AppKey("life", Life)
