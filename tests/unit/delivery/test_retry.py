"""What follows an attempt."""

import pytest

from clarion.common.v1 import trace_pb2
from services.delivery.ports import SendResult, Verdict
from services.delivery.retry import Decision, decide, deferral_s, is_postponed
from services.domain.retry_policy import MESSAGES, WEBHOOKS, RetryPolicy


def _no_jitter(low: float, high: float) -> float:
    return low


def _most_jitter(low: float, high: float) -> float:
    return high


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        (Verdict.SENT, trace_pb2.DELIVERY_STATUS_SENT),
        (Verdict.PERMANENT, trace_pb2.DELIVERY_STATUS_FAILED),
        (Verdict.SKIPPED, trace_pb2.DELIVERY_STATUS_SKIPPED),
        (Verdict.TRANSIENT, trace_pb2.DELIVERY_STATUS_RETRYING),
        (Verdict.THROTTLED, trace_pb2.DELIVERY_STATUS_RETRYING),
    ],
)
def test_first_attempt(verdict: Verdict, status: int) -> None:
    """Only temporary failures are retried."""
    assert decide(SendResult(verdict, "p"), 1, MESSAGES).status == status


def test_delays_follow_the_schedule_and_end() -> None:
    """Each retry waits as listed; after the last one the delivery is dead."""
    failed = SendResult(Verdict.TRANSIENT, "p")
    policy = RetryPolicy((5.0, 30.0, 120.0))
    delays = [decide(failed, attempt, policy, _no_jitter).delay_s for attempt in range(1, 4)]
    assert delays == list(policy.delays_s)
    assert decide(failed, 4, policy).status == trace_pb2.DELIVERY_STATUS_DEAD


def test_jitter_and_bound() -> None:
    """A delay grows by at most the policy's share, and never above its limit of schedules."""
    failed, policy = SendResult(Verdict.TRANSIENT, "p"), RetryPolicy((10.0, 3_600.0), jitter=0.2, longest_timer_s=900.0)
    assert decide(failed, 1, policy, _most_jitter).delay_s == pytest.approx(12.0)
    assert decide(failed, 2, policy, _most_jitter).delay_s == pytest.approx(900.0)


def test_a_provider_s_wish_is_heard() -> None:
    """Retry-After lengthens a delay and never shortens it."""
    policy = RetryPolicy((5.0,))
    assert decide(SendResult(Verdict.THROTTLED, "p", retry_after_s=60), 1, policy, _no_jitter).delay_s == 60
    assert decide(SendResult(Verdict.THROTTLED, "p", retry_after_s=1), 1, policy, _no_jitter).delay_s == 5


def test_a_policy_says_how_often_a_delivery_is_postponed() -> None:
    """After so many deferrals it counts as an attempt; other verdicts always do."""
    policy, busy = RetryPolicy((5.0,), max_postponements=3), SendResult(Verdict.POSTPONED, "p")
    assert [is_postponed(busy, deferrals, policy) for deferrals in (0, 2, 3)] == [True, True, False]
    assert not is_postponed(SendResult(Verdict.THROTTLED, "p"), 0, policy)
    assert decide(busy, 1, policy).status == trace_pb2.DELIVERY_STATUS_RETRYING


def test_deferrals_grow_to_a_minute() -> None:
    """Each deferral is longer than the one before, up to a minute."""
    assert [deferral_s(count, lambda low, high: 1.0) for count in (0, 1, 5, 6, 40)] == [1, 2, 32, 60, 60]


@pytest.mark.parametrize("deferrals", [1_023, 1_024, 2**31 - 1])
def test_deferrals_have_no_last_one(deferrals: int) -> None:
    """Deferrals may go on for days, and 2.0**1024 would overflow."""
    assert deferral_s(deferrals, _no_jitter) == pytest.approx(48)


def test_a_channel_that_parks_waits_as_long_as_it_says() -> None:
    """Beyond the limit of timers a delay is a row, and is not cut."""
    failed, policy = SendResult(Verdict.TRANSIENT, "p"), RetryPolicy((900.0, 3_600.0), parks=True)
    assert decide(failed, 1, policy, _no_jitter) == Decision(trace_pb2.DELIVERY_STATUS_RETRYING, 900.0)
    assert decide(failed, 1, policy, _most_jitter).is_parked
    decision = decide(failed, 2, policy, _most_jitter)
    assert decision.is_parked
    assert decision.delay_s == pytest.approx(4_320.0)


def test_a_wish_has_bounds() -> None:
    """Never shorter than the schedule's delay, at most a day."""
    policy = RetryPolicy((5.0, 3_600.0), parks=True)

    def asked(seconds: float, attempt: int) -> float:
        throttled = SendResult(Verdict.THROTTLED, "p", retry_after_s=seconds)
        return decide(throttled, attempt, policy, _no_jitter).delay_s

    assert [asked(60, 1), asked(60, 2), asked(1e9, 1)] == [60, 3_600, 86_400]


def test_webhooks_are_retried_for_at_least_three_days() -> None:
    """Without any jitter, and with at most a fifth more."""
    assert 3 * 86_400 <= sum(WEBHOOKS.delays_s) <= 3.1 * 86_400
    assert WEBHOOKS.parks
    scaled = WEBHOOKS.scaled(0.001)
    assert sum(scaled.delays_s) == pytest.approx(sum(WEBHOOKS.delays_s) / 1_000)
    assert scaled.longest_timer_s == pytest.approx(0.9)
