"""Deliveries of which a second copy may wait: which of them the worker claims, and what it does with the others."""

from typing import Any

import pytest

from services.delivery.ports import SendResult, Verdict
from tests.unit.delivery.desk import (
    BUSY,
    CLAIMS_SERVICE,
    DEAD,
    NOW_US,
    QUEUED,
    RETRYING,
    SENT,
    YOUNG_US,
    Desk,
    Signer,
    a_delivery,
    crash,
)
from tests.waiting import eventually


async def test_what_is_old_is_claimed_at_the_ledger(desk: Desk) -> None:
    """What had its attempt is dropped, and acknowledged; what had none goes out."""
    old = {"accepted_at_us": NOW_US - YOUNG_US}
    handled, waiting, unknown, decided_late = (a_delivery(**old) for _ in range(4))
    decided_late.accepted_at_us, decided_late.decided_at_us = 1, NOW_US - YOUNG_US
    desk.neighbours.states = {handled.id: SENT, waiting.id: QUEUED}
    desk.start()
    for one in (handled, waiting, unknown, decided_late):
        await desk.see(one)
    assert desk.far_side.attempted == [waiting.id, unknown.id, decided_late.id]
    assert desk.caller.asked.count("ClaimDeliveries") == 4
    assert (waiting.id, 0) in desk.neighbours.claims.holders


async def test_of_two_copies_the_first_goes(desk: Desk) -> None:
    """Both wait while the ledger is away and knows of no attempt; the other copy is dropped."""
    desk.caller.away.add(CLAIMS_SERVICE)
    desk.start()
    one = a_delivery(accepted_at_us=1)
    copies = [await desk.take(one), await desk.take(one)]
    desk.caller.away.clear()
    await eventually(lambda: all(copy.acked for copy in copies))
    assert (desk.far_side.attempted, desk.timers) == ([one.id], [])


async def test_a_copy_that_comes_again_has_its_claim(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker crashed after it had claimed; a copy that was first seen meanwhile is dropped."""
    desk.start()
    one = a_delivery(accepted_at_us=1)
    with monkeypatch.context() as patch:
        patch.setattr(desk.far_side, "slot", crash)
        message = await desk.take(one)
        await eventually(lambda: message.deliveries == 1 and not desk.worker._tasks, every=0)
    await desk.see(one)
    assert desk.far_side.attempted == []
    await desk.broker.redeliver()
    await eventually(lambda: message.acked, every=0)
    assert desk.far_side.attempted == [one.id]


@pytest.mark.parametrize("accepted_at_us", [1, NOW_US], ids=["old", "young"])
async def test_a_deferral_keeps_the_claim_of_its_message(desk: Desk, accepted_at_us: int) -> None:
    """Its timer goes on, however often it is deferred; the same delivery from DELIVERIES once more does not."""
    postponed = SendResult(Verdict.POSTPONED, "test", "provider_throttled")
    desk.start(postponed, postponed, BUSY)
    one = a_delivery(accepted_at_us=accepted_at_us)
    message = await desk.see(one)
    token = f"DELIVERIES.{message.sequence}"
    assert [again.claim for again in desk.timers] == [token]
    desk.now_us += 10 * YOUNG_US
    await desk.see(desk.timers[0], due=True)
    assert desk.neighbours.claims.holders == {(one.id, 0): token}
    await desk.see(one)
    assert [again.claim for again in desk.timers] == [token, token]
    await desk.see(desk.timers[1], due=True)
    assert [(again.attempt, again.claim) for again in desk.timers[2:]] == [(2, "")]
    assert len(desk.far_side.calls) == 3


async def test_two_copies_have_two_timers(desk: Desk) -> None:
    """The broker takes no timer of a copy for that of another one: it would be lost with its message."""
    desk.start(SendResult(Verdict.POSTPONED, "test", "provider_throttled"))
    one = a_delivery()
    await desk.see(one)
    await desk.see(one)
    assert len({again.claim for again in desk.timers}) == 2


async def test_what_an_earlier_version_deferred_only_asks(desk: Desk) -> None:
    """Its copy has no name, and may be the very one that has the claim: what had its attempt is dropped, no more."""
    claimed, handled = a_delivery(accepted_at_us=1), a_delivery(accepted_at_us=1)
    desk.neighbours.claims.holders[claimed.id, 0] = "DELIVERIES.1"
    desk.neighbours.states = {handled.id: RETRYING}
    desk.start()
    for one in (claimed, handled):
        await desk.see(one, due=True)
    assert desk.far_side.attempted == [claimed.id]


async def test_each_replay_has_a_claim_of_its_own(desk: Desk) -> None:
    """The second copy of a replay is dropped, and so is what waits of the round before."""
    one = a_delivery(accepted_at_us=1, claim="DELIVERIES.1")
    again = a_delivery(**{**{name.name: value for name, value in one.ListFields()}, "replay": 1})
    desk.neighbours.states[one.id] = DEAD
    desk.start()
    for copy in (again, again, one):
        await desk.see(copy)
    assert desk.far_side.attempted == [one.id]


async def test_a_delivery_that_grew_old_while_it_was_prepared(desk: Desk) -> None:
    """It is claimed before it is sent."""
    signer = Signer()
    signer.prepared = lambda: setattr(desk, "now_us", desk.now_us + YOUNG_US)
    desk.start(attempter=signer)
    one, two = a_delivery(accepted_at_us=NOW_US), a_delivery(accepted_at_us=NOW_US + YOUNG_US)
    desk.neighbours.claims.holders[two.id, 0] = "DELIVERIES.99"
    await desk.see(one)
    await desk.see(two)
    assert [step.delivery_id for step in desk.steps] == [one.id]
    assert (one.id, 0) in desk.neighbours.claims.holders


@pytest.mark.parametrize(
    ("fields", "due"),
    [
        pytest.param({"accepted_at_us": NOW_US - YOUNG_US + 1}, False, id="young"),
        pytest.param({"accepted_at_us": 1, "decided_at_us": NOW_US - YOUNG_US + 1}, False, id="just decided"),
        pytest.param({"accepted_at_us": NOW_US - YOUNG_US + 1}, True, id="young timer"),
        pytest.param({"accepted_at_us": 1, "attempt": 2}, True, id="retry"),
    ],
)
async def test_the_ledger_is_not_asked_about(desk: Desk, fields: dict[str, Any], *, due: bool) -> None:
    """What the broker itself keeps single; retries are meant to come although the ledger knows the delivery."""
    desk.start()
    one = a_delivery(**fields)
    desk.neighbours.states[one.id] = RETRYING
    await desk.see(one, due=due)
    assert desk.far_side.attempted == [one.id]
    assert "ClaimDeliveries" not in desk.caller.asked


async def test_a_ledger_of_an_earlier_version_is_asked_for_states(desk: Desk) -> None:
    """It knows no claims: what it says was handled is dropped, replays go out."""
    desk.caller.unimplemented.add("ClaimDeliveries")
    handled, waiting, replayed = (a_delivery(accepted_at_us=1, replay=replay) for replay in (0, 0, 1))
    desk.neighbours.states = {handled.id: SENT, waiting.id: QUEUED, replayed.id: DEAD}
    desk.start()
    for one in (handled, waiting, replayed):
        await desk.see(one)
    assert desk.far_side.attempted == [waiting.id, replayed.id]


@pytest.mark.parametrize("due", [False, True], ids=["first", "deferred"])
async def test_without_the_ledger_nothing_old_goes_out(desk: Desk, *, due: bool) -> None:
    """It might be a second time: it waits in hand, and what is young goes on."""
    desk.caller.away.add(CLAIMS_SERVICE)
    desk.start()
    old = await desk.take(a_delivery(accepted_at_us=1, claim="DELIVERIES.1"), due=due)
    young = a_delivery()
    await desk.see(young)
    assert (old.acked, desk.far_side.attempted, desk.timers) == (False, [young.id], [])
    desk.caller.away.clear()
    await eventually(lambda: old.acked)
