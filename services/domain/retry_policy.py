"""How often and when a channel's deliveries are tried again. services/delivery/retry.py applies it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """What follows failed attempts.

    delays_s: seconds before the second, third, … attempt; after the last one the delivery is a dead letter. jitter:
    each delay grows by up to this share, so that deliveries that failed together are not retried together.
    longest_timer_s: the longest delay that waits in TIMERS; a longer one is cut to it. max_postponements: how often a
    delivery is postponed without an attempt (Verdict.POSTPONED), before that counts as an attempt.
    """

    delays_s: tuple[float, ...]
    jitter: float = 0.2
    longest_timer_s: float = 900.0
    max_postponements: int = 1_000


# Seven attempts over about half an hour.
MESSAGES = RetryPolicy((5.0, 30.0, 120.0, 300.0, 600.0, 900.0))
# Twelve attempts over about four days.
WEBHOOKS = RetryPolicy((5.0, 30.0, 120.0, 600.0, 3_600.0, 10_800.0, 21_600.0, 43_200.0, 86_400.0, 86_400.0, 86_400.0))
