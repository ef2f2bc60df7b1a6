"""What operators are told of a provider, from what all processes have stored. Pure."""

from dataclasses import dataclass
from enum import Enum

from services.senders.health.ports import Health


class State(Enum):
    """The state of a provider's circuit breaker."""

    CLOSED = "closed"
    # It is not called until the pause ends.
    OPEN = "open"
    # The pause is over; the next message tests the provider.
    TESTING = "testing"


@dataclass(frozen=True, slots=True)
class ProviderState:
    """The breakers of all processes together. Times are Unix microseconds; 0 and empty while CLOSED.

    since_us: when the first process left CLOSED. next_try_us: when the first process calls it again. paused_processes:
    how many processes are not CLOSED.
    """

    state: State = State.CLOSED
    since_us: int = 0
    next_try_us: int = 0
    reason: str = ""
    paused_processes: int = 0


def combine(health: Health, now_us: int) -> ProviderState:
    """Return the state of a provider: OPEN if it is in any process, else TESTING if it is in any."""
    if not health.breakers:
        return ProviderState()
    is_open = any(one.next_try_us > now_us for one in health.breakers)
    first = min(health.breakers, key=lambda one: one.since_us)
    return ProviderState(
        State.OPEN if is_open else State.TESTING,
        first.since_us,
        min(one.next_try_us for one in health.breakers),
        first.reason,
        len(health.breakers),
    )
