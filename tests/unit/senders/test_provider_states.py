"""The state of a provider, from the breakers of all processes."""

from services.senders.health.ports import Health, OpenBreaker
from services.senders.health.states import ProviderState, State, combine


def _breaker(since_us: int, next_try_us: int, reason: str = "provider_circuit_open") -> OpenBreaker:
    return OpenBreaker("p1", "t1", reason, since_us, next_try_us)


def test_a_provider_without_breakers_is_closed() -> None:
    """No process pauses it."""
    assert combine(Health(), 100) == ProviderState()


def test_the_worst_process_decides() -> None:
    """Open in one of two processes is open, since the first one and until the first one tries again."""
    found = combine(Health([_breaker(20, 90), _breaker(10, 200, "provider_throttled")]), 100)
    assert found == ProviderState(State.OPEN, 10, 90, "provider_throttled", 2)


def test_after_the_pause_the_next_message_tests_it() -> None:
    """At the end of the pause, not a moment later."""
    assert combine(Health([_breaker(10, 100)]), 99).state is State.OPEN
    assert combine(Health([_breaker(10, 100)]), 100).state is State.TESTING
