"""How an unavailable database is reported."""

import asyncpg
import pytest

from runtime.errors import ClarionError, Code
from runtime.postgres import CONNECTION_ERRORS, unavailable_while_down


@pytest.mark.parametrize("kind", CONNECTION_ERRORS)
def test_connection_errors_are_unavailable(kind: type[Exception]) -> None:
    """Every error of a missing connection becomes UNAVAILABLE, with its cause."""
    fault = kind("gone")
    with pytest.raises(ClarionError) as refused, unavailable_while_down("The outbox"):
        raise fault
    assert refused.value.code is Code.UNAVAILABLE
    assert refused.value.detail == "The outbox does not answer."
    assert refused.value.retry_after == 1
    assert refused.value.__cause__ is fault


@pytest.mark.parametrize("fault", [asyncpg.UniqueViolationError("no"), ClarionError(Code.NOT_FOUND, "no")])
def test_other_errors_pass_unchanged(fault: Exception) -> None:
    """Errors of statements, and our own."""
    with pytest.raises(type(fault)) as refused, unavailable_while_down():
        raise fault
    assert refused.value is fault
