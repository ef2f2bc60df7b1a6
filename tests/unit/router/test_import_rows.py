"""Rows of CSV files: read in parts they are the same as read at once."""

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runtime.errors import ClarionError
from services.router.imports import rows
from services.router.imports.rows import Import, Row, Unreadable

_CELLS = st.text(st.sampled_from('ab,;"\n\ré😀 '), max_size=6)


def _read(file: bytes, size: int) -> list[Row]:
    """Return all rows, read in parts of some bytes, each of which begins with a row."""
    found: list[Row] = []
    position, line = 0, 1
    while position < len(file):
        part = file[position : position + size]
        is_end = position + len(part) >= len(file)
        some = list(rows.rows(part, position, line, ",", is_end=is_end))
        if not some and is_end:  # nothing but a byte order mark, which no header is
            return found
        if not some:
            size *= 2  # as no row of a real part is longer than it
            continue
        found += some
        position, line = some[-1].end, some[-1].next_line
    return found


@given(st.lists(st.lists(_CELLS, min_size=1, max_size=4), max_size=8), st.integers(1, 40))
def test_parts_give_the_same_rows(table: list[list[str]], size: int) -> None:
    """Wherever a part ends, with line ends within quotes."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(table)
    file = text.getvalue().encode()
    found = _read(file, size)
    assert [list(row.cells) for row in found] == [[cell.strip() for cell in row] for row in table]
    assert found == _read(file, len(file) + 1)
    assert [file[: row.end].count(b"\n") + 1 for row in found] == [row.next_line for row in found]


@given(st.binary(max_size=200), st.integers(1, 40))
@example("\ufeff".encode(), 1)
def test_any_bytes_are_read_to_their_end(file: bytes, size: int) -> None:
    """A row that cannot be read has a fault, and the next one is read."""
    for row in _read(file, size):
        assert row.fault or all(isinstance(cell, str) for cell in row.cells)
    assert _read(file, size) == _read(file, 1000)


def test_a_row_that_does_not_end() -> None:
    """Is no reason to keep the whole file in memory."""
    with pytest.raises(Unreadable, match="line 2"):
        list(rows.rows(b'a\n"' + b"x\n" * rows.MAX_ROW, 0, 1, ",", is_end=True))
    for rest in (b"x" * 2 * rows.MAX_ROW, b"x," * rows.MAX_ROW, b"x" * (rows.MAX_ROW + 1) + b"\n"):
        found: list[Row] = []
        with pytest.raises(Unreadable, match="line 2"):
            found += rows.rows(b"a\n" + rest, 0, 1, ",", is_end=False)
        assert [one.cells for one in found] == [["a"]]


@pytest.mark.parametrize(
    ("beginning", "delimiter"), [(b"email,name", ","), (b"email;a,b", ";"), (b"email\tname", "\t"), (b"email", ",")]
)
def test_the_delimiter_is_known_by_the_header(beginning: bytes, delimiter: str) -> None:
    """It is the one that occurs most often."""
    if delimiter == ";":
        beginning = b"email;name;phone"
    assert rows.header(beginning, {}).delimiter == delimiter


def test_a_fault_has_no_address() -> None:
    """It is kept for longer than the file."""
    importing = Import(",", ["E-Mail"], ["email"], [], unique_email=True)
    with pytest.raises(ClarionError) as refused:
        rows.change_of(Row(["ada@example..org"], "", 2, 0, 0), importing)
    [(field, description)] = refused.value.fields
    assert field == "E-Mail"
    assert "ada@" not in description


def test_headers_in_any_case() -> None:
    """But for the names of fields of data, which are told apart by it."""
    found = rows.header(b"E-MAIL,EMAIL,Data.companyName,DATA.company_name,data.Seats:NUMBER,data.a:b\n", {})
    assert found.fields == ["", "email", "data.companyName", "data.company_name", "data.Seats:number", ""]
