"""A repeat gets the first event's answer; where its body is another one, the first event's timeline says so."""

import asyncio
from itertools import cycle
from typing import Any, TypeAlias

import asyncpg
import pytest

from clarion.common.v1 import error_pb2, event_pb2
from clarion.ingest.v1 import ingest_pb2, ingest_pb2_grpc, ledger_pb2, tenants_pb2
from runtime.errors import ClarionError
from runtime.grpc import KEY_METADATA
from runtime.ids import new_id
from tests.conftest import NatsServer, PostgresServer
from tests.integration.ingest.conftest import Ingest
from tests.streams import Streams
from tests.waiting import eventually

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
_FIRST, _SECOND = "order.confirmed", "second.type"


def _event(event_type: str = _FIRST, key: str = "k", **fields: Any) -> ingest_pb2.NewEvent:
    recipient = event_pb2.Recipient(user_id="u1", email="ada@example.org")
    return ingest_pb2.NewEvent(event_type=event_type, recipient=recipient, idempotency_key=key, **fields)


async def test_the_first_answer(pair: list[Ingest], streams: Streams) -> None:
    """Whichever process is asked, before and after the ledger knows it: the first one's id and type."""
    tenant_id = (await pair[0].tenant()).tenant.id
    first = await _accept(pair[0], tenant_id, _event())
    assert first == ingest_pb2.Accepted(event_id=first.event_id)
    answer = ingest_pb2.Accepted(event_id=first.event_id, duplicate=True, first_type=_FIRST)
    other = _of_another_body(answer)
    for ingest in pair:
        assert await _accept(ingest, tenant_id, _event()) == answer
        for event in (_event(_SECOND), _event(variables=b'{"n":2}')):
            assert await _accept(ingest, tenant_id, event) == other
    await _repeated(pair[0], first.event_id)
    for ingest in pair:
        assert await _accept(ingest, tenant_id, _event(_SECOND)) == other
    assert [(event.id, event.event_type) for event in await streams.events()] == [(first.event_id, _FIRST)]


async def test_the_timeline_and_the_log_say_what_differs(ingest: Ingest) -> None:
    """Once on the first event's timeline, with the type; a line of the log for each, with ids and nothing of it."""
    tenant_id = (await ingest.tenant()).tenant.id
    first = await _accept(ingest, tenant_id, _event())
    await _accept(ingest, tenant_id, _event())
    for secret in ("hunter2", "hunter3"):
        await _accept(ingest, tenant_id, _event(_SECOND, variables=b'{"password":"%s"}' % secret.encode()))
    step = await _repeated(ingest, first.event_id)
    assert (step.outcome, step.reason, step.service) == ("skipped", "body_differs", "ingest")
    assert _SECOND in step.detail
    lines = [line for line in ingest.service.log.read_text().splitlines() if '"repeat_differs"' in line]
    assert len(lines) == 2
    assert all(first.event_id in line and tenant_id in line and '"warning"' in line for line in lines)
    assert not any(word in line for line in lines for word in ("hunter", _SECOND, "ada@example.org"))
    assert "hunter" not in step.detail


async def test_the_same_again_leaves_no_note(ingest: Ingest) -> None:
    """A repeat of the same body, written in another way, is no news; another event's note shows when to look."""
    tenant_id = (await ingest.tenant()).tenant.id
    first = await _accept(ingest, tenant_id, _event(channels=[event_pb2.CHANNEL_SMS, event_pb2.CHANNEL_PUSH]))
    await _accept(ingest, tenant_id, _event(channels=[event_pb2.CHANNEL_PUSH, event_pb2.CHANNEL_SMS]))
    other = await _accept(ingest, tenant_id, _event(key="other"))
    await _accept(ingest, tenant_id, _event(_SECOND, key="other"))
    await _repeated(ingest, other.event_id)
    assert [step.step for step in await _steps(ingest, first.event_id)] == ["accepted"]


async def test_a_group_with_one_key(ingest: Ingest, streams: Streams) -> None:
    """In one call of the gateway: the first one in its order is the event."""
    tenant_id = (await ingest.tenant()).tenant.id
    results = await ingest.accept(tenant_id, *[_event(kind) for kind in (_FIRST, _SECOND, _FIRST, "third.type")])
    [event] = await streams.events()
    assert event.event_type == _FIRST
    assert [result.accepted.duplicate for result in results] == [False, True, True, True]
    assert {result.accepted.first_type for result in results[1:]} == {_FIRST}
    assert {result.accepted.event_id for result in results} == {event.id}
    await _repeated(ingest, event.id)


async def test_a_hundred_at_once_with_two_bodies(pair: list[Ingest], streams: Streams) -> None:
    """Over two processes: whichever body is stored, every answer is of it, and one call is told that it was its."""
    tenant_id = (await pair[0].tenant()).tenant.id
    for number in range(5):
        kinds = [(_FIRST, _SECOND)[turn % 2] for turn in range(100)]
        calls = [
            _accept(ingest, tenant_id, _event(kind, key=f"k{number}"))
            for ingest, kind in zip(cycle((*pair, *reversed(pair))), kinds, strict=False)
        ]
        answers = await asyncio.gather(*calls)
        event = (await streams.events())[number]
        assert {answer.event_id for answer in answers} == {event.id}
        assert {answer.first_type for answer in answers if answer.duplicate} == {event.event_type}
        own = [kind for kind, answer in zip(kinds, answers, strict=True) if not answer.duplicate]
        assert own == [event.event_type]
        later = await _accept(pair[0], tenant_id, _event(_SECOND, key=f"k{number}"))
        assert later.first_type == event.event_type


async def test_the_first_call_failed(ingest: Ingest, streams: Streams, nats_server: NatsServer, pool: Pool) -> None:
    """What is stored under the key is the second call's: that is the first event for all that follow."""
    tenant_id = (await ingest.tenant()).tenant.id
    nats_server.kill()
    [refused] = await ingest.accept(tenant_id, _event())
    assert refused.error.code == error_pb2.ERROR_CODE_UNAVAILABLE
    claimed = str(await pool.fetchval("SELECT event_id FROM ingest.admission"))
    await asyncio.to_thread(nats_server.start)
    stored = await eventually(lambda: _accepted_or_none(ingest, tenant_id, _event(_SECOND)))
    assert stored is not None
    assert (stored.event_id, stored.duplicate) == (claimed, False)
    assert [event.event_type for event in await streams.events()] == [_SECOND]
    answer = ingest_pb2.Accepted(event_id=claimed, duplicate=True, first_type=_SECOND)
    answers = [await _accept(ingest, tenant_id, _event(kind)) for kind in (_FIRST, _SECOND)]
    assert answers == [_of_another_body(answer), answer]
    assert _FIRST in (await _repeated(ingest, claimed)).detail


async def test_without_postgres(ingest: Ingest, streams: Streams, postgres_server: PostgresServer, pool: Pool) -> None:
    """The repeat is compared with the event in the stream; afterwards with what the ledger read, once."""
    tenant_id = (await ingest.tenant()).tenant.id
    postgres_server.kill()
    try:
        first = await _accept(ingest, tenant_id, _event())
        answer = ingest_pb2.Accepted(event_id=first.event_id, duplicate=True, first_type=_FIRST)
        assert await _accept(ingest, tenant_id, _event(_SECOND)) == _of_another_body(answer)
    finally:
        postgres_server.start()  # in this thread: the server ends with the thread that starts it
    assert _SECOND in (await _repeated(ingest, first.event_id)).detail

    async def is_kept() -> bool:
        assert await _accept(ingest, tenant_id, _event(_SECOND)) == _of_another_body(answer)
        kept: str | None = await pool.fetchval("SELECT event_type FROM ingest.admission WHERE stored")
        return kept == _FIRST

    await eventually(is_kept)
    assert len(await streams.events()) == 1


async def test_a_row_without_a_fingerprint(ingest: Ingest, streams: Streams, pool: Pool) -> None:
    """Written by the ledger, or by a process of the version before: looked up once, then kept."""
    tenant_id = (await ingest.tenant()).tenant.id
    first = await _accept(ingest, tenant_id, _event())
    await eventually(lambda: pool.fetchval("SELECT stored FROM ingest.admission"))
    kept = await pool.fetchrow("SELECT event_type, fingerprint FROM ingest.admission")
    await pool.execute("UPDATE ingest.admission SET event_type = NULL, fingerprint = NULL")
    answer = ingest_pb2.Accepted(event_id=first.event_id, duplicate=True, first_type=_FIRST)
    assert await _accept(ingest, tenant_id, _event(_SECOND)) == _of_another_body(answer)
    assert await pool.fetchrow("SELECT event_type, fingerprint FROM ingest.admission") == kept
    await _repeated(ingest, first.event_id)
    assert await pool.fetchval("SELECT unfinished FROM ingest.backlog WHERE tenant_id = $1", tenant_id) == 1


async def test_nothing_left_to_compare_with(ingest: Ingest, pool: Pool) -> None:
    """The first event was erased, and its row has no fingerprint: still its id, and nobody says that it differs."""
    tenant_id = (await ingest.tenant()).tenant.id
    first = await _accept(ingest, tenant_id, _event())
    await eventually(lambda: pool.fetchval("SELECT stored FROM ingest.admission"))
    await pool.execute("UPDATE ingest.admission SET event_type = NULL, fingerprint = NULL")
    await pool.execute("DELETE FROM ingest.event_payloads")
    again = await _accept(ingest, tenant_id, _event(_SECOND))
    assert again == ingest_pb2.Accepted(event_id=first.event_id, duplicate=True, first_type=_SECOND)
    assert "repeat_differs" not in ingest.service.log.read_text()


async def test_a_row_that_postgres_lost(ingest: Ingest, streams: Streams, pool: Pool) -> None:
    """The broker knows the key: the repeat's row names the first event, its type and its body."""
    tenant_id = (await ingest.tenant()).tenant.id
    first = await _accept(ingest, tenant_id, _event())
    await eventually(lambda: pool.fetchval("SELECT stored FROM ingest.admission"))
    kept = await pool.fetchrow("SELECT event_id, event_type, fingerprint FROM ingest.admission")
    await pool.execute("DELETE FROM ingest.admission")
    answer = ingest_pb2.Accepted(event_id=first.event_id, duplicate=True, first_type=_FIRST)
    assert await _accept(ingest, tenant_id, _event(_SECOND)) == _of_another_body(answer)
    assert await pool.fetchrow("SELECT event_id, event_type, fingerprint FROM ingest.admission") == kept
    await _repeated(ingest, first.event_id)


async def test_after_24_hours(ingest: Ingest, streams: Streams, pool: Pool) -> None:
    """The key names the next event, and that one's body is what repeats are compared with."""
    tenant_id = (await ingest.tenant()).tenant.id
    await _accept(ingest, tenant_id, _event())
    await eventually(lambda: pool.fetchval("SELECT stored FROM ingest.admission"))
    await streams.forget()
    await pool.execute(
        "UPDATE ingest.admission SET created_at = created_at - interval '24 hours 1 second',"
        " expires_at = expires_at - interval '24 hours 1 second'"
    )
    second = await _accept(ingest, tenant_id, _event(_SECOND))
    assert not second.duplicate
    answer = ingest_pb2.Accepted(event_id=second.event_id, duplicate=True, first_type=_SECOND)
    answers = [await _accept(ingest, tenant_id, _event(kind)) for kind in (_SECOND, _FIRST)]
    assert answers == [answer, _of_another_body(answer)]


async def test_the_content_as_the_key(ingest: Ingest, pool: Pool) -> None:
    """Where it is the whole content nothing more is kept; with the payload's a repeat may differ in its variables."""
    tenant_id = (await ingest.tenant()).tenant.id
    await _accept(ingest, tenant_id, _event(key=""))
    assert await pool.fetchval("SELECT fingerprint FROM ingest.admission") is None
    assert (await _accept(ingest, tenant_id, _event(key=""))).first_type == _FIRST
    seed = await ingest.call(
        "TenantService.CreateTenant",
        tenants_pb2.CreateTenantRequest(name="Seed", content_key=tenants_pb2.CONTENT_KEY_PAYLOAD),
    )

    async def first_of_two() -> str:
        user = event_pb2.Recipient(user_id=new_id())
        events = [_event(key="", variables=b'{"n":%d}' % number) for number in range(2)]
        for event in events:
            event.recipient.CopyFrom(user)
        answers = [await _accept(ingest, seed.tenant.id, event) for event in events]
        return answers[0].event_id if answers[1].duplicate else ""  # the setting may be on its way

    first = await eventually(first_of_two)
    await _repeated(ingest, first)


async def test_over_grpc(ingest: Ingest) -> None:
    """TriggerEvent names the first one's type, and says that the body differs."""
    created = await ingest.tenant()
    stub = ingest_pb2_grpc.IngestServiceStub(ingest.service.channel)

    async def trigger(event: ingest_pb2.NewEvent) -> ingest_pb2.TriggerEventResponse:
        request = ingest_pb2.TriggerEventRequest(event=event)
        answer: ingest_pb2.TriggerEventResponse = await stub.TriggerEvent(
            request, timeout=30, metadata=((KEY_METADATA, created.api_key),)
        )
        return answer

    first = await trigger(_event(variables=b'{"a":1,"b":2}'))
    same = await trigger(_event(variables=b'{ "b": 2, "a": 1 }'))
    other = await trigger(_event(_SECOND))
    known: dict[str, Any] = {"event_id": first.event_id, "event_type": _FIRST}
    assert first == ingest_pb2.TriggerEventResponse(**known)
    assert same == ingest_pb2.TriggerEventResponse(**known, duplicate=True)
    assert other == ingest_pb2.TriggerEventResponse(**known, duplicate=True, differs=True)


async def test_a_new_encryption_key(pair: list[Ingest], start: Any) -> None:
    """A process with a new first key compares what one with the old key made."""
    tenant_id = (await pair[0].tenant()).tenant.id
    first = await _accept(pair[0], tenant_id, _event())
    old = pair[0].service.variables["CLARION_ENCRYPTION_KEYS"]
    fresh = "A" * 43 + "="
    rotated = Ingest(await start("services.ingest", CLARION_ENCRYPTION_KEYS=f"{fresh},{old}"))
    answer = ingest_pb2.Accepted(event_id=first.event_id, duplicate=True, first_type=_FIRST)
    assert await _accept(rotated, tenant_id, _event()) == answer
    assert "repeat_differs" not in rotated.service.log.read_text()
    assert await _accept(rotated, tenant_id, _event(_SECOND)) == _of_another_body(answer)
    await _repeated(rotated, first.event_id)


async def test_processes_of_the_version_before(ingest: Ingest, pool: Pool) -> None:
    """They admit by the function that they know; the rows they write are looked up."""
    tenant_id = (await ingest.tenant()).tenant.id
    query = (
        "SELECT event_id, verdict FROM ingest.admit("
        "$1::uuid[], $2::bytea[], $3::uuid[], $4::integer[], $5::text[], $6::bytea[], $7)"
    )
    ids = [new_id(), new_id()]
    for one, verdict in zip(ids, ("new", "pending"), strict=True):
        row = await pool.fetchrow(query, [tenant_id], [b"k"], [one], [1], [None], [None], 1.0)
        assert row is not None
        assert (str(row["event_id"]), row["verdict"]) == (ids[0], verdict)


@pytest.mark.parametrize("limit", [{"max_unfinished_events": 1}, {"rate_limit_per_minute": 1}])
async def test_a_limit_that_is_reached(ingest: Ingest, limit: dict[str, int]) -> None:
    """A repeat is answered as the first one all the same."""
    tenant_id = (await ingest.tenant(**limit)).tenant.id
    first = await _accept(ingest, tenant_id, _event())
    results = await ingest.accept(tenant_id, _event(_SECOND), _event(_SECOND, key="another"))
    answer = ingest_pb2.Accepted(event_id=first.event_id, duplicate=True, first_type=_FIRST)
    assert results[0].accepted == _of_another_body(answer)
    assert results[1].error.code == error_pb2.ERROR_CODE_LIMITED


async def _accept(ingest: Ingest, tenant_id: str, event: ingest_pb2.NewEvent) -> ingest_pb2.Accepted:
    [result] = await ingest.accept(tenant_id, event)
    assert result.HasField("accepted"), result
    return result.accepted


def _of_another_body(answer: ingest_pb2.Accepted) -> ingest_pb2.Accepted:
    """Return the answer to a repeat that asked for something else."""
    made = ingest_pb2.Accepted(differs=True)
    made.MergeFrom(answer)
    return made


async def _accepted_or_none(ingest: Ingest, tenant_id: str, event: ingest_pb2.NewEvent) -> ingest_pb2.Accepted | None:
    [result] = await ingest.accept(tenant_id, event)
    return result.accepted if result.HasField("accepted") else None


async def _steps(ingest: Ingest, event_id: str) -> list[ledger_pb2.TimelineStep]:
    try:
        answer = await ingest.call("LedgerService.GetEvent", ledger_pb2.GetEventRequest(event_id=event_id))
    except ClarionError:
        return []
    return list(answer.steps)


async def _repeated(ingest: Ingest, event_id: str) -> ledger_pb2.TimelineStep:
    """Wait for the step that says that a repeat differed."""

    async def found() -> list[ledger_pb2.TimelineStep]:
        return [step for step in await _steps(ingest, event_id) if step.step == "repeated"]

    [step] = await eventually(found) or []
    return step
