"""Claims on real PostgreSQL and NATS: one winner whoever asks when, kept over a restart, deleted after days."""

import asyncio
from typing import TypeAlias

import asyncpg
import pytest
from nats.aio.client import Client

from clarion.common.v1 import trace_pb2
from clarion.ingest.v1 import claims_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import derived_id, new_id
from services.ingest.claims.servicer import ClaimServicer
from services.ingest.claims.store import KEEP_DAYS, Claim, ClaimStore
from services.ingest.ledger.consumer import LedgerConsumer
from services.ingest.ledger.store import LedgerStore
from tests.integration.ingest import builders
from tests.integration.ingest.builders import SENT
from tests.integration.ingest.conftest import Ingest
from tests.statement_timeouts import refuse_short_timeouts
from tests.streams import Streams
from tests.waiting import eventually

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


def _claim(delivery_id: str, token: str, replay: int = 0) -> claims_pb2.DeliveryClaim:
    return claims_pb2.DeliveryClaim(delivery_id=delivery_id, replay=replay, token=token)


async def test_two_ask_for_the_same_in_other_orders(pool: Pool, postgres_url: str) -> None:
    """Each delivery has one winner, and neither waits for the other one, which waits for it."""
    *ends, last = sorted(derived_id(new_id()) for _ in range(3))
    store = ClaimStore(pool)

    async def ask(token: str, ids: list[str]) -> list[str]:
        answers = await store.claim([Claim(id_, 0, token) for id_ in ids])
        return [id_ for id_, answer in zip(ids, answers, strict=True) if not answer.is_held_by_another]

    async def both_wait() -> bool:
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"
        return bool(await pool.fetchval(waiting) == 2)

    blocker = await asyncpg.connect(postgres_url)
    transaction = blocker.transaction()
    await transaction.start()
    await blocker.execute("INSERT INTO ingest.claims (delivery_id, replay, token) VALUES ($1, 0, 'x')", last)
    asking = [
        asyncio.create_task(ask("DELIVERIES.1", [ends[0], last, ends[1]])),
        asyncio.create_task(ask("DELIVERIES.2", [ends[1], last, ends[0]])),
    ]
    await eventually(both_wait)
    await transaction.rollback()
    assert sorted(id_ for won in await asyncio.gather(*asking) for id_ in won) == [*ends, last]
    await blocker.close()


async def test_nothing_is_claimed_until_trace_is_read(pool: Pool, streams: Streams, connection: Client) -> None:
    """A ledger that lags lets no copy go: it answers after it has caught up."""
    event = builders.event(new_id())
    id_ = builders.delivery_id(event)
    servicer = ClaimServicer(ClaimStore(pool), connection)
    request = claims_pb2.ClaimDeliveriesRequest(claims=[_claim(id_, "DELIVERIES.1")])
    await streams.publish(builders.trace(builders.attempted(event, id_, SENT)))
    with pytest.raises(ClarionError) as refused:
        await servicer.ClaimDeliveries(request, None)
    assert refused.value.code is Code.UNAVAILABLE
    assert await pool.fetchval("SELECT count(*) FROM ingest.claims") == 0
    consumer = LedgerConsumer(connection, LedgerStore(pool, pool))
    reading = asyncio.create_task(consumer.run())
    [state] = (await servicer.ClaimDeliveries(request, None)).states
    assert state == claims_pb2.ClaimState(status=SENT)
    await consumer.drain()
    await reading


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param([_claim(new_id(), "")] * 501, id="too many"),
        pytest.param([_claim("nonsense", "")], id="no id"),
        pytest.param([_claim(new_id(), "x" * 65)], id="long token"),
        pytest.param([_claim(new_id(), "", -1)], id="replay"),
        pytest.param([_claim(new_id(), "", 2**15)], id="large replay"),
    ],
)
async def test_what_is_refused(pool: Pool, connection: Client, claims: list[claims_pb2.DeliveryClaim]) -> None:
    """Before anything is written."""
    servicer = ClaimServicer(ClaimStore(pool), connection)
    with pytest.raises(ClarionError) as refused:
        await servicer.ClaimDeliveries(claims_pb2.ClaimDeliveriesRequest(claims=claims), None)
    assert refused.value.code is Code.INVALID


async def test_old_claims_are_deleted(pool: Pool) -> None:
    """In batches with time of their own; younger ones stay."""
    store = ClaimStore(pool)
    old, young = derived_id(new_id()), derived_id(new_id())
    await store.claim([Claim(old, 0, "DELIVERIES.1"), Claim(old, 1, "DELIVERIES.2"), Claim(young, 0, "DELIVERIES.3")])
    aged = f"UPDATE ingest.claims SET claimed_at = now() - interval '{KEEP_DAYS} days 1 minute' WHERE delivery_id = $1"
    await pool.execute(aged, old)
    await refuse_short_timeouts(pool, "ingest.claims")
    assert await store.sweep()
    assert not await store.sweep()
    assert [str(row["delivery_id"]) for row in await pool.fetch("SELECT delivery_id FROM ingest.claims")] == [young]


async def test_a_claim_outlives_a_restart(ingest: Ingest) -> None:
    """Of ingest, whose process serves it."""
    id_ = derived_id(new_id())

    async def is_held_by_another(token: str) -> bool:
        request = claims_pb2.ClaimDeliveriesRequest(claims=[_claim(id_, token)])
        answer: claims_pb2.ClaimDeliveriesResponse = await ingest.call("ClaimService.ClaimDeliveries", request)
        [state] = answer.states
        assert state.status == trace_pb2.DELIVERY_STATUS_UNSPECIFIED
        return state.is_held_by_another

    assert not await is_held_by_another("DELIVERIES.1")
    ingest.service.stop()
    await ingest.service.start()
    assert await is_held_by_another("DELIVERIES.2")
    assert not await is_held_by_another("DELIVERIES.1")
