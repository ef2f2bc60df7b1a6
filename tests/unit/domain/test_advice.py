"""What to do about each reason."""

from services.domain.advice import ADVICE
from services.domain.reasons import Reason


def test_each_reason_has_advice() -> None:
    """One sentence or more, of which the first begins with a capital and the last ends with a full stop."""
    assert list(ADVICE) == list(Reason)
    for text in ADVICE.values():
        assert text[0].isupper()
        assert text.endswith(".")
