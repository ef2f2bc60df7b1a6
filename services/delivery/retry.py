"""What follows an attempt. Pure."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from clarion.common.v1 import trace_pb2
from services.delivery.ports import SendResult, Verdict
from services.domain.retry_policy import RetryPolicy

_MAX_DEFERRAL_S = 60.0
# Two to the power of this is more than that. Deferrals are unbounded, and a float is not.
_MAX_DOUBLINGS = 6

Uniform = Callable[[float, float], float]


@dataclass(frozen=True, slots=True)
class Decision:
    """The delivery's new status. delay_s and is_parked: until the next attempt, in a row if so; only of RETRYING."""

    status: trace_pb2.DeliveryStatus.ValueType
    delay_s: float = 0.0
    is_parked: bool = False


def is_postponed(result: SendResult, deferrals: int, policy: RetryPolicy) -> bool:
    """Return whether this was no attempt. deferrals: how often the delivery was deferred before."""
    return result.verdict is Verdict.POSTPONED and deferrals < policy.max_postponements


def decide(result: SendResult, attempt: int, policy: RetryPolicy, uniform: Uniform = random.uniform) -> Decision:
    """Return what follows attempt number attempt (from 1) with this result."""
    match result.verdict:
        case Verdict.SENT:
            return Decision(trace_pb2.DELIVERY_STATUS_SENT)
        case Verdict.SKIPPED:
            return Decision(trace_pb2.DELIVERY_STATUS_SKIPPED)
        case Verdict.PERMANENT:
            return Decision(trace_pb2.DELIVERY_STATUS_FAILED)
    if attempt > len(policy.delays_s):
        return Decision(trace_pb2.DELIVERY_STATUS_DEAD)
    wish = min(result.retry_after_s, policy.longest_wish_s)
    delay = max(policy.delays_s[attempt - 1], wish) * (1 + uniform(0, policy.jitter))
    is_parked = policy.parks and delay > policy.longest_timer_s
    return Decision(
        trace_pb2.DELIVERY_STATUS_RETRYING, delay if is_parked else min(delay, policy.longest_timer_s), is_parked
    )


def deferral_s(deferrals: int, uniform: Uniform = random.uniform) -> float:
    """Return for how many seconds to defer a delivery that was deferred this often before."""
    return float(min(2.0 ** min(deferrals, _MAX_DOUBLINGS), _MAX_DEFERRAL_S) * uniform(0.8, 1.2))
