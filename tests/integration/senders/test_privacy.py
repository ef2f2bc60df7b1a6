"""What the senders hold of a recipient's events: shown whole, erased for good, let go when its days are over."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import asyncpg
import pytest
from nats.aio.client import Client

from clarion.senders.v1 import privacy_pb2, senders_pb2
from runtime import clock, nats, postgres
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from runtime.parts import OwnParts
from services.domain.trace import TraceWriter
from services.senders.contents.store import ContentStore
from services.senders.outbox import KeptEmail, SandboxOutbox
from services.senders.privacy import Scope, SendersPrivacyStore
from services.senders.servicer_privacy import SendersPrivacyServicer
from services.senders.webhooks.parking.erase import ParkedEraser
from services.senders.webhooks.parking.rows import ParkedRows
from tests.integration.outboxes import PatientOutbox
from tests.statement_timeouts import refuse_short_timeouts

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

# The servicer does not use it.
_CONTEXT: Any = None


@pytest.fixture
async def pool(postgres_url: str) -> AsyncIterator[Pool]:
    """Connections as the service has them."""
    made = await postgres.connect(postgres_url, name="test", size=4)
    yield made
    await made.close()


@pytest.fixture
def eraser(pool: Pool, connection: Client) -> ParkedEraser:
    """Ends what waits for endpoints; nothing does here (see parking/test_modes.py)."""
    rows = ParkedRows(pool, PatientOutbox(pool, "senders", connection), OwnParts(), bound=lambda _: 1)
    return ParkedEraser(rows, TraceWriter(nats.StreamPublisher(connection)), now=clock.now_us)


async def _keep(
    pool: Pool, tenant_id: str, event_id: str, text: str = "Thank you", html: str = "<p>", delivery_id: str = ""
) -> None:
    ids = (tenant_id, event_id, delivery_id or new_id())
    await SandboxOutbox(pool).keep_email(
        KeptEmail("sandbox", *ids, "", "ada@example.org", "us", "", "Paid", text, html)
    )


async def _note(pool: Pool, tenant_id: str, event_id: str, delivery_id: str = "") -> None:
    await pool.execute(
        "INSERT INTO senders.sent VALUES ('p', $1, $2, $3, $4, 1, 1, 0, 'ada@example.org', now())",
        new_id(),
        tenant_id,
        event_id,
        delivery_id or new_id(),
    )


async def test_erased_by_event_and_by_tenant(pool: Pool) -> None:
    """Sandbox and sent messages of the events; others stay. A second time nothing is left."""
    store, mine, other = SendersPrivacyStore(pool), new_id(), new_id()
    for tenant_id, event_id in (("t1", mine), ("t1", mine), ("t1", other), ("t2", mine)):
        await _keep(pool, tenant_id, event_id)
        await _note(pool, tenant_id, event_id)
    assert await store.erase(Scope("t1", [mine, new_id()])) == (2, 2, 0)
    assert await store.erase(Scope("t1", [mine])) == (0, 0, 0)
    for table in ("outbox", "sent"):
        left = await pool.fetch(f"SELECT tenant_id, event_id FROM senders.{table} ORDER BY tenant_id")
        assert [(row["tenant_id"], str(row["event_id"])) for row in left] == [("t1", other), ("t2", mine)]


async def test_of_an_event_with_many_recipients_one_alone(pool: Pool, eraser: ParkedEraser) -> None:
    """Only the named deliveries are shown and erased; those of other events are not, though they are named."""
    servicer, event_id, other = (
        SendersPrivacyServicer(SendersPrivacyStore(pool), eraser, ContentStore(pool, pool)),
        new_id(),
        new_id(),
    )
    adas, bobs, foreign = [new_id(), new_id()], new_id(), new_id()
    for event, delivery in ((event_id, adas[0]), (event_id, adas[1]), (event_id, bobs), (other, foreign)):
        await _keep(pool, "t1", event, delivery_id=delivery)
        await _note(pool, "t1", event, delivery)
    named: dict[str, Any] = {"tenant_id": "t1", "event_ids": [event_id], "delivery_ids": [*adas, foreign]}
    shown = await servicer.ExportMessages(privacy_pb2.ExportMessagesRequest(**named), _CONTEXT)
    assert ([one.delivery_id for one in shown.messages], shown.next_after) == (adas, "")
    erased = await servicer.EraseMessages(privacy_pb2.EraseMessagesRequest(**named), _CONTEXT)
    assert (erased.messages, erased.provider_records) == (2, 2)
    for table in ("outbox", "sent"):
        left = await pool.fetch(f"SELECT delivery_id FROM senders.{table}")
        assert {str(row["delivery_id"]) for row in left} == {bobs, foreign}


@pytest.mark.parametrize("delivery_ids", [["nonsense"], [new_id()] * 1_001])
async def test_wrong_delivery_ids_erase_nothing(pool: Pool, eraser: ParkedEraser, delivery_ids: list[str]) -> None:
    """Neither all of the event nor a part of it."""
    servicer, event_id = SendersPrivacyServicer(SendersPrivacyStore(pool), eraser, ContentStore(pool, pool)), new_id()
    await _keep(pool, "t1", event_id)
    request = privacy_pb2.EraseMessagesRequest(tenant_id="t1", event_ids=[event_id], delivery_ids=delivery_ids)
    with pytest.raises(ClarionError) as refusal:
        await servicer.EraseMessages(request, _CONTEXT)
    assert refusal.value.code is Code.INVALID
    assert await pool.fetchval("SELECT count(*) FROM senders.outbox") == 1


async def test_exported_whole_in_pages(pool: Pool) -> None:
    """Each once, oldest first, with all of its text; a page ends at 20 messages, or at 4 MiB but for its first."""
    store, event_ids = SendersPrivacyStore(pool), [new_id() for _ in range(30)]
    for event_id in event_ids:
        await _keep(pool, "t1", event_id, text="long " * 1000)
    huge = new_id()
    for _ in range(3):
        await _keep(pool, "t1", huge, html="x" * 3_000_000)
    await _keep(pool, "t2", event_ids[0])
    assert [len(page) for page in await _pages(store, event_ids)] == [20, 10]
    assert [len(page) for page in await _pages(store, [huge])] == [1, 1, 1]
    (first,) = (await _pages(store, event_ids[:1]))[0]
    assert (first.text, first.html, first.recipient) == ("long " * 1000, "<p>", "ada@example.org")
    with pytest.raises(ClarionError) as refusal:
        await store.page(Scope("t1", event_ids), "x")
    assert refusal.value.code is Code.INVALID


async def _pages(store: SendersPrivacyStore, event_ids: list[str]) -> list[list[senders_pb2.OutboxMessage]]:
    pages, after = [], ""
    while True:
        messages, after = await store.page(Scope("t1", event_ids), after)
        pages.append(messages)
        if not after:
            return pages


async def test_each_tenants_sandbox_is_kept_for_its_own_days(pool: Pool) -> None:
    """Default 24 hours; one tenant keeps 3 days. What is younger stays, however old its neighbours are.

    The statement is given half a minute, though the pool gives it five seconds.
    """
    store = SendersPrivacyStore(pool)
    for tenant_id in ("t1", "t2"):
        for hours in (100, 50, 1):
            event_id = new_id()
            await _keep(pool, tenant_id, event_id, text=f"{hours}")
            await pool.execute(
                "UPDATE senders.outbox SET recorded_at = now() - make_interval(hours => $2) WHERE event_id = $1",
                event_id,
                hours,
            )
    await refuse_short_timeouts(pool, "senders.outbox")
    await asyncio.gather(*[store.expire(24, {"t2": 3}) for _ in range(2)])  # two processes at once
    left = await pool.fetch("SELECT tenant_id, body_text FROM senders.outbox ORDER BY id")
    assert [(row["tenant_id"], row["body_text"]) for row in left] == [("t1", "1"), ("t2", "50"), ("t2", "1")]
