"""Checks of a request's query: only parameters that the path takes, each once and with a value.

Otherwise a misspelt or empty filter would count as absent, and the list would hold everything.
"""

import re
from collections.abc import Collection
from typing import NamedTuple

from aiohttp import web

from runtime.errors import ClarionError, Code

# How many invalid parameters a response lists, and how many characters of each name.
_MAX_FAULTS = 10
_MAX_NAME = 64
# The largest length of a value, in characters.
_MAX_VALUE = 1024

_DIGITS = re.compile(r"[0-9]{1,18}")


class Bounds(NamedTuple):
    """The bounds of a whole number, and its default."""

    default: int
    least: int
    most: int


def check(request: web.Request, known: Collection[str] = (), *, may_be_empty: Collection[str] = ()) -> None:
    """Raise INVALID for parameters that are unknown, given twice, empty or too long, naming each."""
    query = request.query
    if not query:
        return
    faults = []
    for name in dict.fromkeys(query):
        if name not in known:
            faults.append((_shown(name), f"is not known here: {_taken(known)}"))
        elif len(query.getall(name)) > 1:
            faults.append((name, "must not be given more than once"))
        elif not query[name] and name not in may_be_empty:
            faults.append((name, "must not be empty: set a value, or omit the parameter"))
        elif len(query[name]) > _MAX_VALUE or "\0" in query[name]:  # no store could hold it
            faults.append((name, f"must be at most {_MAX_VALUE} characters, none of them NUL"))
    _refuse(faults[:_MAX_FAULTS])


def numbers(request: web.Request, **bounds: Bounds) -> list[int]:
    """Return whole numbers by name. Raises INVALID for those that are not numbers or out of bounds, naming each."""
    found, faults = [], []
    for name, (default, least, most) in bounds.items():
        text = request.query.get(name)
        if text is None:
            found.append(default)
        elif _DIGITS.fullmatch(text) and least <= int(text) <= most:
            found.append(int(text))
        else:
            faults.append((name, f"must be a whole number from {least} to {most:,}"))
    _refuse(faults)
    return found


def _refuse(faults: list[tuple[str, str]]) -> None:
    if faults:
        raise ClarionError(Code.INVALID, "; ".join(f"{name} {fault}" for name, fault in faults), fields=faults)


def _taken(known: Collection[str]) -> str:
    return f"this path takes {', '.join(known)}" if known else "this path takes no parameters"


def _shown(name: str) -> str:
    """Return a parameter's name in a form that a response can contain."""
    return name[:_MAX_NAME].encode("utf-8", "replace").decode() or "(a parameter without a name)"
