"""What the list of reasons says of retries is what the providers' verdicts lead to."""

from collections.abc import Iterator

import pytest

from services.delivery import retry
from services.delivery.ports import SendResult, Verdict
from services.domain import statuses
from services.domain.reasons import Reason
from services.domain.retry_policy import MESSAGES
from services.senders.channels.email.resend import api as resend
from services.senders.channels.sms.africastalking import api as africastalking


def _meanings() -> Iterator[tuple[Verdict, Reason]]:
    for verdict, reason in [*resend._MEANING.values(), *africastalking._MEANING.values()]:
        if isinstance(reason, Reason):
            yield verdict, reason


@pytest.mark.parametrize(("verdict", "reason"), sorted(set(_meanings()), key=str))
def test_a_reason_is_retried_where_its_verdict_is(verdict: Verdict, reason: Reason) -> None:
    """An operator who reads "retried" in docs/statuses.md need not do anything."""
    decision = retry.decide(SendResult(verdict, "p", reason), 1, MESSAGES)
    assert (not statuses.BY_NUMBER[decision.status].is_terminal) is reason.is_retried
