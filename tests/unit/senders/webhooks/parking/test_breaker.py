"""The circuit breaker: what becomes of an endpoint's health."""

from dataclasses import replace

import pytest

from services.delivery.ports import SendResult, Verdict
from services.domain.reasons import Reason
from services.senders.webhooks.parking import breaker
from services.senders.webhooks.parking.breaker import (
    CLOSED,
    DRAINING,
    OPEN,
    BreakerPolicy,
    Change,
    Health,
    Observation,
    Seen,
    merged,
)

NOW = 1_750_000_000_000_000
S = 1_000_000
POLICY = BreakerPolicy()


def _least(low: float, _: float) -> float:
    return low


def observe(health: Health, seen: Seen | Observation, at_s: float = 0.0, policy: BreakerPolicy = POLICY) -> Change:
    """What follows at a time after NOW, without jitter."""
    at_us = NOW + int(at_s * S)
    observation = seen if isinstance(seen, Observation) else Observation(seen, started_us=at_us)
    return breaker.observe(health, observation, policy, at_us, _least)


WELL = Health()


def after(*failures_s: float, health: Health = WELL) -> Change:
    """The change of the last one of some failures at these times."""
    change = Change(health)
    for at_s in failures_s:
        change = observe(change.health, Seen.FAILED, at_s)
    return change


@pytest.mark.parametrize(
    ("times", "opens"),
    [
        ((0, 0, 0, 0, 0), True),
        ((0, 0, 0, 0), False),
        # An endpoint that times out after 10 s, with a delivery each ten seconds, and its retry.
        ((0, 10, 15), True),
        ((0, 5, 9), False),
        ((0, 20), False),
        # The first three attempts at one delivery that time out: 10 s each, with the longest pauses of 6 and 36 s.
        ((0, 16, 62), True),
        ((0, 61, 122, 183), False),
        ((0, 0, 100, 100, 100), False),
    ],
)
def test_it_opens_within_half_a_minute_of_failing(times: tuple[float, ...], *, opens: bool) -> None:
    """By five failures in a row, or by three over ten seconds."""
    change = after(*times)
    assert (change.health.state == OPEN) is opens
    assert change.went_down is opens
    assert change.health.failing_since_us == NOW


def test_a_success_in_between_begins_anew() -> None:
    """Failures in a row count, not their number."""
    health = observe(after(0, 0, 0, 0).health, Seen.SUCCEEDED).health
    assert health == Health()
    assert after(1, 1, 1, 1, health=health).health.state == CLOSED


def test_failures_of_processes_count_together() -> None:
    """Each reports how many it saw."""
    health = observe(Health(), Observation(Seen.FAILED, started_us=NOW, count=3)).health
    assert observe(health, Observation(Seen.FAILED, started_us=NOW, count=2)).health.state == OPEN


def test_probes_grow_apart_up_to_a_bound() -> None:
    """5, 10, 20 … 300 seconds, with jitter."""
    health = after(0, 0, 0, 0, 0).health
    pauses = [(health.next_probe_us - NOW) / S]
    for _ in range(8):
        at_us = health.next_probe_us
        health = observe(health, Seen.PROBE_FAILED, (at_us - NOW) / S).health
        pauses.append((health.next_probe_us - at_us) / S)
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    most = breaker.observe(after(0, 0, 0, 0).health, Observation(Seen.FAILED, NOW), POLICY, NOW, lambda _, high: high)
    assert most.health.next_probe_us - NOW == 6 * S


def test_a_slow_start_then_closed_and_one_notice_each() -> None:
    """Down once, recovered once, however often the slow start fails in between."""
    health = after(0, 0, 0, 0, 0).health
    draining = observe(health, Seen.PROBE_SUCCEEDED, 10)
    assert (draining.health.state, draining.recovered) == (DRAINING, False)
    again = after(11, 11, 11, 11, 11, health=draining.health)
    assert (again.health.state, again.went_down) == (OPEN, False)
    closed = observe(observe(again.health, Seen.PROBE_SUCCEEDED, 20).health, Seen.DRAINED, 30)
    assert (closed.health.state, closed.recovered) == (CLOSED, True)


def test_attempts_from_before_a_change_do_not_count() -> None:
    """They were under way when the breaker opened; their failures must not end the slow start."""
    draining = observe(after(0, 0, 0, 0, 0).health, Seen.PROBE_SUCCEEDED, 10).health
    old = Observation(Seen.FAILED, started_us=NOW + 9 * S, count=50)
    assert observe(draining, old, 11).health == draining
    assert observe(after(0, 0, 0, 0, 0).health, Seen.SUCCEEDED, 1).health.state == OPEN


def test_after_five_days_of_nothing_but_failures_it_is_hopeless() -> None:
    """Not before, and not after a success."""
    health, day = after(0, 0, 0, 0, 0).health, 86_400.0
    assert not observe(health, Seen.PROBE_FAILED, 4.99 * day).is_hopeless
    assert observe(health, Seen.PROBE_FAILED, 5 * day).is_hopeless
    well = observe(observe(health, Seen.PROBE_SUCCEEDED, day).health, Seen.DRAINED, day).health
    assert not observe(after(*[2 * day] * 5, health=well).health, Seen.PROBE_FAILED, 5 * day).is_hopeless


def test_an_endpoint_that_fails_seldom_is_hopeless_in_the_end() -> None:
    """A failure each two minutes never opens the breaker; after five days it is probed, and that ends it."""
    change, day, at_s = Change(Health()), 86_400.0, 0.0
    while change.health.state == CLOSED and at_s < 6 * day:
        change = observe(change.health, Seen.FAILED, at_s)
        at_s += 120
    assert (change.health.state, change.went_down, change.is_hopeless) == (OPEN, False, False)
    assert 5 * day <= at_s < 5 * day + 240
    assert change.health.failing_since_us == NOW
    assert observe(change.health, Seen.PROBE_FAILED, at_s + 5).is_hopeless
    well = observe(change.health, Seen.PROBE_SUCCEEDED, at_s + 5).health
    assert well.failing_since_us == 0


def test_failures_long_apart_are_not_one_time_of_failing() -> None:
    """No delivery is tried so seldom: what was between them is not known."""
    day = 86_400.0
    health = after(0, day, 2 * day, 3.5 * day, 4.5 * day, 5.5 * day).health
    assert (health.state, health.failing_since_us) == (CLOSED, NOW + int(3.5 * day) * S)


def test_an_endpoint_that_is_not_push_has_no_breaker() -> None:
    """It is closed at once, without a notice, and what it failed before counts on."""
    for health in (after(0, 0, 0, 0, 0).health, Health(state=DRAINING)):
        closed = observe(health, Seen.NOT_PUSHED, 5)
        assert (closed.health.state, closed.recovered) == (CLOSED, False)
        assert closed.health.failing_since_us == health.failing_since_us
    assert observe(Health(failures=2), Seen.NOT_PUSHED, 5).health == Health(failures=2)
    later = Observation(Seen.FAILED, started_us=NOW + 432_000 * S, is_ordered=True)
    switched = observe(after(0, 0, 0, 0, 0).health, Seen.NOT_PUSHED, 5).health
    assert observe(switched, later, 432_000).is_hopeless
    enabled = Observation(Seen.ENABLED, is_ordered=True)
    assert observe(Health(), enabled, 5).health == Health()
    assert observe(after(0, 0, 0, 0, 0).health, enabled, 5).health.state == CLOSED


def test_a_quiet_opening_is_told_when_a_probe_fails() -> None:
    """An endpoint that asked to wait and then fails is down: the tenant is notified of that and of its recovery."""
    asked = observe(Health(), Observation(Seen.FAILED, started_us=NOW, wish_s=90.0)).health
    still = observe(asked, Observation(Seen.PROBE_FAILED, wish_s=90.0), 90)
    operational = observe(asked, Observation(Seen.PROBE_FAILED, is_operational=True), 90)
    assert not still.went_down
    assert not operational.went_down
    failed = observe(still.health, Seen.PROBE_FAILED, 180)
    assert failed.went_down
    again = observe(failed.health, Seen.PROBE_FAILED, 190)
    assert not again.went_down
    assert observe(observe(again.health, Seen.PROBE_SUCCEEDED, 200).health, Seen.DRAINED, 210).recovered


def test_an_ordered_endpoint_is_never_open_and_yet_hopeless_in_the_end() -> None:
    """Its first delivery is retried on its schedule, and holds up the others."""
    failed = Observation(Seen.FAILED, started_us=NOW, is_ordered=True)
    health = Health()
    for _ in range(20):
        change = observe(health, failed)
        health = change.health
    assert (health.state, change.went_down, change.is_hopeless) == (CLOSED, False, False)
    later = Observation(Seen.FAILED, started_us=NOW + 432_000 * S, is_ordered=True)
    assert observe(health, later, 432_000).is_hopeless


def test_time_of_being_disabled_is_no_time_of_failures() -> None:
    """An endpoint that is enabled again has five days, and is probed at once."""
    health = observe(after(0, 0, 0, 0, 0).health, Seen.DISABLED, 10).health
    enabled = observe(health, Seen.ENABLED, 900_000).health
    assert (enabled.state, enabled.next_probe_us) == (OPEN, NOW + 900_000 * S)
    failed = observe(enabled, Seen.PROBE_FAILED, 900_000)
    assert not failed.is_hopeless
    assert failed.health.failing_since_us == NOW + 900_000 * S


def test_what_waited_for_a_disabled_endpoint_is_sent_at_a_bounded_rate() -> None:
    """It is not known to be down, and nobody is notified of anything."""
    draining = observe(Health(), Seen.ENABLED)
    assert draining.health.state == DRAINING
    assert not observe(draining.health, Seen.DRAINED, 1).recovered
    assert after(*[1] * 5, health=draining.health).went_down


def test_an_endpoint_that_asks_to_wait_is_left_alone() -> None:
    """At once, for as long as it says, within bounds, and without a notice."""
    asked = observe(Health(), Observation(Seen.FAILED, started_us=NOW, wish_s=90.0))
    assert (asked.health.state, asked.went_down) == (OPEN, False)
    assert asked.health.next_probe_us == NOW + 90 * S
    day = observe(Health(), Observation(Seen.FAILED, started_us=NOW, wish_s=86_400.0)).health
    assert day.next_probe_us == NOW + 3_600 * S
    recovered = observe(observe(asked.health, Seen.PROBE_SUCCEEDED, 90).health, Seen.DRAINED, 99)
    assert not recovered.recovered


def test_failures_of_operational_events_cause_no_further_ones() -> None:
    """Otherwise an endpoint that gets them would be told of itself for ever."""
    failed = Observation(Seen.FAILED, started_us=NOW, count=5, is_operational=True)
    opened = observe(Health(), failed)
    assert (opened.health.state, opened.went_down) == (OPEN, False)
    assert not observe(observe(opened.health, Seen.PROBE_SUCCEEDED, 9).health, Seen.DRAINED, 9).recovered


@pytest.mark.parametrize(
    ("result", "is_trouble"),
    [
        (SendResult(Verdict.TRANSIENT, "", Reason.ENDPOINT_TIMEOUT), True),
        (SendResult(Verdict.THROTTLED, "", Reason.ENDPOINT_THROTTLED), True),
        (SendResult(Verdict.TRANSIENT, "", Reason.PROVIDER_TIMEOUT), True),
        (SendResult(Verdict.TRANSIENT, "", Reason.INTERNAL_ERROR), False),
        (SendResult(Verdict.PERMANENT, "", Reason.ADDRESS_NOT_ALLOWED), False),
        (SendResult(Verdict.SENT, ""), False),
    ],
)
def test_only_the_endpoint_s_own_trouble_counts(result: SendResult, *, is_trouble: bool) -> None:
    """Our faults, and addresses that we do not allow, say nothing about it."""
    assert breaker.is_trouble(result) is is_trouble


def test_failures_in_a_row_are_reported_as_one() -> None:
    """With the start of the first one: if that was before a change, none of them counts."""
    failed = Observation(Seen.FAILED, started_us=5, is_operational=True)
    found = merged([failed, replace(failed, started_us=3, wish_s=7, is_operational=False), Observation(Seen.SUCCEEDED)])
    assert found == [
        Observation(Seen.FAILED, started_us=3, count=2, wish_s=7),
        Observation(Seen.SUCCEEDED),
    ]


def test_three_days_in_minutes() -> None:
    """A scaled policy keeps the counts of failures."""
    scaled = POLICY.scaled(0.001)
    assert (scaled.probe_s, scaled.longest_probe_s, scaled.disable_after_s) == (0.005, 0.3, 432.0)
    assert (scaled.failures, scaled.few, scaled.few_s) == (5, 3, 10.0)
