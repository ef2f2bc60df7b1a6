"""How providers are doing: written without a statement for each call, true over processes and restarts."""

import asyncio
import signal
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from clarion.common.v1 import event_pb2
from clarion.senders.v1 import health_pb2, health_pb2_grpc, senders_pb2
from runtime import clock, grpc
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.delivery.ports import SendResult, Verdict
from services.senders.health.ports import Counts
from services.senders.health.recorder import HealthRecorder
from services.senders.health.store import MAX_TESTS_PER_MINUTE, ProviderHealthStore
from tests.conftest import free_port
from tests.integration.senders.mail_servers import Catcher, serving
from tests.integration.senders.processes import TOKEN, Senders
from tests.unit.senders import builders
from tests.unit.senders.builders import TENANT
from tests.waiting import eventually

_SENT = SendResult(Verdict.SENT, "smtp")
_DOWN = SendResult(Verdict.TRANSIENT, "smtp", "provider_unreachable", "no route for ada@example.org")
_REFUSED = SendResult(Verdict.PERMANENT, "smtp", "recipient_refused", "550 unknown")


@pytest.fixture
def store(pool: "asyncpg.Pool[asyncpg.Record]") -> ProviderHealthStore:
    """The tables, empty."""
    return ProviderHealthStore(pool)


async def _state(senders: Senders, provider_id: str) -> health_pb2.ProviderState:
    answer = await _health(senders, "GetProviderStates", health_pb2.GetProviderStatesRequest(provider_id=provider_id))
    (state,) = answer.states
    found: health_pb2.ProviderState = state
    return found


async def _health(senders: Senders, method: str, request: Any) -> Any:
    async with grpc.channel(senders.address) as channel:
        stub = health_pb2_grpc.ProviderHealthServiceStub(channel)
        return await grpc.Caller(TOKEN)(getattr(stub, method), request, deadline=30)


def _is(senders: Senders, provider_id: str, state: int) -> Callable[[], Any]:
    async def check() -> health_pb2.ProviderState | None:
        found = await _state(senders, provider_id)
        return found if found.state == state else None

    return check


async def test_a_thousand_calls_are_a_row(store: ProviderHealthStore, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """Nothing is written before the interval's end; then calls, failures and refusals, and the last failure."""
    recorder = HealthRecorder(store, new_id())
    for result in [_SENT] * 900 + [_DOWN] * 60 + [_REFUSED] * 40:
        recorder.called("p1", result)
    await recorder.write(is_due=False)
    assert await pool.fetchval("SELECT count(*) FROM senders.provider_calls") == 0
    await recorder.write(is_due=True)
    await recorder.write(is_due=True)
    recorder.called("p1", _SENT)
    await recorder.write(is_due=True)
    health = (await store.read(["p1", "p2"]))["p1"]
    assert health.last_hour == Counts(1001, 60, 40)
    assert await pool.fetchval("SELECT count(*) FROM senders.provider_calls") == 1
    assert health.last_failure is not None
    # The address of a person is not kept beyond their erasure.
    assert (health.last_failure.reason, health.last_failure.detail) == (
        "provider_unreachable",
        "no route for a…@example.org",
    )


async def test_the_last_call_is_known_for_long(
    store: ProviderHealthStore, pool: "asyncpg.Pool[asyncpg.Record]"
) -> None:
    """The newest step of each provider outlives the others; what was never called has none."""
    hour_us, now_us = 3_600_000_000, clock.now_us()
    for hours in (3, 5, 24 * 401):
        await store.write_calls(now_us - hours * hour_us, {"p1" if hours < 24 else "p2": Counts(1)})
    await store.delete_expired()
    found = await store.read(["p1", "p2", "p3"])
    assert found["p1"].last_call_us == now_us - 3 * hour_us
    assert found["p1"].last_hour == Counts()
    assert (found["p2"].last_call_us, found["p3"].last_call_us) == (0, 0)
    assert await pool.fetchval("SELECT count(*) FROM senders.provider_calls") == 1


async def test_breakers_of_all_processes(store: ProviderHealthStore, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """Each process writes its own; one that ends takes its own away, one that is lost is ignored after a while."""
    one, two, lost = (HealthRecorder(store, new_id()) for _ in range(3))
    for recorder in (one, two, lost):
        recorder.paused(TENANT, "p1", "provider_circuit_open", 15.0)
        await recorder.write(is_due=False)
    assert len((await store.read(["p1"]))["p1"].breakers) == 3
    one.resumed("p1")
    await one.write(is_due=False)
    await two.drain()
    assert len((await store.read(["p1"]))["p1"].breakers) == 1
    await pool.execute("UPDATE senders.provider_breakers SET seen_at = now() - interval '1 minute'")
    assert (await store.read(["p1"]))["p1"].breakers == []
    await lost.write(is_due=True)  # it lives after all: the interval's write says so
    assert len((await store.read(["p1"]))["p1"].breakers) == 1
    await pool.execute("UPDATE senders.provider_breakers SET seen_at = now() - interval '1 minute'")
    await store.delete_expired()
    assert await pool.fetchval("SELECT count(*) FROM senders.provider_breakers") == 0


async def test_a_pause_that_is_prolonged_began_once(store: ProviderHealthStore) -> None:
    """The begin stays, the next try moves."""
    times = iter(range(1_000_000, 10_000_000, 1_000_000))
    recorder = HealthRecorder(store, new_id(), now=lambda: next(times))
    recorder.paused(TENANT, "p1", "provider_circuit_open", 1.0)
    recorder.paused(TENANT, "p1", "provider_circuit_open", 30.0)
    await recorder.write(is_due=False)
    (breaker,) = (await store.read(["p1"]))["p1"].breakers
    assert (breaker.since_us, breaker.next_try_us) == (1_000_000, 32_000_000)


async def test_what_the_database_did_not_take_is_written_later(
    store: ProviderHealthStore, pool: "asyncpg.Pool[asyncpg.Record]"
) -> None:
    """Nothing is lost and nothing counted twice."""
    recorder = HealthRecorder(store, new_id())
    recorder.called("p1", _DOWN)
    recorder.paused(TENANT, "p1", "provider_circuit_open", 15.0)
    for table in ("provider_failures", "provider_breakers", "provider_calls"):
        await pool.execute(f"ALTER TABLE senders.{table} RENAME TO away")
        with pytest.raises(ClarionError) as away:
            await recorder.write(is_due=True)
        assert away.value.code is Code.UNAVAILABLE
        await pool.execute(f"ALTER TABLE senders.away RENAME TO {table}")
        recorder.called("p1", _SENT)
    await recorder.write(is_due=True)
    health = (await store.read(["p1"]))["p1"]
    assert (len(health.breakers), health.last_hour) == (1, Counts(4, 1, 0))
    assert health.last_failure is not None


async def test_no_breaker_is_open_without_its_reason(
    store: ProviderHealthStore, pool: "asyncpg.Pool[asyncpg.Record]"
) -> None:
    """If the failure cannot be stored, the breaker waits for it."""
    recorder = HealthRecorder(store, new_id())
    recorder.called("p1", _DOWN)
    recorder.paused(TENANT, "p1", "provider_circuit_open", 15.0)
    await pool.execute("ALTER TABLE senders.provider_failures RENAME TO away")
    with pytest.raises(ClarionError):
        await recorder.write(is_due=False)
    await pool.execute("ALTER TABLE senders.away RENAME TO provider_failures")
    assert await pool.fetchval("SELECT count(*) FROM senders.provider_breakers") == 0
    await recorder.write(is_due=False)
    health = (await store.read(["p1"]))["p1"]
    assert (len(health.breakers), health.last_failure is not None) == (1, True)


async def test_a_broken_provider_says_why_until_it_is_fixed(senders: Senders) -> None:
    """Open with its reason; closed as soon as the settings change; a restart leaves nothing behind."""
    settings: dict[str, Any] = {"host": "127.0.0.1", "tls": "none", "from_email": "noreply@relay.example"}
    broken = await senders.provider(event_pb2.CHANNEL_EMAIL, "smtp", port=free_port(), **settings)
    assert (await _state(senders, broken)).state == health_pb2.PROVIDER_BREAKER_STATE_CLOSED
    await senders.deliver(*[builders.delivery(provider_id=broken) for _ in range(8)])
    state = await eventually(_is(senders, broken, health_pb2.PROVIDER_BREAKER_STATE_OPEN))
    assert (state.reason, state.paused_processes, state.tenant_id) == ("provider_circuit_open", 1, TENANT)
    assert state.next_try_us > state.since_us > 0
    assert state.last_failure.reason == "provider_unreachable"
    assert state.last_failure.text == "No connection to the provider was possible."
    assert "port" in state.last_failure.advice
    async with serving(Catcher()) as port:
        change = senders_pb2.UpdateProviderRequest(provider_id=broken, settings_json=f'{{"port": {port}}}')
        await senders.call("ProviderService.UpdateProvider", change)
        fixed = await eventually(_is(senders, broken, health_pb2.PROVIDER_BREAKER_STATE_CLOSED))
    assert (fixed.since_us, fixed.reason, fixed.last_failure.reason) == (0, "", "provider_unreachable")
    await senders.stop(signal.SIGTERM)
    await senders.start()
    counted = await _state(senders, broken)
    assert counted.last_hour.failures >= 5
    with pytest.raises(ClarionError) as unknown:
        await _state(senders, new_id())
    assert unknown.value.code is Code.NOT_FOUND


async def test_a_process_that_ends_leaves_no_breaker(senders: Senders, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """After SIGTERM no state says that a provider is paused."""
    settings: dict[str, Any] = {"host": "127.0.0.1", "tls": "none", "from_email": "noreply@relay.example"}
    broken = await senders.provider(event_pb2.CHANNEL_EMAIL, "smtp", port=free_port(), **settings)
    await senders.deliver(*[builders.delivery(provider_id=broken) for _ in range(8)])
    await eventually(_is(senders, broken, health_pb2.PROVIDER_BREAKER_STATE_OPEN))
    await senders.stop(signal.SIGTERM)
    assert await pool.fetchval("SELECT count(*) FROM senders.provider_breakers") == 0


async def test_a_test_message_goes_through_this_provider_only(senders: Senders) -> None:
    """To a real mail server; a server that is down is an answer with an advice, and no other provider is tried."""
    settings: dict[str, Any] = {"host": "127.0.0.1", "tls": "none", "from_email": "noreply@relay.example"}
    catcher = Catcher()
    async with serving(catcher) as port:
        good = await senders.provider(event_pb2.CHANNEL_EMAIL, "smtp", port=port, priority=1, **settings)
        bad = await senders.provider(event_pb2.CHANNEL_EMAIL, "smtp", port=free_port(), priority=2, **settings)
        sent = await _test(senders, good)
        failed = await _test(senders, bad)
    assert (sent.sent, sent.HasField("failure"), sent.duration_us > 0) == (True, False, True)
    assert [envelope.rcpt_tos for envelope in catcher.envelopes] == [["ada@example.org"]]
    assert (failed.sent, failed.failure.reason) == (False, "provider_unreachable")
    assert failed.failure.advice
    with pytest.raises(ClarionError) as malformed:
        await _test(senders, good, "not an address")
    assert [field for field, _ in malformed.value.fields] == ["recipient"]


async def test_test_messages_are_limited(senders: Senders, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """All at once: as many as a tenant may, and not one more; a sandbox stores them."""
    sandbox = await senders.provider(event_pb2.CHANNEL_SMS, "sandbox")
    asked = [_test(senders, sandbox, "+254712345678") for _ in range(MAX_TESTS_PER_MINUTE + 3)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    refused = [one for one in answers if isinstance(one, ClarionError)]
    assert [one.code for one in refused] == [Code.LIMITED] * 3
    stored = await pool.fetch("SELECT delivery_id FROM senders.outbox")
    assert {str(row["delivery_id"]) for row in stored} == {
        one.delivery_id for one in answers if not isinstance(one, BaseException)
    }


async def _test(senders: Senders, provider_id: str, recipient: str = "ada@example.org") -> Any:
    request = health_pb2.TestProviderRequest(provider_id=provider_id, recipient=recipient)
    return await _health(senders, "TestProvider", request)
