"""What to do about each reason."""

import re

from services.domain.advice import ADVICE, AFTERWARDS, SUFFICIENT, afterwards
from services.domain.reasons import Reason


def test_each_reason_has_advice() -> None:
    """One sentence or more, of which the first begins with a capital and the last ends with a full stop."""
    assert list(ADVICE) == list(Reason)
    for text in ADVICE.values():
        assert text[0].isupper()
        assert text.endswith(".")


def test_nobody_is_told_to_wait_for_what_has_ended() -> None:
    """Advice that already says how to send the message again is in SUFFICIENT, so no second sentence says it."""
    waits = re.compile(r"\bWait\b|is (tried|read|looked for)\b")
    assert [reason for reason in Reason if waits.search(afterwards(reason))] == []
    assert {reason for reason in Reason if waits.search(ADVICE[reason])} == AFTERWARDS.keys()
    says = re.compile(r"\b(replay|retry|recover|backfill)\b")
    assert {reason for reason in Reason if says.search(afterwards(reason))} <= SUFFICIENT
