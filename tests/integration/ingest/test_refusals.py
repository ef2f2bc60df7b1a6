"""Refused requests on real PostgreSQL: alike ones are a row, and there are never too many rows."""

import hashlib
from typing import Any, TypeAlias

import asyncpg
import pytest

from clarion.ingest.v1 import refusals_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.ingest.refused.servicer import RefusalServicer
from services.ingest.refused.store import RefusalSearch, RefusalStore
from tests.integration.ingest import builders

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
NOW_US = 1_760_000_000_000_000
MINUTE_US = 60_000_000


@pytest.fixture
def store(pool: Pool) -> RefusalStore:
    """A store that keeps three rows of a tenant."""
    return RefusalStore(pool, b"secret", max_rows=3)


def counted(at_us: int = NOW_US, **fields: Any) -> refusals_pb2.CountedRefusals:
    """What a gateway has counted."""
    given: dict[str, Any] = {
        "method": "POST",
        "route": "/api/v1/events/trigger",
        "status": 401,
        "reason": "key_unknown",
        "trace_id": "t",
        "count": 1,
        "first_at_us": at_us,
        "last_at_us": at_us,
        **fields,
    }
    return refusals_pb2.CountedRefusals(**given)


def digest(key: str) -> bytes:
    """The digest of a key."""
    return hashlib.sha256(key.encode()).digest()


async def listed(store: RefusalStore, **search: Any) -> list[refusals_pb2.Refusals]:
    """Return what matches."""
    return await store.list(RefusalSearch(**search), 100)


async def test_alike_refusals_of_a_minute_are_a_row(store: RefusalStore) -> None:
    """However many gateways and calls hand them in; another minute is another row."""
    await store.record([counted(count=2), counted(count=3, trace_id="t2")])
    await store.record([counted(NOW_US + 5, count=4, detail="last", fields=["a", "b"])])
    await store.record([counted(NOW_US + MINUTE_US)])
    second, first = await listed(store)
    assert (first.count, first.first_at_us, first.last_at_us) == (9, NOW_US, NOW_US + 5)
    assert (first.detail, list(first.fields)) == ("last", ["a", "b"])
    assert second.count == 1


async def test_requests_are_counted_by_reason(store: RefusalStore) -> None:
    """The requests, not the rows; also those of other reasons than the one that is looked at."""
    await store.record([counted(count=2), counted(reason="key_missing", count=5), counted(status=422, reason="other")])
    assert [tuple(one) for one in await store.reasons(RefusalSearch(status=401, reason="key_unknown"))] == [
        ("key_missing", 5),
        ("key_unknown", 2),
    ]
    request = refusals_pb2.ListRefusalsRequest(count_reasons=True)
    answer = await RefusalServicer(store).ListRefusals(request, None)
    assert {one.reason: one.count for one in answer.reasons} == {"key_missing": 5, "key_unknown": 2, "other": 1}


async def test_a_key_is_recognized_whatever_became_of_it(store: RefusalStore, pool: Pool) -> None:
    """Its tenant, its id and its end come from its row; of an unknown one only what the gateway says."""
    tenant = new_id()
    await builders.insert_tenant(pool, tenant, unfinished=0)
    further = {name: new_id() for name in ("revoked", "disabled", "expired", "valid")}
    insert = (
        "INSERT INTO ingest.api_keys (digest, tenant_id, last4, id, name, disabled, expires_at, revoked_at)"
        " VALUES ($1, $2, right($3, 4), $4, $3, $5, CASE WHEN $6 THEN now() END, $7::timestamptz)"
    )
    for name, id_ in further.items():
        ended = "now" if name == "revoked" else "infinity"
        values = (digest(name), tenant, name, id_, name == "disabled", name == "expired")
        await pool.execute(insert.replace("$7::timestamptz", f"'{ended}'::timestamptz"), *values)
    await pool.execute(
        "INSERT INTO ingest.api_keys (digest, tenant_id, last4, revoked_at) VALUES ($1, $2, 'own4', now())",
        digest("own"),
        tenant,
    )
    await store.record([counted(key_digest=digest(name), network="192.0.2.0/24") for name in (*further, "own")])
    await store.record([counted(key_digest=digest("?"), key_prefix="sk_", key_last4="wxyz", network="192.0.2.0/24")])
    found = {row.reason: row for row in await listed(store, tenant_ids=[tenant])}
    assert set(found) == {"key_revoked", "key_disabled", "key_expired", "key_of_another_kind", "key_rotated"}
    assert (found["key_rotated"].key.id, found["key_rotated"].key.last4) == ("", "own4")
    assert found["key_revoked"].key.id == further["revoked"]
    assert found["key_revoked"].key.name == "revoked"
    (unknown,) = await listed(store, reason="key_unknown")
    assert (unknown.tenant_id, unknown.key.prefix, unknown.key.last4) == ("", "sk_", "wxyz")
    assert [row.reason for row in await listed(store, key_id=further["expired"])] == ["key_expired"]


async def test_there_are_never_too_many_rows(store: RefusalStore, pool: Pool) -> None:
    """The oldest of a tenant go, and of nobody; what is a week old goes, too."""
    tenant = new_id()
    for minute in range(5):
        at_us = NOW_US + minute * MINUTE_US
        await store.record([counted(at_us), counted(at_us, tenant_id=tenant, reason="invalid", status=422)])
    await pool.execute("UPDATE ingest.refused_requests SET last_at = now()")
    assert await store.sweep() == 4
    assert [row.first_at_us for row in await listed(store, tenant_ids=[tenant])] == [
        NOW_US + minute * MINUTE_US for minute in (4, 3, 2)
    ]
    assert len(await listed(store)) == 6
    await pool.execute("UPDATE ingest.refused_requests SET last_at = now() - interval '8 days' WHERE tenant_id IS NULL")
    assert await store.sweep() == 3


async def test_a_batch_is_checked(store: RefusalStore) -> None:
    """A reason of a later gateway is kept as another one; what cannot be is refused whole."""
    servicer = RefusalServicer(store)
    await servicer.RecordRefusals(refusals_pb2.RecordRefusalsRequest(refusals=[counted(reason="of later")]), None)
    (row,) = await listed(store)
    assert row.reason == "other"
    for wrong in ({"key_digest": b"x"}, {"status": 99}, {"count": 0}, {"last_at_us": 1}, {"route": "x" * 600}):
        with pytest.raises(ClarionError) as refusal:
            await servicer.RecordRefusals(refusals_pb2.RecordRefusalsRequest(refusals=[counted(**wrong)]), None)
        assert refusal.value.code is Code.INVALID
    many = refusals_pb2.RecordRefusalsRequest(refusals=[counted()] * 501)
    with pytest.raises(ClarionError):
        await servicer.RecordRefusals(many, None)


async def test_pages(store: RefusalStore) -> None:
    """Newest first, each row once."""
    servicer = RefusalServicer(store)
    for minute in range(5):
        await store.record([counted(NOW_US + minute * MINUTE_US)])
    seen: list[int] = []
    cursor = ""
    while True:
        answer = await servicer.ListRefusals(refusals_pb2.ListRefusalsRequest(limit=2, cursor=cursor), None)
        seen += [row.first_at_us for row in answer.refusals]
        cursor = answer.next_cursor
        if not cursor:
            break
    assert seen == [NOW_US + minute * MINUTE_US for minute in (4, 3, 2, 1, 0)]
