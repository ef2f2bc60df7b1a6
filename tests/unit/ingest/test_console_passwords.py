"""Passwords of console users."""

import asyncio

import pytest

from runtime.errors import ClarionError, Code
from services.ingest.console_users.passwords import Passwords, fault

GOOD = "correct horse battery"


@pytest.mark.parametrize(
    "password",
    ["short", "a" * 20, "abababababab", "x" * 257, "ada@example.com", "ADA@example.com", "nul\0nul\0nul\0nul"],
)
def test_what_is_no_good_password(password: str) -> None:
    """Too short, too long, of too few characters, or what everybody knows."""
    assert fault(password, "ada@example.com").startswith("must")


def test_what_is_a_good_one() -> None:
    """Any characters, also those of other scripts."""
    assert not fault(GOOD, "ada@example.com", "")
    assert not fault("слон летает высоко")


async def test_a_password_is_verified() -> None:
    """However a keyboard composes its characters."""
    passwords = Passwords(rounds=1, memory_kib=64)
    hashed = await passwords.hashed("Schl\u00fcsselbund der Burg")
    assert hashed.startswith("$argon2id$")
    assert hashed != await passwords.hashed("Schl\u00fcsselbund der Burg")
    assert (await passwords.verify("Schlu\u0308sselbund der Burg", hashed)) == (True, None)
    for wrong in ("Schlusselbund der Burg", "", "x" * 100_000, "\ud800"):
        if wrong != "\ud800":
            assert not (await passwords.verify(wrong, hashed)).is_right
    assert not (await passwords.verify(GOOD, "no hash")).is_right
    assert not (await passwords.verify(GOOD, None)).is_right


async def test_a_hash_of_other_parameters_is_renewed() -> None:
    """When its password is shown."""
    old = await Passwords(rounds=1, memory_kib=64).hashed(GOOD)
    passwords = Passwords(rounds=2, memory_kib=64)
    renewed = (await passwords.verify(GOOD, old)).renewed
    assert renewed is not None
    assert (await passwords.verify(GOOD, renewed)) == (True, None)
    assert (await passwords.verify("wrong password", old)).renewed is None


async def test_the_number_of_hashes_is_bounded() -> None:
    """Who comes when too many wait is told to come back."""
    passwords = Passwords(rounds=1, memory_kib=64, most_waiting=3)
    results = await asyncio.gather(*(passwords.hashed(GOOD) for _ in range(10)), return_exceptions=True)
    refused = [one for one in results if isinstance(one, ClarionError)]
    assert {one.code for one in refused} == {Code.OVERLOADED}
    assert 3 <= len(results) - len(refused) < 10
    assert await passwords.hashed(GOOD)
