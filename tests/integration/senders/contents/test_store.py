"""The contents on real PostgreSQL: found by attempt, erased by event and delivery, deleted when their days are over."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import asyncpg
import pytest

from clarion.common.v1 import event_pb2
from clarion.render.v1 import render_pb2
from clarion.senders.v1 import contents_pb2, privacy_pb2
from runtime import postgres
from runtime.errors import ClarionError, Code
from runtime.ids import derived_id_at, new_id
from services.domain.retention import RetentionPolicies, key
from services.senders.contents import capture
from services.senders.contents.ports import Captured, RefusedRows
from services.senders.contents.servicer import ContentServicer
from services.senders.contents.store import ContentStore
from services.senders.contents.writer import ContentWriter
from services.senders.privacy import Scope, SendersPrivacyStore
from services.senders.servicer_privacy import SendersPrivacyServicer
from tests.statement_timeouts import refuse_short_timeouts
from tests.unit.senders import builders

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

# The servicers do not use it.
_CONTEXT: Any = None
_OTHER = "0197f1a2-0000-7000-8000-000000000002"
_DAY_US = 86_400_000_000


@pytest.fixture
async def pool(postgres_url: str) -> AsyncIterator[Pool]:
    """Connections as the service has them."""
    made = await postgres.connect(postgres_url, name="test", size=4)
    yield made
    await made.close()


@pytest.fixture
def store(pool: Pool) -> ContentStore:
    """No contents yet."""
    return ContentStore(pool, pool)


def _captured(
    event_id: str,
    *,
    name: str = "a",
    attempt: int = 1,
    replay: int = 0,
    text: str = "Hello",
    tenant_id: str = builders.TENANT,
    at_us: int = 1_770_000_000_000_000,
) -> Captured:
    delivery = builders.delivery(event_pb2.CHANNEL_SMS, tenant_id=tenant_id)
    delivery.event_id, delivery.id = event_id, derived_id_at(event_id, event_id, name)
    delivery.attempt, delivery.replay = attempt, replay
    return capture.of_message(delivery, render_pb2.Content(), builders.sms(text), None, "sandbox", "p1", at_us)


async def _keep(store: ContentStore, *items: Captured) -> None:
    writer = ContentWriter(store, lambda _: True)
    for item in items:
        writer.record(item)
    await writer.drain()


async def _get(
    store: ContentStore,
    one: Captured,
    policies: RetentionPolicies | None = None,
    days: int = 30,
    *,
    attempt: int = 0,
    replay: int | None = None,
) -> contents_pb2.GetContentResponse:
    servicer = ContentServicer(store, policies or RetentionPolicies(), days)
    request = contents_pb2.GetContentRequest(
        tenant_id=one.tenant_id, delivery_id=one.delivery_id, attempt=attempt, replay=replay
    )
    return await servicer.GetContent(request, _CONTEXT)


async def test_the_newest_attempt_or_the_one_that_is_asked_for(store: ContentStore) -> None:
    """A later replay is newer, whatever its attempt; without a replay the newest one with the attempt is meant."""
    event_id = new_id()
    made = [(1, 0), (2, 0), (3, 0), (1, 1), (2, 1)]
    items = [
        _captured(event_id, attempt=attempt, replay=replay, text=f"{replay}.{attempt}") for attempt, replay in made
    ]
    await _keep(store, *items)
    for attempt, replay, text in ((0, None, "1.2"), (1, None, "1.1"), (3, None, "0.3"), (1, 0, "0.1")):
        answer = await _get(store, items[0], attempt=attempt, replay=replay)
        assert answer.content.text.text == text
        assert [(one.attempt, one.replay) for one in answer.attempts] == [(2, 1), (1, 1), (3, 0), (2, 0), (1, 0)]
    assert not (await _get(store, items[0], attempt=4)).HasField("content")
    other = _captured(event_id, tenant_id=_OTHER)
    assert not (await _get(store, other)).HasField("content")


async def test_a_repeated_attempt_replaces_what_it_sent(store: ContentStore) -> None:
    """As after a crash between the call and its record."""
    event_id = new_id()
    await _keep(store, _captured(event_id, text="first"))
    await _keep(store, _captured(event_id, text="again" * 1_000))
    answer = await _get(store, _captured(event_id))
    assert answer.content.text.text == "again" * 1_000
    assert len(answer.attempts) == 1


async def test_why_there_is_none(store: ContentStore) -> None:
    """The installation, the tenant, or nothing that this service knows."""
    one, policies = _captured(new_id()), RetentionPolicies()
    assert (await _get(store, one)).missing == contents_pb2.MISSING_REASON_NOT_STORED
    off = await _get(store, one, days=0)
    assert (off.missing, off.days) == (contents_pb2.MISSING_REASON_INSTALLATION_KEEPS_NONE, 0)
    policies.on_change(key(one.tenant_id), b'{"discard_content": true, "payload_days": 7}')
    off = await _get(store, one, policies)
    assert (off.missing, off.days) == (contents_pb2.MISSING_REASON_TENANT_KEEPS_NONE, 0)
    policies.on_change(key(one.tenant_id), b'{"payload_days": 7}')
    assert (await _get(store, one, policies)).days == 7


async def test_erased_by_event_or_by_delivery(store: ContentStore, pool: Pool) -> None:
    """Of this tenant only, and of an event with other recipients only the named deliveries."""
    mine, shared, other = new_id(), new_id(), new_id()
    items = [
        _captured(mine),
        _captured(mine, attempt=2),
        _captured(shared, name="ada"),
        _captured(shared, name="bob"),
        _captured(other),
        _captured(mine, tenant_id=_OTHER),
    ]
    await _keep(store, *items)
    privacy = SendersPrivacyStore(pool)
    assert (await privacy.erase(Scope(builders.TENANT, [mine]))).contents == 2
    assert (await privacy.erase(Scope(builders.TENANT, [shared], [items[2].delivery_id]))).contents == 1
    left = await pool.fetch("SELECT tenant_id, delivery_id FROM senders.contents")
    expected = {(one.tenant_id, one.delivery_id) for one in items[3:]}
    assert {(str(row["tenant_id"]), str(row["delivery_id"])) for row in left} == expected


async def test_exported_in_pages(store: ContentStore, pool: Pool) -> None:
    """Each content once: 20 a page, or as many as have 4 MiB."""
    events = [new_id() for _ in range(25)]
    await _keep(store, *[_captured(event_id, text=event_id) for event_id in events])
    servicer, found, after, pages = SendersPrivacyServicer(SendersPrivacyStore(pool), _CONTEXT, store), [], "", 0
    while True:
        wire = privacy_pb2.ExportContentsRequest(tenant_id=builders.TENANT, event_ids=events, after=after)
        page = await servicer.ExportContents(wire, _CONTEXT)
        found += [one.text.text for one in page.contents]
        after, pages = page.next_after, pages + 1
        if not after:
            break
    assert (sorted(found), pages) == (sorted(events), 2)
    wire = privacy_pb2.ExportContentsRequest(tenant_id=builders.TENANT, event_ids=events, after="x/1/1")
    with pytest.raises(ClarionError) as refusal:
        await servicer.ExportContents(wire, _CONTEXT)
    assert refusal.value.code is Code.INVALID


async def test_deleted_when_the_days_are_over(store: ContentStore, pool: Pool) -> None:
    """Each tenant's own; of a tenant that stores none all. What was sent late stays until its own days are over."""
    now_us = await pool.fetchval("SELECT (extract(epoch FROM now()) * 1000000)::bigint")
    third = "0197f1a2-0000-7000-8000-000000000003"

    def aged(days: int, tenant_id: str, *, sent_days: int | None = None) -> Captured:
        event_id = _id_at(now_us - days * _DAY_US)
        sent_us = now_us - (days if sent_days is None else sent_days) * _DAY_US
        return _captured(event_id, tenant_id=tenant_id, at_us=sent_us)

    kept = [aged(29, builders.TENANT), aged(99, _OTHER), aged(60, builders.TENANT, sent_days=1)]
    gone = [aged(31, builders.TENANT), aged(101, _OTHER), aged(0, third)]
    await _keep(store, *kept, *gone)
    await refuse_short_timeouts(pool, "senders.contents")
    privacy = SendersPrivacyStore(pool)
    own = {_OTHER: 100, third: 0}
    await asyncio.gather(*[privacy.expire_contents(30, own) for _ in range(2)])  # two processes at once
    left = await pool.fetch("SELECT delivery_id FROM senders.contents")
    assert {str(row["delivery_id"]) for row in left} == {one.delivery_id for one in kept}
    await privacy.expire_contents(0, {})
    assert await pool.fetchval("SELECT count(*) FROM senders.contents") == 0


async def test_refused_rows_are_told_from_an_absent_database(store: ContentStore, pool: Pool) -> None:
    """Only the latter is worth another try."""
    (row,) = capture.rows([_captured(new_id())])
    with pytest.raises(RefusedRows):
        await store.insert([row._replace(attempt=None)])  # type: ignore[arg-type]
    await pool.close()
    with pytest.raises(ClarionError) as away:
        await store.insert([row])
    assert away.value.code is Code.UNAVAILABLE


def _id_at(at_us: int) -> str:
    """Return an event's id of that time."""
    fresh = new_id().replace("-", "")
    digits = f"{at_us // 1000:012x}{fresh[12:]}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
