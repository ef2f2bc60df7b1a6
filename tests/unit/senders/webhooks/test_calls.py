"""Which calls begin, which wait a moment, and which are sent away."""

import asyncio

import pytest

from services.senders.webhooks import calls
from services.senders.webhooks.bounds import Limits
from services.senders.webhooks.calls import Calls
from tests.waiting import eventually

TWO = Limits(total=100, of_tenant=2, of_endpoint=64)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits for the end of patience unless it says so."""
    monkeypatch.setattr(calls, "PATIENCE_S", 30.0)
    monkeypatch.setattr(calls, "ALIVE_S", 30.0)


async def _waiting(found: Calls, tenant: str, endpoint: str) -> "asyncio.Task[bool]":
    """Return the task of a call that waits."""
    before = found._waiting
    task = asyncio.create_task(found.enter(tenant, endpoint))
    await eventually(lambda: found._waiting == before + 1)
    return task


async def _is_refused(found: Calls, tenant: str, endpoint: str) -> bool:
    """Return whether a call may not begin, and does not wait either."""
    before = found._waiting
    task = asyncio.create_task(found.enter(tenant, endpoint))
    await asyncio.sleep(0)
    if found._waiting > before:
        task.cancel()
        return False
    return not await task


async def test_a_call_begins_when_another_one_of_its_tenant_has_ended() -> None:
    """In the order in which they came, each to an endpoint of its own."""
    found = Calls(TWO)
    assert [await found.enter("t", f"e{number}") for number in range(2)] == [True, True]
    first, second = await _waiting(found, "t", "e2"), await _waiting(found, "t", "e3")
    found.leave("t", "e0")
    assert await first
    assert not second.done()
    found.leave("t", "e1")
    assert await second
    assert found.under_way == 2


async def test_calls_that_hang_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """No call of the tenant has ended lately. Those of another tenant that end change nothing."""
    found = Calls(TWO)
    assert [await found.enter("t", f"e{number}") for number in range(2)] == [True, True]
    monkeypatch.setattr(calls, "ALIVE_S", -1.0)
    assert await found.enter("other", "e")
    found.leave("other", "e")
    assert await _is_refused(found, "t", "e2")


async def test_an_endpoint_that_hangs_is_not_waited_for_though_others_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its deliveries go into rows at once: in hand they would take the place of others."""
    found = Calls(Limits(total=100, of_tenant=100, of_endpoint=1))
    assert [await found.enter("t", name) for name in ("hung", "well")] == [True, True]
    monkeypatch.setattr(calls, "ALIVE_S", 0.0)
    found._endpoint_moved["well"] = found._tenant_moved["t"] = float("inf")
    assert await _is_refused(found, "t", "hung")
    await _waiting(found, "t", "well")
    found.leave("t", "well")


async def test_many_endpoints_that_must_wait_hide_none_that_need_not() -> None:
    """More than are looked at when a call has ended."""
    hung = [f"hung{number}" for number in range(3 * calls._LOOK_AT)]
    found = Calls(Limits(total=1_000, of_tenant=len(hung) + 2, of_endpoint=1))
    assert all([await found.enter("t", name) for name in [*hung, "a", "b"]])
    for name in hung:
        await _waiting(found, "t", name)
    own, other = await _waiting(found, "t", "a"), await _waiting(found, "t", "c")
    found.leave("t", "a")
    assert await own
    calls_that_end = 0
    while not found._bounds.has_calls_to("c"):
        found.leave("t", "a")
        calls_that_end += 1
        assert found._bounds.has_calls_to("c") or await found.enter("t", "a")
    assert await other
    assert calls_that_end <= 4


async def test_waiting_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has waited in vain takes no place afterwards."""
    monkeypatch.setattr(calls, "PATIENCE_S", 0.01)
    found = Calls(TWO)
    assert [await found.enter("t", f"e{number}") for number in range(2)] == [True, True]
    assert not await found.enter("t", "e2")
    found.leave("t", "e0")
    assert found.under_way == 1


async def test_a_full_endpoint_holds_up_no_other_one() -> None:
    """A call behind one that must wait for its own endpoint begins first."""
    found = Calls(Limits(total=100, of_tenant=3, of_endpoint=1))
    assert [await found.enter("t", name) for name in ("slow", "a", "b")] == [True, True, True]
    slow, well = await _waiting(found, "t", "slow"), await _waiting(found, "t", "c")
    found.leave("t", "a")
    assert await well
    assert not slow.done()
    found.leave("t", "slow")
    assert await slow


async def test_tenants_take_turns() -> None:
    """Where the process is full, a tenant with many calls that wait does not hold up one that has a single call."""
    found = Calls(Limits(total=2, of_tenant=2, of_endpoint=2))
    assert await found.enter("busy", "b0")
    assert await found.enter("other", "o0")
    found.leave("other", "o0")  # calls end, so a tenant that has none may wait
    assert await found.enter("other", "o0")
    many = [await _waiting(found, "busy", f"b{number}") for number in range(1, 5)]
    one = await _waiting(found, "third", "t0")
    found.leave("other", "o0")
    assert found._bounds.has_calls_to("t0")
    assert await one
    found.leave("busy", "b0")
    await eventually(lambda: sum(task.done() for task in many) == 1)
    for task in many:
        task.cancel()


async def test_a_tenant_without_calls_waits_where_the_process_is_full() -> None:
    """If calls of others end."""
    found = Calls(Limits(total=1, of_tenant=1, of_endpoint=1))
    assert await found.enter("busy", "b0")
    assert await _is_refused(found, "new", "n0")
    found.leave("busy", "b0")
    assert await found.enter("busy", "b0")
    new = await _waiting(found, "new", "n0")
    found.leave("busy", "b0")
    assert await new


async def test_a_tenant_leaves_places_to_wait_in() -> None:
    """It takes half of them, the next one half of the rest: the third one still finds some."""
    found = Calls(Limits(total=100, of_tenant=1, of_endpoint=1), most_waiting=8)
    waiting = []
    for tenant, places in (("a", 4), ("b", 2), ("c", 1)):
        assert await found.enter(tenant, f"{tenant}0")
        waiting += [await _waiting(found, tenant, f"{tenant}{number}") for number in range(1, 1 + places)]
        assert await _is_refused(found, tenant, "one too many")
    for task in waiting:
        task.cancel()


async def test_nobody_is_remembered() -> None:
    """Also of calls that were cancelled while they waited, or at the moment when they could have begun."""
    found = Calls(Limits(total=1, of_tenant=1, of_endpoint=1))
    assert await found.enter("t", "e0")
    gone, late = await _waiting(found, "t", "e1"), await _waiting(found, "t", "e2")
    gone.cancel()
    await asyncio.wait([gone])
    found.leave("t", "e0")
    late.cancel()
    await asyncio.wait([late])
    assert (found.under_way, found._waiting, found._lines) == (0, 0, {})
    assert (found._endpoint_moved, found._tenant_moved) == ({}, {})
