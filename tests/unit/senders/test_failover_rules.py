"""The rules of failover, as values: which outcome lets the next provider be called, and what they add up to."""

import pytest

from runtime.parts import POSTGRES, PartAway
from services.delivery.ports import ProviderCall, SendResult, Verdict
from services.senders import failover
from services.senders.breaker import CIRCUIT_OPEN, Pause
from services.senders.failover import Outcome, Paused

_SENT = SendResult(Verdict.SENT, "smtp")
_DOWN = SendResult(Verdict.TRANSIENT, "smtp", "provider_unreachable")
_THROTTLED = SendResult(Verdict.THROTTLED, "smtp", "provider_throttled", retry_after_s=30)
_WRONG_KEY = SendResult(Verdict.CREDENTIALS, "smtp", "provider_credentials")
_REFUSED = SendResult(Verdict.PERMANENT, "smtp", "recipient_refused")
_NOT_ALLOWED = SendResult(Verdict.PERMANENT, "smtp", "address_not_allowed")
_UNKNOWN_TENANT = SendResult(Verdict.POSTPONED, "smtp", "tenant_unknown")
_OPEN = Paused("smtp", Pause(CIRCUIT_OPEN, "provider_timeout", 12))
_BUSY = Paused("resend", Pause("provider_busy", "", 0))
_ACCOUNT = Paused("twilio", Pause("provider_credentials", "401", 200))
_AWAY = PartAway(POSTGRES)


def _outcome(one: SendResult | Paused | PartAway) -> Outcome:
    return ProviderCall(one, ended_us=2, took_us=1) if isinstance(one, SendResult) else one


@pytest.mark.parametrize(
    ("last", "goes_on"),
    [
        (_SENT, False),
        (_REFUSED, False),
        (_UNKNOWN_TENANT, False),
        (_DOWN, True),
        (_THROTTLED, True),
        (_WRONG_KEY, True),
        (_NOT_ALLOWED, True),
        (_OPEN, True),
        (_AWAY, True),
    ],
    ids=str,
)
def test_when_the_next_provider_is_called(last: SendResult | Paused | PartAway, *, goes_on: bool) -> None:
    """After trouble of the provider's own, not after an answer about this message."""
    assert failover.should_go_on([_outcome(last)], 0.0) is goes_on


def test_failover_is_bounded() -> None:
    """By calls, not by providers that were paused; and by time."""
    assert failover.should_go_on([], 0.0)
    assert failover.should_go_on([_OPEN] * 50, 0.0)
    assert failover.should_go_on([_outcome(_DOWN)] * (failover.MAX_CALLS - 1), failover.MAX_FAILOVER_S)
    assert not failover.should_go_on([_outcome(_DOWN)] * failover.MAX_CALLS, 0.0)
    assert not failover.should_go_on([_outcome(_DOWN)], failover.MAX_FAILOVER_S + 0.1)


@pytest.mark.parametrize(
    ("outcomes", "verdict", "reason", "earlier"),
    [
        pytest.param([], Verdict.PERMANENT, "provider_gone", [], id="no-provider-left"),
        pytest.param([_DOWN, _SENT], Verdict.SENT, "", ["provider_unreachable"], id="second-sends"),
        pytest.param([_OPEN, _SENT], Verdict.SENT, "", [], id="paused-leaves-no-record"),
        pytest.param([_AWAY, _SENT], Verdict.SENT, "", [], id="away-leaves-no-record"),
        pytest.param(
            [_DOWN, _NOT_ALLOWED], Verdict.TRANSIENT, "provider_unreachable", ["address_not_allowed"], id="is-retried"
        ),
        pytest.param([_NOT_ALLOWED, _OPEN], Verdict.TRANSIENT, CIRCUIT_OPEN, [], id="waits-for-the-paused"),
        pytest.param([_NOT_ALLOWED], Verdict.PERMANENT, "address_not_allowed", [], id="nobody-else"),
        pytest.param([_OPEN, _BUSY], Verdict.POSTPONED, "provider_busy", [], id="busy-is-no-attempt"),
        pytest.param([_OPEN, _ACCOUNT], Verdict.TRANSIENT, CIRCUIT_OPEN, [], id="circuit-open"),
        pytest.param([_ACCOUNT, _OPEN], Verdict.CREDENTIALS, "provider_credentials", [], id="first-one-decides"),
    ],
)
def test_what_outcomes_add_up_to(
    outcomes: list[SendResult | Paused | PartAway], verdict: Verdict, reason: str, earlier: list[str]
) -> None:
    """One result, with the calls before it."""
    result = failover.conclude([_outcome(one) for one in outcomes])
    assert (result.verdict, result.reason) == (verdict, reason)
    assert [call.result.reason for call in result.earlier] == earlier


@pytest.mark.parametrize("outcomes", [[_AWAY], [_AWAY, _OPEN], [_NOT_ALLOWED, _AWAY], [_AWAY, _NOT_ALLOWED]], ids=str)
def test_an_away_part_is_no_attempt(outcomes: list[SendResult | Paused | PartAway]) -> None:
    """Where no provider was called, the delivery waits for the part."""
    with pytest.raises(PartAway):
        failover.conclude([_outcome(one) for one in outcomes])


def test_the_next_attempt_comes_when_the_first_provider_has_time() -> None:
    """Of those that were called; and of those that are paused."""
    longer = SendResult(Verdict.THROTTLED, "smtp", "provider_throttled", retry_after_s=90)
    assert failover.conclude([_outcome(longer), _outcome(_THROTTLED)]).retry_after_s == 30
    later = Paused("smtp", Pause(CIRCUIT_OPEN, "", 300))
    assert failover.conclude([later, _OPEN]).retry_after_s == 12
