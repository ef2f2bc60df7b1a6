"""The configuration bucket's watched copy, in memory."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec


class MemoryWatch:
    """Stands for runtime.configuration.ConfigurationWatch. on_change: called as the watch calls it."""

    def __init__(self, on_change: Callable[[str, bytes | None], None] | None = None) -> None:
        self._values: dict[str, bytes] = {}
        self._on_change = on_change
        # How many values were brought.
        self.revision = 0
        self._raised = asyncio.Event()

    def get(self, key: str) -> bytes | None:
        """Return the key's value as last seen."""
        return self._values.get(key)

    def keys(self, prefix: str) -> list[str]:
        """Return the known keys that start with prefix."""
        return [key for key in self._values if key.startswith(prefix)]

    async def reached(self, revision: int, deadline_s: float) -> bool:
        """Return whether so many values were brought, after waiting for them."""
        try:
            async with asyncio.timeout(deadline_s):
                while self.revision < revision:
                    await self._raised.wait()
        except TimeoutError:
            return False
        return True

    def follow(self, on_change: Callable[[str, bytes | None], None]) -> None:
        """Call on_change from now on: for a follower that is made with this watch's get()."""
        self._on_change = on_change

    def put(self, key: str, value: Any) -> None:
        """Bring a value: bytes as they are, None to delete it, anything else as JSON."""
        self.revision += 1
        self._raised.set()
        self._raised = asyncio.Event()
        if value is None:
            self._values.pop(key, None)
        else:
            self._values[key] = value if isinstance(value, bytes) else msgspec.json.encode(value)
        if self._on_change is not None:
            self._on_change(key, self.get(key))
