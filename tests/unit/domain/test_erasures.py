"""Who was erased: known by a user id only."""

from services.domain import erasures
from services.domain.pseudonyms import unkeyed
from tests.keyed import KEYED


def test_nobody_is_erased_with_everybody_who_has_no_user_id() -> None:
    """People who are known by an address only share the empty user id."""
    known = erasures.Erasures(KEYED)
    for user_id in ("", "u1"):
        key = erasures.key("t1", KEYED.erasure(unkeyed("t1", user_id)))
        known.on_change(key, b'{"id": "x", "at_us": 10}')
    assert known.find("t1", "u1", 10) is not None
    assert known.find("t1", "u1", 11) is None
    assert known.find("t1", "", 10) is None
