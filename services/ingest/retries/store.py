"""Sends again deliveries that have ended, under their ids: a dead letter, or deliveries to endpoints."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import asyncpg

from clarion.common.v1 import event_pb2, trace_pb2
from runtime import logs, postgres
from runtime.errors import ClarionError, Code
from services.ingest.ledger.counting import counting
from services.ingest.retries.delivery import MAX_READ, obstacle, repeated

Publish: TypeAlias = Callable[[Sequence[event_pb2.Delivery]], Awaitable[None]]

_BODY_DELETED = "Retention has deleted the event's content; trigger the event again."

_QUERIES = postgres.Queries(Path(__file__).with_name("queries.sql"))
_REQUEUE = counting(_QUERIES.requeue)

log = logs.get(__name__)


class Reopened(NamedTuple):
    """Events of a tenant that were finished and are not any more, and their bytes: its quota must count them again."""

    tenant_id: str
    events: int
    size: int


class Requeued(NamedTuple):
    """deliveries: to be published. refused: why others cannot be sent again, by their ids."""

    deliveries: list[event_pb2.Delivery]
    refused: dict[str, str]
    reopened: Reopened | None


class RetryStore:
    """durable: a pool with durable commits. fast: one without, for the quota's count.

    Each call publishes last in its transaction: if that fails, nothing is changed; if the commit fails, a second call
    has the same message ids.
    """

    def __init__(self, durable: "asyncpg.Pool[asyncpg.Record]", fast: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._durable = durable
        self._fast = fast

    async def replay(self, delivery_id: str, publish: Publish) -> bool:
        """Publish the dead letter again, and mark it; False: there is none.

        Raises CONFLICT if retention has deleted the event's content.
        """
        async with self._durable.acquire() as connection, connection.transaction():
            await connection.execute(_QUERIES.lock_event_of_dead_letter, delivery_id)
            raw = await connection.fetchval(_QUERIES.dead_letter_for_update, delivery_id)
            if raw is None:
                return False
            delivery = event_pb2.Delivery.FromString(raw)
            await _check_body(connection, delivery)
            _begin_again(delivery)
            reopened = await _requeue(connection, [delivery])
            await publish([delivery])
        await self.count_again(reopened)
        return True

    async def retry(self, tenant_id: str, delivery_id: str, publish: Publish) -> None:
        """Publish a delivery to an endpoint again.

        Raises NOT_FOUND: the tenant has no such delivery; CONFLICT: it cannot be sent again, or another call has just
        done so.
        """
        async with self._durable.acquire() as connection, connection.transaction():
            found = await requeue(connection, tenant_id, [delivery_id])
            if found.refused:
                raise ClarionError(Code.CONFLICT, found.refused[delivery_id])
            if not found.deliveries:
                raise ClarionError(
                    Code.NOT_FOUND, "The tenant has no such delivery, or the ledger has not read it yet."
                )
            await publish(found.deliveries)
        await self.count_again(found.reopened)

    async def count_again(self, reopened: Reopened | None) -> None:
        """Count reopened events as unfinished; call it after the commit. If it fails, the janitor does it."""
        # Not in the transaction, because every admission needs the row that it locks.
        if reopened is None:
            return
        try:
            await self._fast.execute(_QUERIES.count_again, *reopened)
        except (*postgres.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
            log.warning("replay_not_counted", tenant_id=reopened.tenant_id, error=repr(error))


async def requeue(connection: Any, tenant_id: str, delivery_ids: Sequence[str]) -> Requeued:
    """Note in a transaction that these deliveries to endpoints are sent again; those of other tenants are not."""
    await connection.execute(_QUERIES.lock_events, tenant_id, list(delivery_ids))
    rows = await connection.fetch(_QUERIES.deliveries_for_update, tenant_id, list(delivery_ids), MAX_READ)
    refused = {str(row["id"]): why for row in rows if (why := obstacle(row))}
    deliveries = [repeated(row) for row in rows if str(row["id"]) not in refused]
    return Requeued(deliveries, refused, await _requeue(connection, deliveries) if deliveries else None)


async def requeue_letters(connection: Any, delivery_ids: Sequence[str]) -> Requeued:
    """Note in a transaction that these dead letters, which are of one tenant, are sent again."""
    await connection.execute(_QUERIES.lock_events_of_dead_letters, list(delivery_ids))
    rows = await connection.fetch(_QUERIES.dead_letters_for_update, list(delivery_ids))
    refused: dict[str, str] = {}
    deliveries = []
    for row in rows:
        delivery = event_pb2.Delivery.FromString(row["delivery"])
        if _needs_body(delivery) and not row["has_payload"]:
            refused[delivery.id] = _BODY_DELETED
            continue
        _begin_again(delivery)
        deliveries.append(delivery)
    return Requeued(deliveries, refused, await _requeue(connection, deliveries) if deliveries else None)


def _begin_again(delivery: event_pb2.Delivery) -> None:
    """Make a dead letter's delivery the first attempt of its next replay."""
    delivery.replay += 1
    delivery.attempt = 1
    delivery.deferrals = 0


async def _requeue(connection: Any, deliveries: Sequence[event_pb2.Delivery]) -> Reopened | None:
    """Mark the dead letters as replayed and the deliveries, which are of one tenant, as queued."""
    ids = [delivery.id for delivery in deliveries]
    await connection.execute(_QUERIES.mark_replayed, ids)
    replays = [delivery.replay for delivery in deliveries]
    row = await connection.fetchrow(_REQUEUE, ids, replays, trace_pb2.DELIVERY_STATUS_QUEUED)
    return Reopened(str(row["tenant_id"]), row["events"], row["bytes"]) if row is not None else None


async def _check_body(connection: Any, delivery: event_pb2.Delivery) -> None:
    """Raise CONFLICT if what the delivery sends is deleted.

    What endpoints answer is deleted with the event's content, so one without it gets no more answers.
    """
    if not _needs_body(delivery):
        return
    if not await connection.fetchval(_QUERIES.has_payload, delivery.tenant_id, delivery.event_id):
        raise ClarionError(Code.CONFLICT, _BODY_DELETED)


def _needs_body(delivery: event_pb2.Delivery) -> bool:
    return delivery.HasField("body_reference") or delivery.HasField("webhook")
