"""What follows an attempt. Pure."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from clarion.common.v1 import trace_pb2
from services.delivery.ports import SendResult, Verdict

# Seconds before the second, third, … attempt: seven attempts over about half an hour.
DEFAULT_DELAYS_S = (5.0, 30.0, 120.0, 300.0, 600.0, 900.0)
# JetStream schedules are used for what is due within this time.
MAX_DELAY_S = 900.0
# Each delay grows by up to this share, so that deliveries that failed together are not retried together.
JITTER = 0.2

# How often a delivery is postponed because its providers are throttled or busy, before that counts as an attempt.
MAX_POSTPONEMENTS = 1_000

_MAX_DEFERRAL_S = 60.0
# Two to the power of this is more than that. Deferrals are unbounded, and a float is not.
_MAX_DOUBLINGS = 6

Uniform = Callable[[float, float], float]


@dataclass(frozen=True, slots=True)
class Decision:
    """The delivery's new status and, for RETRYING, the seconds until the next attempt."""

    status: trace_pb2.DeliveryStatus.ValueType
    delay_s: float = 0.0


def decide(
    result: SendResult, attempt: int, delays_s: Sequence[float] = DEFAULT_DELAYS_S, uniform: Uniform = random.uniform
) -> Decision:
    """Return what follows attempt number attempt (from 1) with this result."""
    match result.verdict:
        case Verdict.SENT:
            return Decision(trace_pb2.DELIVERY_STATUS_SENT)
        case Verdict.SKIPPED:
            return Decision(trace_pb2.DELIVERY_STATUS_SKIPPED)
        case Verdict.PERMANENT:
            return Decision(trace_pb2.DELIVERY_STATUS_FAILED)
    if attempt > len(delays_s):
        return Decision(trace_pb2.DELIVERY_STATUS_DEAD)
    delay = max(delays_s[attempt - 1], result.retry_after_s) * (1 + uniform(0, JITTER))
    return Decision(trace_pb2.DELIVERY_STATUS_RETRYING, min(delay, MAX_DELAY_S))


def deferral_s(deferrals: int, uniform: Uniform = random.uniform) -> float:
    """Return for how many seconds to defer a delivery that was deferred this often before."""
    return float(min(2.0 ** min(deferrals, _MAX_DOUBLINGS), _MAX_DEFERRAL_S) * uniform(0.8, 1.2))
