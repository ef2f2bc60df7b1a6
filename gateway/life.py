"""The state of this process: serving or draining, and the number of requests under way."""

import asyncio

from aiohttp import web


class Life:
    """The state of one application."""

    def __init__(self) -> None:
        self.serving = True
        # Names of warnings for the operator. The health pages and `clarion doctor` show them.
        self.warnings: set[str] = set()
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def begin(self) -> None:
        """Count a request that begins."""
        self._under_way += 1
        self._idle.clear()

    def end(self) -> None:
        """Count a request that was answered."""
        self._under_way -= 1
        if not self._under_way:
            self._idle.set()

    async def idle(self) -> None:
        """Wait until no request is under way."""
        await self._idle.wait()


LIFE = web.AppKey("life", Life)
