"""The rows of a CSV file, and what each says of a recipient: pure.

The file is in UTF-8, with or without a byte order mark, separated by commas, semicolons, tabs or bars. A row may have
line ends within quotes. It is read in parts, from any byte at which a row begins.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from clarion.router.v1 import recipients_pb2
from runtime.errors import ClarionError
from services.domain import masking
from services.router.recipients import changes
from services.router.recipients.changes import Change
from services.router.recipients.check import Fault, invalid, wrong_tags

# Bytes of a row: a longer one has a quote that does not end.
MAX_ROW = 64 * 1024
MAX_COLUMNS = 100
MAX_HEADER = 255

_BOM = b"\xef\xbb\xbf"
_DELIMITERS = ",;\t|"
_PLAIN = ("recipient_id", "email", "phone", "name", "locale", "timezone", "tags", "data")
_NAMING = ("recipient_id", "email", "phone")
_DATA = re.compile(r"data\.(?P<name>[^:\0]{1,64})(?::(?P<kind>number|boolean))?")
_ANY_CASE = re.compile(r"data\.(?P<name>.+?)(?P<kind>:number|:boolean)?", re.IGNORECASE | re.DOTALL)
_TAG_ENDS = re.compile(r"[,;]")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?")
_FORMULAS = ("=", "+", "-", "@", *"\uff1d\uff0b\uff0d\uff20", "\t", "\r", "\n", "'")
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

# What is not UTF-8 is decoded to these.
_UNDECODED = re.compile(r"[\udc80-\udcff]")

_encode = msgspec.json.Encoder().encode


class Unreadable(ValueError):
    """The rest of the file cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a file. fault: why it cannot be read; empty: it was read. line: its first one.

    end, next_line: the byte and the line of the file at which the next row begins.
    """

    cells: Sequence[str]
    fault: str
    line: int
    end: int
    next_line: int


@dataclass(frozen=True, slots=True)
class Header:
    """What a file begins with. fields: what each column is; empty: it is left out. row: the header itself."""

    delimiter: str
    headers: Sequence[str]
    fields: Sequence[str]
    row: Row


@dataclass(frozen=True, slots=True)
class Import:
    """What is asked for of a file, and how it is read."""

    delimiter: str
    headers: Sequence[str]
    fields: Sequence[str]
    tags: Sequence[str]
    unique_email: bool


def header(beginning: bytes, columns: Mapping[str, str]) -> Header:
    """Return the header of a file. beginning: MAX_ROW bytes, or the whole. Raises INVALID naming what is wrong."""
    line = beginning.removeprefix(_BOM).partition(b"\n")[0].decode(errors="replace")
    delimiter = max(_DELIMITERS, key=line.count)
    try:
        row = next(rows(beginning, 0, 1, delimiter, is_end=True), None)
    except Unreadable as error:
        raise invalid([("file", str(error))]) from error
    if row is None or not any(row.cells):
        fault = row.fault if row is not None else ""
        raise invalid([("file", f"must begin with a line of headers in UTF-8; this one {fault or 'is empty'}")])
    if len(row.cells) > MAX_COLUMNS:
        raise invalid([("file", f"must have at most {MAX_COLUMNS} columns")])
    if any(len(cell) > MAX_HEADER or "\0" in cell for cell in row.cells):  # each fault of a row repeats one
        raise invalid([("file", f"must have headers of at most {MAX_HEADER} characters, none of them NUL")])
    return Header(delimiter, row.cells, _fields(row.cells, columns), row)


def rows(part: bytes, position: int, line: int, delimiter: str, *, is_end: bool) -> Iterator[Row]:
    """Yield the rows of a part of a file; the last one only if it is whole, or is_end.

    position, line: in the file, of the part's first byte, with which a row begins. Raises Unreadable for a row that is
    too long.
    """
    offset = len(_BOM) if position == 0 and part.startswith(_BOM) else 0
    while offset < len(part):
        source = _Lines(part, offset, line)
        cells: Sequence[str] = ()
        fault = ""
        try:
            # A reader for each row: only so it is known where a row ends.
            cells = [cell.strip() for cell in next(csv.reader(source, delimiter=delimiter, strict=True), ())]
        except csv.Error as error:
            fault = f"cannot be read: {error}"
        if source.offset - offset > MAX_ROW:  # else no part would ever hold it, if it is longer than that
            raise _too_long(line, "a line, or a quote, may not end")
        if source.is_cut and not is_end:
            return
        if any(not cell.isascii() and _UNDECODED.search(cell) for cell in cells):
            cells, fault = (), "is not in UTF-8"
        yield Row(cells, fault, line, position + source.offset, line + source.lines)
        offset, line = source.offset, line + source.lines


def _too_long(line: int, why: str) -> Unreadable:
    return Unreadable(f"has a row of more than {MAX_ROW // 1024} KiB in line {line}: {why}")


class _Lines:
    """Yields the lines of a row: the reader asks for as many as it has. is_cut: the last one has no end."""

    def __init__(self, part: bytes, offset: int, line: int) -> None:
        self._part = part
        self._begin = offset
        self._line = line
        self.offset = offset
        self.lines = 0
        self.is_cut = False

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if self.offset - self._begin > MAX_ROW:
            raise _too_long(self._line, "a quote may not end")
        if self.offset >= len(self._part):
            self.is_cut = True
            raise StopIteration
        end = self._part.find(b"\n", self.offset)
        self.is_cut = end < 0
        end = len(self._part) if end < 0 else end + 1
        found = self._part[self.offset : end]
        self.offset = end
        self.lines += 1
        return found.decode(errors="surrogateescape")


def change_of(row: Row, importing: Import) -> Change | None:
    """Return what a row says of somebody; None: it is empty. Raises INVALID, whose fields are headers of columns."""
    if row.fault:
        raise invalid([("", row.fault)])
    if not any(row.cells):
        return None
    if len(row.cells) > len(importing.headers):
        raise invalid([("", f"has {len(row.cells)} cells, and the header has {len(importing.headers)}")])
    values = {field: _plain(cell) for field, cell in zip(importing.fields, row.cells, strict=False) if field and cell}
    if not any(values.get(field) for field in _NAMING):
        raise invalid([("", "has no recipient_id, no e-mail address and no phone number")])
    faults: list[Fault] = []
    change = _change(values, faults)
    try:
        if faults:
            raise invalid(faults)
        checked = changes.checked(change, changes.UPSERT, unique_email=importing.unique_email)
    except ClarionError as error:
        raise invalid(list(_of_columns(error.fields, values, importing))) from None
    added = tuple(dict.fromkeys([*_tags(values.get("tags", "")), *importing.tags]))
    if wrong := list(wrong_tags(added)):
        raise invalid(list(_of_columns(wrong, values, importing)))
    return replace(checked, added_tags=added)


def faults_of(error: ClarionError, importing: Import) -> Sequence[Fault]:
    """Return why a row was not stored that was refused: headers of columns, and what is wrong with them."""
    return list(_of_columns(error.fields, {}, importing)) or [("", error.detail)]


def _change(values: Mapping[str, str], faults: list[Fault]) -> recipients_pb2.RecipientChange:
    change = recipients_pb2.RecipientChange(recipient_id=values.get("recipient_id", ""))
    for field in ("email", "phone", "name", "locale", "timezone"):
        if field in values:
            setattr(change, field, values[field])
    data: dict[str, object] = {}
    if "data" in values:
        data.update(_object(values["data"], faults))
    for field, cell in values.items():
        if found := _DATA.fullmatch(field):
            data[found["name"]] = _typed(field, found["kind"] or "", cell, faults)
    if data:
        change.data, change.merges_data = _encode(data), True
    return change


def _plain(cell: str) -> str:
    """Return a cell without the apostrophe by which an export keeps spreadsheets from taking it for a formula."""
    return cell[1:] if cell[0] == "'" and cell[1:].startswith(_FORMULAS) else cell


def _tags(cell: str) -> Sequence[str]:
    """Return tags that are separated, or a JSON list of them."""
    if cell.startswith("["):
        try:
            return msgspec.json.decode(cell, type=list[str])
        except msgspec.DecodeError:
            pass
    return [tag for one in _TAG_ENDS.split(cell) if (tag := one.strip())]


def _object(cell: str, faults: list[Fault]) -> Mapping[str, object]:
    try:
        return msgspec.json.decode(cell, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, RecursionError):
        faults.append(("data", "must be a JSON object"))
        return {}


def _typed(field: str, kind: str, cell: str, faults: list[Fault]) -> object:
    if kind == "number":
        if _NUMBER.fullmatch(cell):
            return msgspec.Raw(cell.encode())
        faults.append((field, "must be a number, such as 12 or 3.5"))
    elif kind == "boolean":
        if (found := _BOOLEANS.get(cell.lower())) is not None:
            return found
        faults.append((field, "must be true or false"))
    return cell


def _of_columns(faults: Sequence[Fault], values: Mapping[str, str], importing: Import) -> Iterator[Fault]:
    headers = dict(zip(importing.fields, importing.headers, strict=True))
    for field, description in faults:
        name = field if field in headers else field.partition("[")[0]
        yield headers.get(name, name), masking.redacted(description, values.get(name, ""))


def _fields(headers: Sequence[str], columns: Mapping[str, str]) -> Sequence[str]:
    """Return what each column is. columns: as it was asked for; empty: by the headers. Raises INVALID."""
    faults: list[Fault] = [(f"columns[{one}]", "is not a header of the file") for one in columns if one not in headers]
    wanted = columns or {one: field for one in headers if _is_field(field := _field_of(one))}
    fields = [wanted.get(one, "") for one in headers]
    faults += [(f"columns[{one}]", _WRONG_FIELD) for one, field in wanted.items() if not _is_field(field)]
    known = [field.partition(":")[0] for field in fields if field]
    if len(set(known)) != len(known):
        faults.append(("columns", "must have each field once, and each header that it names must be in the file once"))
    if not set(_NAMING) & set(known):
        faults.append(("columns", "must have recipient_id, email or phone"))
    if faults:
        raise invalid(faults)
    return fields


def _field_of(header: str) -> str:
    """Return the field that a header names in any case; the names of fields of data keep theirs."""
    found = _ANY_CASE.fullmatch(header)
    return header.lower() if found is None else f"data.{found['name']}{(found['kind'] or '').lower()}"


_WRONG_FIELD = f"must be one of {', '.join(_PLAIN)}, data.<name>, data.<name>:number, data.<name>:boolean"


def _is_field(name: str) -> bool:
    return name in _PLAIN or _DATA.fullmatch(name) is not None
