"""When a provider is left alone, and how it comes back."""

import pytest

from services.delivery.ports import SendResult, Verdict
from services.senders.breaker import Breaker, BreakerPolicy

_POLICY = BreakerPolicy(failures=3, pause_s=10, uniform=lambda low, _: low)
_DOWN = SendResult(Verdict.TRANSIENT, "resend", "provider_unreachable", "refused")
_SENT = SendResult(Verdict.SENT, "resend")


def _ask(breaker: Breaker, result: SendResult, now: float) -> None:
    breaker.end_call(breaker.start_call(), result, now)


def _open(now: float = 0.0) -> Breaker:
    breaker = Breaker(_POLICY)
    for _ in range(3):
        _ask(breaker, _DOWN, now)
    return breaker


def _wait(breaker: Breaker, now: float) -> float:
    pause = breaker.pause(now)
    return pause.wait_s if pause else 0.0


def test_failures_in_a_row_open_it() -> None:
    """Two failures and a success do not open it; three failures do."""
    breaker = Breaker(_POLICY)
    for result in (_DOWN, _DOWN, _SENT, _DOWN, _DOWN):
        _ask(breaker, result, 0)
        assert breaker.pause(0) is None
    _ask(breaker, _DOWN, 0)
    pause = breaker.pause(4)
    assert pause is not None
    assert (pause.reason, pause.detail, pause.wait_s) == ("provider_circuit_open", "provider_unreachable: refused", 6)


@pytest.mark.parametrize(
    "result",
    [
        SendResult(Verdict.PERMANENT, "resend", "recipient_refused"),
        SendResult(Verdict.TRANSIENT, "smtp", "provider_deferred"),
        SendResult(Verdict.TRANSIENT, "twilio", "provider_no_route"),
    ],
    ids=lambda result: result.reason,
)
def test_a_no_shows_that_it_works(result: SendResult) -> None:
    """An answer about a message does not count as a failure of the provider."""
    breaker = Breaker(_POLICY)
    for _ in range(2):
        _ask(breaker, _DOWN, 0)
    _ask(breaker, result, 0)
    _ask(breaker, _DOWN, 0)
    assert breaker.pause(0) is None


def test_one_asks_after_the_rest_and_decides_for_all() -> None:
    """During the probe no other call is made; its success closes the circuit."""
    breaker = _open()
    assert _wait(breaker, 9.9) == pytest.approx(0.1)
    assert breaker.pause(10) is None
    probe = breaker.start_call()
    assert _wait(breaker, 10) == 1
    breaker.end_call(probe, _SENT, 11)
    assert breaker.pause(11) is None
    assert not breaker.reason


def test_a_probe_in_vain_doubles_the_rest() -> None:
    """Up to five minutes; after a success the first pause is short again."""
    breaker, now, waits = _open(), 10.0, []
    for _ in range(6):
        _ask(breaker, _DOWN, now)
        waits.append(_wait(breaker, now))
        now += waits[-1]
    assert waits == [20, 40, 80, 160, 300, 300]
    _ask(breaker, _SENT, now)
    for _ in range(3):
        _ask(breaker, _DOWN, now)
    assert _wait(breaker, now) == 10


def test_a_probe_that_was_given_up() -> None:
    """The next call is the probe."""
    breaker = _open()
    breaker.abandon_call(breaker.start_call())
    assert breaker.pause(10) is None


def test_answers_to_earlier_questions_change_nothing() -> None:
    """Calls that were under way when it opened neither lengthen nor end the pause."""
    breaker = Breaker(_POLICY)
    begun = [breaker.start_call() for _ in range(10)]
    for one in begun[:9]:
        breaker.end_call(one, _DOWN, 0)
    breaker.end_call(begun[9], _SENT, 1)
    assert _wait(breaker, 0) == 10


def test_a_provider_that_was_changed_meanwhile() -> None:
    """Results of calls with the old settings do not open the circuit."""
    breaker = Breaker(BreakerPolicy(failures=1))
    begun = breaker.start_call()
    breaker.retire()
    breaker.end_call(begun, _DOWN, 0)
    assert not breaker.reason


def test_who_asks_for_time_gets_it() -> None:
    """For as long as the provider said, or a second."""
    for said, wait in ((30.0, 30.0), (0.0, 1.0)):
        breaker = Breaker(_POLICY)
        _ask(breaker, SendResult(Verdict.THROTTLED, "resend", "provider_throttled", retry_after_s=said), 0)
        assert breaker.reason == "provider_throttled"
        assert _wait(breaker, 0) == wait


def test_a_refused_account_is_not_asked_again_soon() -> None:
    """One refusal is enough."""
    breaker = Breaker(_POLICY)
    _ask(breaker, SendResult(Verdict.CREDENTIALS, "resend", "provider_credentials", "401"), 0)
    assert (breaker.reason, _wait(breaker, 0)) == ("provider_credentials", 300)


def test_many_do_not_come_back_together() -> None:
    """The pause grows by up to a fifth."""
    breaker = Breaker(BreakerPolicy(failures=1, pause_s=10, uniform=lambda _, high: high))
    _ask(breaker, _DOWN, 0)
    assert _wait(breaker, 0) == 12
