"""Connection tokens: what they claim, and which are refused."""

import time

import jwt
import pytest

from runtime.errors import ClarionError, Code
from services.realtime.tokens import LIFETIME_S, Tokens

_SECRET = "a-token-secret-of-thirty-two-bytes"


def test_a_token_claims_the_principal_and_two_hours_and_nothing_else() -> None:
    """A channels claim would make the page's own subscribe fail as a second one."""
    token = Tokens(_SECRET, now=lambda: 1_700_000_000_999_999).issue("p1")
    assert jwt.get_unverified_header(token)["alg"] == "HS256"
    claims = jwt.decode(token, _SECRET, algorithms=["HS256"], options={"verify_exp": False})
    assert claims == {"sub": "p1", "iat": 1_700_000_000, "exp": 1_700_000_000 + 7200}


def test_a_token_lists_the_namespaces_that_it_opens() -> None:
    """By a claim that the hub ignores: the gateway holds the page to it."""
    token = Tokens(_SECRET).issue("p1", ["global_system", "orders"])
    assert jwt.decode(token, _SECRET, algorithms=["HS256"])["namespaces"] == ["global_system", "orders"]


def test_a_fresh_token_names_its_principal() -> None:
    """What was issued is taken back."""
    tokens = Tokens(_SECRET)
    assert tokens.principal(tokens.issue("p1")) == "p1"


def test_a_token_ends_with_its_two_hours() -> None:
    """To the second."""
    issued_us = 1_700_000_000_000_000
    token = Tokens(_SECRET, now=lambda: issued_us).issue("p1")
    last_us = issued_us + LIFETIME_S * 1_000_000 - 1
    assert Tokens(_SECRET, now=lambda: last_us).principal(token) == "p1"
    with pytest.raises(ClarionError):
        Tokens(_SECRET, now=lambda: last_us + 1).principal(token)


def _encoded(claims: dict[str, object], secret: str = _SECRET, algorithm: str = "HS256") -> str:
    return jwt.encode(claims, secret, algorithm=algorithm)


_SOON = int(time.time()) + 3600


@pytest.mark.parametrize(
    "token",
    [
        "",
        "abc",
        "a.b.c",
        Tokens("another-secret-of-thirty-two-bytes").issue("p1"),
        _encoded({"sub": "p1"}),
        _encoded({"exp": _SOON}),
        _encoded({"sub": 7, "exp": _SOON}),
        _encoded({"sub": "p1", "exp": "soon"}),
        _encoded({"sub": "p1", "exp": _SOON}, "s" * 64, "HS512"),
        pytest.param(_encoded({"sub": "p1", "exp": _SOON}, "", "none"), id="unsigned"),
    ],
)
def test_a_bad_token_is_refused_without_saying_why(token: str) -> None:
    """Forged, unsigned, endless, nameless: one answer."""
    with pytest.raises(ClarionError) as refusal:
        Tokens(_SECRET).principal(token)
    assert (refusal.value.code, refusal.value.detail) == (Code.UNAUTHENTICATED, "The realtime token is not valid.")
