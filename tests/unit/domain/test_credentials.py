"""The scopes and endpoints that a credential is good for."""

import pytest

from runtime.errors import ClarionError, Code
from services.domain.credentials import check_endpoint, scope_of


@pytest.mark.parametrize(
    ("wanted", "scopes", "scope"),
    [("", (), ""), ("live", (), "live"), ("live", ("live", "test"), "live"), ("", ("live",), "live")],
)
def test_a_scope_that_is_allowed(wanted: str, scopes: tuple[str, ...], scope: str) -> None:
    """Every one without scopes; else one of them, and the only one where the event names none."""
    assert scope_of(wanted, scopes) == scope


@pytest.mark.parametrize(("wanted", "scopes"), [("other", ("live",)), ("", ("live", "test"))])
def test_a_scope_that_is_not(wanted: str, scopes: tuple[str, ...]) -> None:
    """The caller is told which ones are."""
    with pytest.raises(ClarionError, match="live") as refused:
        scope_of(wanted, scopes)
    assert refused.value.code is Code.FORBIDDEN


def test_endpoints_of_a_credential() -> None:
    """Without any it may send to all and to none; else only to one of them."""
    check_endpoint("", ())
    check_endpoint("e1", ())
    check_endpoint("e1", ("e1", "e2"))
    for endpoint_id in ("", "e3"):
        with pytest.raises(ClarionError, match="e1, e2") as refused:
            check_endpoint(endpoint_id, ("e2", "e1"))
        assert refused.value.code is Code.FORBIDDEN
