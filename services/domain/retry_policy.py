"""How often and when a channel's deliveries are tried again. services/delivery/retry.py applies it."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """What follows failed attempts.

    delays_s: seconds before the second, third, … attempt; after the last one the delivery is a dead letter. jitter:
    each delay grows by up to this share, so that deliveries that failed together are not retried together.
    longest_timer_s: the longest delay that waits in TIMERS. parks: a delivery that waits longer, or that finds no free
    slot, waits in a row of the sender (services.delivery.ports.Parking); without it a longer delay is cut to
    longest_timer_s. max_postponements: how often a delivery is postponed without an attempt (Verdict.POSTPONED), before
    that counts as an attempt. longest_wish_s: the longest Retry-After that is followed.
    """

    delays_s: tuple[float, ...]
    jitter: float = 0.2
    longest_timer_s: float = 900.0
    max_postponements: int = 1_000
    parks: bool = False
    longest_wish_s: float = 86_400.0

    def scaled(self, factor: float) -> "RetryPolicy":
        """Return the policy with all times multiplied: three days in minutes, for a check."""
        return replace(
            self,
            delays_s=tuple(delay * factor for delay in self.delays_s),
            longest_timer_s=self.longest_timer_s * factor,
            longest_wish_s=self.longest_wish_s * factor,
        )


# Seven attempts over about half an hour.
MESSAGES = RetryPolicy((5.0, 30.0, 120.0, 300.0, 600.0, 900.0))
# Eleven attempts over three days, and up to fourteen hours more by the jitter.
WEBHOOKS = RetryPolicy((5.0, 30.0, 120.0, 600.0, 3_600.0, 10_800.0, 21_600.0, 50_400.0, 86_400.0, 86_400.0), parks=True)
