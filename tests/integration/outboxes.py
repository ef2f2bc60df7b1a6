"""An owner's outbox where nobody calls run(), as in tests of a store without its service."""

import asyncio
import time

from runtime import configuration

_PATIENCE_S = 30.0
_PAUSE_S = 0.1


class PatientOutbox(configuration.ConfigurationOutbox):
    """Sends again what a slow machine had no time for, where run() would."""

    async def flush(self, deadline: float | None = None) -> bool:
        """Send what is waiting; without a deadline of the caller's, try for half a minute."""
        if deadline is not None:
            return await super().flush(deadline)
        end = time.monotonic() + _PATIENCE_S
        while not await super().flush():
            if time.monotonic() > end:
                return False
            await asyncio.sleep(_PAUSE_S)
        return True

    async def publish(self, key: str, deadline: float | None = None) -> int:
        """Publish what is waiting and return the key's revision; without a deadline, try for half a minute."""
        if deadline is not None or await self.flush():
            return await super().publish(key, deadline or _PATIENCE_S)
        return 0
