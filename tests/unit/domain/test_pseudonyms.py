"""Keyed digests of people: they cannot be made without the key, and can be made from the unkeyed digest."""

import hashlib

import pytest

from clarion.common.v1 import event_pb2
from runtime.errors import ClarionError, Code
from services.domain import pseudonyms, suppression_list
from services.domain.pseudonyms import Pseudonyms, unkeyed
from tests.keyed import KEY, KEYED

SMS = event_pb2.CHANNEL_SMS
TENANT = "0197a0b4-0000-7000-8000-000000000001"


def _all(keyed: Pseudonyms) -> list[str]:
    """The digests of the same person, for each purpose."""
    old = unkeyed(TENANT, "ada")
    return [keyed.suppression(old).hex(), keyed.erasure(old), keyed.revocation(TENANT, "ada"), keyed.fingerprint]


def test_another_key_makes_other_digests() -> None:
    """Each purpose has its own digest, so that tables cannot be joined by it."""
    mine, others = _all(KEYED), _all(Pseudonyms(KEY + "x"))
    assert len({*mine, *others}) == 8
    assert mine == _all(Pseudonyms(KEY))


def test_a_number_cannot_be_enumerated() -> None:
    """Trying all phone numbers against the table finds nobody, because the unkeyed digest is not stored."""
    stored = suppression_list.digest(KEYED, TENANT, SMS, "+254712345678")
    old = hashlib.sha256(f"{TENANT}/{SMS}/+254712345678".encode()).digest()
    assert stored != old
    # What a version without the key stored is brought over without knowing the number.
    assert stored == KEYED.suppression(old)


@pytest.mark.parametrize("key", ["", "short", "x" * 31])
def test_a_key_that_is_too_short_is_refused(key: str) -> None:
    """The error names the setting."""
    with pytest.raises(ClarionError) as fault:
        Pseudonyms(key)
    assert (fault.value.code, fault.value.detail) == (
        Code.INVALID,
        "CLARION_PSEUDONYM_KEY must have at least 32 bytes.",
    )


def test_another_key_than_the_stored_digests_is_refused() -> None:
    """Nobody who unsubscribed would be recognised."""
    pseudonyms.check(KEYED.fingerprint.encode(), KEYED)
    with pytest.raises(ClarionError, match="Set the former key") as fault:
        pseudonyms.check(KEYED.fingerprint.encode(), Pseudonyms("y" * 32))
    assert fault.value.code is Code.INVALID
