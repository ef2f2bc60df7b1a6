"""What "the database is away" becomes."""

import asyncpg
import pytest

from runtime.errors import ClarionError, Code
from runtime.postgres import CONNECTION_ERRORS, unavailable_while_down


@pytest.mark.parametrize("kind", CONNECTION_ERRORS)
def test_away_is_unavailable(kind: type[Exception]) -> None:
    """Whatever says that nobody is there is UNAVAILABLE, to be tried again, with its cause."""
    fault = kind("gone")
    with pytest.raises(ClarionError) as refused, unavailable_while_down("The outbox"):
        raise fault
    assert refused.value.code is Code.UNAVAILABLE
    assert refused.value.detail == "The outbox does not answer."
    assert refused.value.retry_after == 1
    assert refused.value.__cause__ is fault


@pytest.mark.parametrize("fault", [asyncpg.UniqueViolationError("no"), ClarionError(Code.NOT_FOUND, "no")])
def test_a_no_stays_a_no(fault: Exception) -> None:
    """What the database refuses, and what we raise ourselves, passes as it is."""
    with pytest.raises(type(fault)) as refused, unavailable_while_down():
        raise fault
    assert refused.value is fault
