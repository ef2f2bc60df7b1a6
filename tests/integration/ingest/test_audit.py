"""The audit log's table, by the service that owns it."""

from typing import Any

import asyncpg
import pytest

from clarion.ingest.v1 import audit_pb2
from runtime.errors import ClarionError, Code
from services.ingest.audit.store import AuditStore
from tests.integration.ingest.conftest import Ingest

ROUTE = "/api/v1/admin/tenants"


async def begin(
    ingest: Ingest, actor: str = "ada", resource: str = "", *, method: str = "POST", route: str = ROUTE
) -> str:
    """Begin an entry; return its id."""
    request = audit_pb2.BeginAuditEntryRequest(actor=actor, method=method, route=route, resource=resource, trace_id="t")
    entry_id: str = (await ingest.call("AuditService.BeginAuditEntry", request)).audit_entry_id
    return entry_id


async def entries(ingest: Ingest, **filters: Any) -> list[audit_pb2.AuditEntry]:
    """Return a page."""
    answer = await ingest.call("AuditService.ListAuditEntries", audit_pb2.ListAuditEntriesRequest(**filters))
    return list(answer.entries)


async def test_an_entry_is_there_before_its_write_is_done(ingest: Ingest) -> None:
    """A gateway that ends in between leaves an entry of unknown outcome, not none."""
    entry_id = await begin(ingest)
    (unknown,) = await entries(ingest)
    assert (unknown.id, unknown.status, unknown.finished_at_us) == (entry_id, 0, 0)


async def test_an_entry_has_its_tenant_before_its_write_is_done(ingest: Ingest) -> None:
    """So the tenant's list has it although its gateway ended in between, or does not know the tenant at the end."""
    begin = audit_pb2.BeginAuditEntryRequest(actor="token:k", method="POST", route=ROUTE, tenant_id="t1")
    ids = [(await ingest.call("AuditService.BeginAuditEntry", begin)).audit_entry_id for _ in range(3)]
    for entry_id, tenant_id in zip(ids[1:], ("", "t2"), strict=True):
        finish = audit_pb2.FinishAuditEntryRequest(audit_entry_id=entry_id, status=201, tenant_id=tenant_id)
        await ingest.call("AuditService.FinishAuditEntry", finish)
    assert [(entry.id, entry.status) for entry in await entries(ingest, tenant_id="t1")] == [(ids[1], 201), (ids[0], 0)]
    assert [entry.id for entry in await entries(ingest, tenant_id="t2")] == [ids[2]]


async def test_an_entry_is_finished_once(ingest: Ingest) -> None:
    """What was answered first stays."""
    entry_id = await begin(ingest)
    for status in (201, 500):
        finish = audit_pb2.FinishAuditEntryRequest(
            audit_entry_id=entry_id, status=status, resource="r1", tenant_id="t1", fields=["name"]
        )
        await ingest.call("AuditService.FinishAuditEntry", finish)
    (entry,) = await entries(ingest, resource="r1", tenant_id="t1", actor="ada", method="POST")
    assert entry.status == 201
    assert list(entry.fields) == ["name"]
    assert entry.begun_at_us <= entry.finished_at_us
    assert await entries(ingest, actor="grace") == []


async def test_entries_of_some_calls_are_counted_and_shown_from_any_place(ingest: Ingest) -> None:
    """For lists with numbered pages: the count does not depend on the page."""
    wanted = [await begin(ingest, actor=str(number), route="/a") for number in range(5)]
    await begin(ingest, route="/b")
    await begin(ingest, method="PATCH", route="/a")
    calls = [audit_pb2.AuditedCall(method="POST", route="/a"), audit_pb2.AuditedCall(method="PATCH", route="/b")]
    for offset, shown in ((0, [4, 3]), (2, [2, 1]), (4, [0]), (6, [])):
        request = audit_pb2.ListAuditEntriesRequest(calls=calls, limit=2, offset=offset, count=True)
        answer = await ingest.call("AuditService.ListAuditEntries", request)
        assert [entry.id for entry in answer.entries] == [wanted[number] for number in shown]
        assert answer.total == 5
    request = audit_pb2.ListAuditEntriesRequest(calls=calls, actor="3", count=True)
    assert (await ingest.call("AuditService.ListAuditEntries", request)).total == 1
    assert (await ingest.call("AuditService.ListAuditEntries", audit_pb2.ListAuditEntriesRequest())).total == 0


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (audit_pb2.ListAuditEntriesRequest(offset=10_001), "offset"),
        (audit_pb2.ListAuditEntriesRequest(offset=-1), "offset"),
        (audit_pb2.ListAuditEntriesRequest(offset=1, cursor="01a1fe7a-0000-7000-8000-000000000000"), "offset"),
        (audit_pb2.ListAuditEntriesRequest(calls=[audit_pb2.AuditedCall()] * 201), "calls"),
    ],
)
async def test_a_list_has_bounds(ingest: Ingest, request_: audit_pb2.ListAuditEntriesRequest, field: str) -> None:
    """What would be too much to look at is refused."""
    with pytest.raises(ClarionError) as refused:
        await ingest.call("AuditService.ListAuditEntries", request_)
    assert [name for name, _ in refused.value.fields] == [field]


async def test_entries_end_with_their_retention(ingest: Ingest, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """Days are counted from the write; 0 keeps everything."""
    old, new = await begin(ingest), await begin(ingest)
    await pool.execute("UPDATE ingest.audit SET begun_at = now() - interval '31 days' WHERE id = $1", old)
    assert await AuditStore(pool, retention_days=0).sweep() == 0
    assert await AuditStore(pool, retention_days=32).sweep() == 0
    assert await AuditStore(pool, retention_days=30).sweep() == 1
    assert [entry.id for entry in await entries(ingest)] == [new]


@pytest.mark.parametrize(
    "request_",
    [
        audit_pb2.BeginAuditEntryRequest(actor="", method="POST", route="/x"),
        audit_pb2.BeginAuditEntryRequest(actor="a" * 513, method="POST", route="/x"),
        audit_pb2.BeginAuditEntryRequest(actor="a\0", method="POST", route="/x"),
    ],
    ids=["nobody", "too long", "NUL"],
)
async def test_what_no_table_takes_is_refused(ingest: Ingest, request_: audit_pb2.BeginAuditEntryRequest) -> None:
    """With the field that is wrong."""
    with pytest.raises(ClarionError) as refused:
        await ingest.call("AuditService.BeginAuditEntry", request_)
    assert refused.value.code is Code.INVALID
    assert [field for field, _ in refused.value.fields] == ["actor"]
