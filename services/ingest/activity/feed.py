"""The messages about changed events, on core NATS."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from runtime import logs
from runtime.errors import ClarionError, Code
from services.ingest.activity import changes
from services.ingest.ledger.rows import LedgerRows

# How long the broker may take to confirm a subscription, seconds.
_FLUSH_S = 2.0

log = logs.get(__name__)


class NatsChangeFeed:
    """Publishes and follows changes over one connection."""

    def __init__(self, connection: Client) -> None:
        self._connection = connection

    @property
    def interruptions(self) -> int:
        """How often the connection was lost and made again: what was published meanwhile is lost."""
        return int(self._connection.stats["reconnects"])

    async def publish(self, rows: LedgerRows) -> None:
        """Tell which events these rows change. While the broker is away nothing is told: watchers learn of that."""
        if not self._connection.is_connected:
            return
        try:
            await self._connection.publish(changes.SUBJECT, changes.encode(changes.changed_events(rows)))
        except nats.errors.Error as error:
            log.debug("change_not_published", error=repr(error))

    @asynccontextmanager
    async def follow(self, note: Callable[[bytes], None]) -> AsyncIterator[None]:
        """See ports.ChangeFeed. Raises UNAVAILABLE while the broker is away."""

        async def received(message: Msg) -> None:
            note(message.data)

        try:
            subscription = await self._connection.subscribe(changes.SUBJECT, cb=received)
        except nats.errors.Error as error:
            raise _away() from error
        try:
            try:
                await self._connection.flush(timeout=int(_FLUSH_S))
            except (nats.errors.Error, TimeoutError) as error:
                raise _away() from error
            yield
        finally:
            try:
                await subscription.unsubscribe()
            except nats.errors.Error as error:
                log.debug("change_feed_left", error=repr(error))


def _away() -> ClarionError:
    return ClarionError(Code.UNAVAILABLE, "The broker does not answer.", retry_after=1)
