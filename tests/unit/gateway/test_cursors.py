"""Cursors: only the list takes them that gave them out."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cursors import Cursors
from runtime.errors import ClarionError, Code

CURSORS = Cursors("a service token")


@given(st.text(), st.lists(st.text(), max_size=3))
def test_the_list_takes_its_own(cursor: str, bound: list[str]) -> None:
    """Of another gateway with the same token, too."""
    cursor, bound = cursor.replace("\ud800", ""), list(bound)
    assert Cursors("a service token").open(CURSORS.seal(cursor, *bound), *bound) == cursor


@pytest.mark.parametrize(
    ("cursors", "bound"),
    [
        (CURSORS, ("tenant", "endpoint", "failed")),
        (CURSORS, ("tenant", "another", "")),
        (CURSORS, ("tenant", "endpoint")),
        (CURSORS, ("tenantendpoint", "", "")),
        (Cursors("another token"), ("tenant", "endpoint", "")),
    ],
)
def test_no_other_list_takes_it(cursors: Cursors, bound: tuple[str, ...]) -> None:
    """Another filter is another list."""
    sealed = CURSORS.seal("cursor", "tenant", "endpoint", "")
    with pytest.raises(ClarionError) as caught:
        cursors.open(sealed, *bound)
    assert caught.value.code is Code.INVALID
    assert [field for field, _ in caught.value.fields] == ["cursor"]


@given(st.text(max_size=60))
def test_nobody_makes_one(text: str) -> None:
    """Whatever it is: it is refused, and nothing else happens."""
    with pytest.raises(ClarionError):
        CURSORS.open(text, "tenant")


def test_it_tells_nothing() -> None:
    """Neither what it is of, nor whether two are the same."""
    sealed = CURSORS.seal("01a1fe7a-0000", "tenant")
    assert b"01a1" not in base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
    assert sealed != CURSORS.seal("01a1fe7a-0000", "tenant")


def test_a_changed_one_is_refused() -> None:
    """Each character counts, but for what base64 does not say."""
    sealed = CURSORS.seal("cursor", "tenant")
    for place in range(len(sealed) - 1):
        other = "A" if sealed[place] != "A" else "B"
        with pytest.raises(ClarionError):
            CURSORS.open(sealed[:place] + other + sealed[place + 1 :], "tenant")
