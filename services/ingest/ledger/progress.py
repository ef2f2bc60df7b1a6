"""Waits until the ledger has read TRACE."""

import asyncio
import random
import time

import nats.errors
import nats.js.errors
from nats.aio.client import Client

from runtime.errors import ClarionError, Code
from services.domain import topology

# How long to wait for the ledger, and the pause between two checks, seconds.
PATIENCE_S = 3.0
_LOOK_S = 0.1

_CONSUMER = "ledger"


class TraceProgress:
    """Asks the broker what the ledger has acknowledged of TRACE. It acknowledges a message after writing it."""

    def __init__(self, connection: Client, *, patience_s: float = PATIENCE_S) -> None:
        self._jetstream = connection.jetstream(timeout=2)
        self._patience_s = patience_s

    async def catch_up(self) -> None:
        """Return when the ledger has written everything that was on TRACE at the time of this call.

        Raises UNAVAILABLE if that takes longer than patience_s, or the broker does not answer.
        """
        until = time.monotonic() + self._patience_s
        try:
            last = (await self._jetstream.stream_info(topology.TRACE)).state.last_seq
            while not await self._has_written(last):
                if time.monotonic() > until:
                    raise ClarionError(Code.UNAVAILABLE, "The ledger has not read everything yet.", retry_after=1)
                await asyncio.sleep(_LOOK_S * random.uniform(0.7, 1.3))  # noqa: S311 - jitter, not a secret
        except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
            raise ClarionError(Code.UNAVAILABLE, "The message broker does not answer.", retry_after=1) from error

    async def _has_written(self, sequence: int) -> bool:
        info = await self._jetstream.consumer_info(topology.TRACE, _CONSUMER)
        if not info.num_pending and not info.num_ack_pending:
            return True
        return info.ack_floor is not None and info.ack_floor.stream_seq >= sequence
