"""Explains what is wrong with JSON. msgspec's own messages name Python types and show patterns.

The words come from the type that was expected, so both bounds of a number are named whichever was missed.
"""

import re
from collections.abc import Callable
from typing import Any

import msgspec

_PLACE = re.compile(r"\.(?P<field>[^.\[]+)|\[(?:\d+|\.\.\.)\]")
_FIELD = re.compile(r"Object (?:is )?(?P<kind>missing required|contains unknown) field `(?P<field>.*)`")
# How many characters of a field name chosen by the caller an answer repeats.
_MAX_NAME = 200
_UNEXPECTED = "is not what is expected here"
_BYTE = re.compile(r"\(byte (\d+)\)")


def fault(error: msgspec.ValidationError, kind: Any) -> tuple[str, str]:
    """Return the field at fault, as a path, and what is wrong with it. kind: what was expected.

    Of a path, "" is the whole, and "a.*" some value of the object a, whose names are the caller's own.
    """
    what, _, place = str(error).partition(" - at ")
    path = place.strip("`").removeprefix("$")
    field = path.removeprefix(".").replace("[...]", ".*")
    if named := _FIELD.match(what):
        name = f"{field}.{named['field']}" if field else named["field"]
        return name[:_MAX_NAME], "is required" if named["kind"] == "missing required" else "is not known here"
    text = _description(_at(kind, path))
    return field, "is a number that is out of range" if text == _UNEXPECTED and "out of range" in what else text


def description(kind: Any) -> str:
    """Return what a value of this type must be: "must be a whole number from 1 to 100"."""
    from msgspec import inspect  # only a fault needs it

    return _description(inspect.type_info(kind))


def json_fault(error: Exception) -> str:
    """Return why bytes are not JSON, such as "it ends too early"; empty if there is nothing helpful to say."""
    text = str(error)
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if "truncated" in text:
        return "it ends too early"
    place = _BYTE.search(text)
    return f"the fault is near byte {place[1]}" if place else ""


def _at(kind: Any, path: str) -> Any:
    """Return the type at a path; None if the path does not exist."""
    from msgspec import inspect

    found: Any = inspect.type_info(kind)
    for step in _PLACE.finditer(path):
        found = next((inner for one in _choices(found) if (inner := _inside(one, step["field"])) is not None), None)
        if found is None:
            return None
    return found


def _inside(kind: Any, field: str | None) -> Any:
    if field is None:
        return getattr(kind, "item_type", None) or getattr(kind, "value_type", None)
    return next((one.type for one in getattr(kind, "fields", ()) if one.encode_name == field), None)


def _choices(kind: Any) -> list[Any]:
    """Return the types that a value may have, without annotations."""
    if inner := getattr(kind, "type", None):
        return _choices(inner)
    if types := getattr(kind, "types", None):
        return [choice for one in types for choice in _choices(one)]
    return [kind]


def _description(kind: Any) -> str:
    if kind is None:
        return _UNEXPECTED
    said = (getattr(kind, "extra_json_schema", None) or {}).get("description")
    words = [said] if said else [word for one in _choices(kind) if (word := _word(one))]
    return f"must be {' or '.join(words)}" if words else _UNEXPECTED


def _word(kind: Any) -> str:
    say = _WORDS.get(type(kind).__name__)
    return say(kind) if say else ""


def _range(kind: Any) -> str:
    if kind.ge is not None and kind.le is not None:
        return f" from {kind.ge:,} to {kind.le:,}"
    if kind.ge is not None:
        return f" of at least {kind.ge:,}"
    return f" of at most {kind.le:,}" if kind.le is not None else ""


def _length(kind: Any, what: str) -> str:
    least, most = getattr(kind, "min_length", None), getattr(kind, "max_length", None)
    if least is not None and most is not None:
        return f" of {least:,} to {most:,} {what}"
    if least is not None:
        return f" of at least {least:,} {what}"
    return f" of at most {most:,} {what}" if most is not None else ""


# By the names that msgspec.inspect has for kinds of types.
_WORDS: dict[str, Callable[[Any], str]] = {
    "IntType": lambda kind: f"a whole number{_range(kind)}",
    "FloatType": lambda kind: f"a number{_range(kind)}",
    "StrType": lambda kind: f"a string{_length(kind, 'characters')}",
    "CustomType": lambda _: "a string",
    "BoolType": lambda _: "true or false",
    "NoneType": lambda _: "null",
    "LiteralType": lambda kind: f"one of {', '.join(map(str, kind.values))}",
    "ListType": lambda kind: f"a list{_length(kind, 'items')}",
    "VarTupleType": lambda kind: f"a list{_length(kind, 'items')}",
    "DictType": lambda _: "a JSON object",
    "StructType": lambda _: "a JSON object",
}
