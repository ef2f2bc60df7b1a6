"""Named admin tokens."""

import pytest

from gateway.access.roles import Role
from gateway.operators import Operators, check
from runtime.errors import ClarionError, Code
from runtime.settings import Secret, SettingsError

NAMED = Secret("ada:0123456789abcdef, ci:fedcba9876543210")


def test_each_token_has_its_name() -> None:
    """The first one is called admin."""
    operators = Operators(Secret("root"), NAMED)
    assert operators.identify("Bearer root") == "admin"
    assert operators.identify("bearer 0123456789abcdef") == "ada"
    assert operators.identify("Bearer fedcba9876543210") == "ci"


def test_a_token_may_have_a_role() -> None:
    """Without one it is an owner's."""
    operators = Operators(Secret("root"), Secret("ada:0123456789abcdef, ci=viewer:fedcba9876543210"))
    assert operators.identify("Bearer fedcba9876543210") == "ci"
    assert [operators.role_of(name) for name in ("admin", "ada", "ci")] == [Role.OWNER, Role.OWNER, Role.VIEWER]


@pytest.mark.parametrize("shown", ["", "Bearer", "Bearer ada", "Basic root", "root", "Bearer root,x", "Bearer \udcff"])
def test_nothing_else_is_let_in(shown: str) -> None:
    """A name is no token, and another scheme is none."""
    with pytest.raises(ClarionError) as refused:
        Operators(Secret("root"), NAMED).identify(shown)
    assert refused.value.code is Code.UNAUTHENTICATED


@pytest.mark.parametrize(
    "text",
    [
        "ada",
        "ada:short",
        "ada=king:0123456789abcdef",
        "ada=:0123456789abcdef",
        "Ada:0123456789abcdef",
        ":0123456789abcdef",
        "admin:0123456789abcdef",
        "ada:0123456789abcdef,ada:fedcba9876543210",
        "ada:0123456789abcdef,ci:0123456789abcdef",
    ],
)
def test_what_could_not_be_told_apart_is_refused_at_the_start(text: str) -> None:
    """The process does not start, and says why."""
    with pytest.raises(SettingsError, match="CLARION_ADMIN_TOKENS"):
        check(Secret(text))
