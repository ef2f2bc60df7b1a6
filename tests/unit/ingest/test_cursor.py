"""Cursors are good only for the list that made them."""

import base64

import pytest

from runtime.encryption import Vault
from runtime.errors import ClarionError, Code
from services.ingest.ledger.cursor import Cursors

OLD, NEW = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))
CURSORS = Cursors(Vault(NEW, OLD).tags)
POSITION = ("01a22809-45d6-7009-ac90-181dc121db36", "01a22809-45d6-8c93-873b-627d1f993b02")
FILTERS = ("tenant", None, (6, 7), 'a"b')


def test_a_cursor_is_read_with_the_same_filters() -> None:
    """It holds the two ids."""
    assert CURSORS.decode(CURSORS.encode(POSITION, FILTERS), FILTERS) == POSITION


def test_a_cursor_of_the_key_before_is_read() -> None:
    """Lists go on while the encryption key is replaced."""
    assert CURSORS.decode(Cursors(Vault(OLD).tags).encode(POSITION, FILTERS), FILTERS) == POSITION


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "",
        "é",
        "====",
        CURSORS.encode(POSITION, ("other", None, (6, 7), 'a"b')),
        CURSORS.encode(POSITION, (*FILTERS[:2], (6,), 'a"b')),
        Cursors(Vault(base64.b64encode(bytes(32)).decode()).tags).encode(POSITION, FILTERS),
        CURSORS.encode(POSITION, FILTERS)[:-4],
        "_" + CURSORS.encode(POSITION, FILTERS)[1:],
    ],
)
def test_any_other_cursor_is_refused(cursor: str) -> None:
    """Of another tenant or filter, forged, cut, or nothing at all."""
    with pytest.raises(ClarionError) as refused:
        CURSORS.decode(cursor, FILTERS)
    assert refused.value.code is Code.INVALID
    assert [field for field, _ in refused.value.fields] == ["cursor"]
