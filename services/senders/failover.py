"""Which providers one attempt calls, and what the attempt's result is. Pure: outcomes in, decisions out.

An outcome is what one provider brought: a call (ProviderCall), no call because the provider is paused (Paused), or no
call because a part of Clarion that it needs is away (PartAway).
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from runtime.parts import PartAway
from services.delivery.ports import ProviderCall, SendResult, Verdict
from services.domain.reasons import Reason
from services.senders.breaker import CIRCUIT_OPEN, Pause
from services.senders.ports import ADDRESS_NOT_ALLOWED

# The most providers that one attempt calls, and for how long it goes on to others after the first, seconds.
MAX_CALLS = 5
MAX_FAILOVER_S = 10.0

PROVIDER_GONE = SendResult(
    Verdict.PERMANENT, provider="", reason=Reason.PROVIDER_GONE, detail="The provider was deleted."
)

# After these another provider may accept the delivery.
_PROVIDER_IN_TROUBLE = frozenset({Verdict.TRANSIENT, Verdict.THROTTLED, Verdict.CREDENTIALS})

# These pass without anybody's help: the provider accepts the delivery later.
_TEMPORARY = frozenset({Reason.PROVIDER_THROTTLED, Reason.PROVIDER_BUSY})


@dataclass(frozen=True, slots=True)
class Paused:
    """A provider that was not called. kind: the provider's."""

    kind: str
    pause: Pause


Outcome = ProviderCall | Paused | PartAway


def should_go_on(outcomes: Sequence[Outcome], failover_s: float) -> bool:
    """Return whether the next provider is called. failover_s: how long calling the others has taken so far."""
    calls = _calls(outcomes)
    if len(calls) >= MAX_CALLS or failover_s > MAX_FAILOVER_S:
        return False
    last = outcomes[-1] if outcomes else None
    return not isinstance(last, ProviderCall) or _another_may_accept(last.result)


def conclude(outcomes: Sequence[Outcome]) -> SendResult:
    """Return the attempt's result. Without any outcome the tenant has no provider left: PROVIDER_GONE.

    Raises PartAway where no provider was called, and one of them could not be because a part of Clarion is away.
    """
    calls = _deciding_call_last(_calls(outcomes))
    away = [outcome for outcome in outcomes if isinstance(outcome, PartAway)]
    paused = [outcome for outcome in outcomes if isinstance(outcome, Paused)]
    # A provider whose address is not allowed decides only where no other one can be waited for.
    if calls and not (is_not_allowed(calls[-1].result) and (away or paused)):
        return _result_of_calls(calls)
    if away:
        raise away[-1]
    return _result_of_pauses(paused) if paused else PROVIDER_GONE


def is_not_allowed(result: SendResult) -> bool:
    """Return whether the provider was not contacted because its address is not allowed."""
    return result.reason == ADDRESS_NOT_ALLOWED


def _calls(outcomes: Sequence[Outcome]) -> list[ProviderCall]:
    return [outcome for outcome in outcomes if isinstance(outcome, ProviderCall)]


def _another_may_accept(result: SendResult) -> bool:
    return is_not_allowed(result) or (result.verdict in _PROVIDER_IN_TROUBLE and result.reason != Reason.TENANT_UNKNOWN)


def _deciding_call_last(calls: list[ProviderCall]) -> list[ProviderCall]:
    """Move calls whose address is not allowed before the others: the others' answers may lead to a retry."""
    if not calls or not is_not_allowed(calls[-1].result):
        return calls
    return sorted(calls, key=lambda call: not is_not_allowed(call.result))


def _result_of_calls(calls: Sequence[ProviderCall]) -> SendResult:
    """Return the last call's result with the earlier ones. The next attempt comes when the first of them has time."""
    last = calls[-1].result
    if len(calls) == 1:
        return last
    wait_s = min((call.result.retry_after_s for call in calls if not is_not_allowed(call.result)), default=0.0)
    return dataclasses.replace(last, earlier=calls[:-1], retry_after_s=wait_s)


def _result_of_pauses(paused: Sequence[Paused]) -> SendResult:
    """Return the result for "every provider is paused".

    A provider that is throttled or busy accepts the delivery later: it is POSTPONED, which is no attempt. Otherwise
    this is a failed attempt, so that the delivery ends some day; the next attempt comes when the first provider may be
    called again.
    """
    temporary = [(one.pause.wait_s, one.kind, one.pause.reason) for one in paused if one.pause.reason in _TEMPORARY]
    if temporary:
        wait_s, kind, reason = min(temporary)
        return SendResult(Verdict.POSTPONED, kind, reason, retry_after_s=wait_s)
    kind, pause = paused[0].kind, paused[0].pause
    detail = f"Not called: it failed before and is paused for another {pause.wait_s:.0f} s. {pause.detail}"
    if pause.reason != CIRCUIT_OPEN:
        return SendResult(Verdict.CREDENTIALS, kind, pause.reason, detail)
    wait_s = min(one.pause.wait_s for one in paused if one.pause.reason == CIRCUIT_OPEN)
    return SendResult(Verdict.TRANSIENT, kind, pause.reason, detail, retry_after_s=wait_s)
