"""Reading JSON bodies, field by field: pure but for read().

Objects stay the caller's own bytes where they are only handed on, because parsing would change numbers. Unknown fields
are ignored, and a field that is null counts as absent. An empty list counts as an empty object: PHP writes one so.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from gateway.dialects.sendmator.errors import bad_request
from gateway.replies import not_json, read_bytes, read_json_bytes
from runtime.nesting import MAX_DEPTH, is_too_deep

# An event carries at most 256 KiB; the rest is for what stands around it.
MAX_BYTES = (256 + 32) * 1024
MAX_TEXT = 255
# Larger bodies take milliseconds to parse: not in the loop, where every other request would wait.
_LARGE_BYTES = 64 * 1024

_EMPTY_LIST = re.compile(rb"\[\s*\]")

T = TypeVar("T")


class Fields:
    """The fields of a JSON object. at: where it stands in the body, for messages ("user_info.")."""

    def __init__(self, fields: Mapping[str, msgspec.Raw], at: str = "") -> None:
        self._fields = fields
        self._at = at

    def __contains__(self, name: str) -> bool:
        """Return whether the field is there, and not null."""
        return bytes(self._fields.get(name, b"null")).strip() != b"null"

    def is_null(self, name: str) -> bool:
        """Return whether the field is there, and null."""
        return name in self._fields and name not in self

    def text(self, *names: str, longest: int = MAX_TEXT) -> str:
        """Return the first of these fields that is there, or an empty text. Raises ApiError if it is no text."""
        for name in names:
            if name in self:
                value = self._value(name)
                if not isinstance(value, str):
                    raise bad_request(f"{self._at}{name} must be a string")
                return self._checked(name, value, longest)
        return ""

    def id(self, name: str) -> str:
        """Return a field that names something of the caller's: a text, or a whole number, which many systems have."""
        value = self._value(name) if name in self else ""
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            raise bad_request(f"{self._at}{name} must be a string")
        return self._checked(name, value, MAX_TEXT)

    def texts(self, *names: str, most: int = 50) -> list[str] | None:
        """Return a list of texts, each once; one text stands for a list of it. None: none of the fields is there."""
        for name in names:
            if name not in self:
                continue
            value = self._value(name)
            found = [value] if isinstance(value, str) else value
            if not isinstance(found, list) or not all(isinstance(one, str) and one.strip() for one in found):
                raise bad_request(f"{self._at}{name} must be a list of strings that are not empty")
            if len(found) > most:
                raise bad_request(f"{self._at}{name} must have at most {most} entries")
            return list(dict.fromkeys(self._checked(name, one, MAX_TEXT) for one in found))
        return None

    def flag(self, name: str) -> bool | None:
        """Return a boolean; None: it is absent."""
        if name not in self:
            return None
        value = self._value(name)
        if not isinstance(value, bool):
            raise bad_request(f"{self._at}{name} must be true or false")
        return value

    def number(self, name: str, *, least: int, most: int) -> int | None:
        """Return a whole number; None: it is absent."""
        if name not in self:
            return None
        value = self._value(name)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise bad_request(f"{self._at}{name} must be a whole number from {least:,} to {most:,}")
        return value

    def object(self, name: str) -> bytes:
        """Return an object's own bytes; empty: it is absent or has no fields."""
        if name not in self:
            return b""
        raw = bytes(self._fields[name]).strip()
        if _EMPTY_LIST.fullmatch(raw):
            return b""
        if not raw.startswith(b"{"):
            raise bad_request(f"{self._at}{name} must be an object")
        return b"" if raw[1:-1].strip() == b"" else raw

    def fields(self, name: str) -> "Fields":
        """Return the fields of an object; none, if it is absent."""
        raw = self.object(name)
        return Fields(msgspec.json.decode(raw, type=dict[str, msgspec.Raw]) if raw else {}, f"{self._at}{name}.")

    def rows(self, name: str, *, most: int) -> Sequence["Fields"]:
        """Return a list of objects. Raises ApiError if it is none, empty or too long."""
        value = msgspec.json.decode(self._fields[name], type=list[msgspec.Raw]) if self._is_list(name) else []
        if not 1 <= len(value) <= most:
            raise bad_request(f"{self._at}{name} must be a list of 1 to {most} objects")
        return [_row(bytes(one).strip(), f"{self._at}{name}[{position}]") for position, one in enumerate(value)]

    def value(self, name: str) -> Any:
        """Return a field as JSON has it, None if it is absent."""
        return self._value(name) if name in self else None

    def names(self) -> Sequence[str]:
        """Return the names of all fields."""
        return tuple(self._fields)

    def _is_list(self, name: str) -> bool:
        return name in self and bytes(self._fields[name]).lstrip().startswith(b"[")

    def _value(self, name: str) -> Any:
        return msgspec.json.decode(self._fields[name])

    def _checked(self, name: str, text: str, longest: int) -> str:
        if len(text) > longest:
            raise bad_request(f"{self._at}{name} must be at most {longest:,} characters long")
        if "\0" in text:
            raise bad_request(f"{self._at}{name} must not contain a NUL character")
        return text


def _row(raw: bytes, at: str) -> Fields:
    if not raw.startswith(b"{"):
        raise bad_request(f"{at} must be an object")
    return Fields(msgspec.json.decode(raw, type=dict[str, msgspec.Raw]), f"{at}.")


async def read(request: web.Request, *, optional: bool = False) -> Fields:
    """Return the body's fields. optional: no body is as good as {}. Raises BodyError or ApiError."""
    if optional and not request.body_exists:
        return Fields({})
    raw = await (read_bytes if optional else read_json_bytes)(request, limit=MAX_BYTES)
    if optional and not raw.strip():
        return Fields({})
    return await asyncio.to_thread(parse, raw) if len(raw) > _LARGE_BYTES else parse(raw)


def parse(raw: bytes) -> Fields:
    """Return the fields of a body. Raises ApiError."""
    try:
        value = msgspec.json.decode(raw)
    except msgspec.ValidationError as error:  # without a type, only numbers can be invalid
        raise bad_request("The body holds a number that is out of range.") from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise bad_request(not_json(error)) from error
    if not isinstance(value, dict):
        raise bad_request("The body must be a JSON object.")
    if is_too_deep(raw, value):
        raise bad_request(f"The body must be nested at most {MAX_DEPTH} levels deep.")
    return Fields(msgspec.json.decode(raw, type=dict[str, msgspec.Raw]))
