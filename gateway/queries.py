"""A request's query: only parameters that its path takes, each once and with a value.

What is misspelt or left empty would otherwise count as absent, and a filter that is absent lets everything through.
"""

import re
from collections.abc import Collection
from typing import NamedTuple

from aiohttp import web

from runtime.errors import ClarionError, Code

# How many names at fault an answer lists, and how many characters of each.
_MAX_FAULTS = 10
_MAX_NAME = 64
# Characters of a value.
_MAX_VALUE = 1024

_DIGITS = re.compile(r"[0-9]{1,18}")


class Bounds(NamedTuple):
    """Of a whole number; default where it is absent."""

    default: int
    least: int
    most: int


def check(request: web.Request, known: Collection[str] = (), *, may_be_empty: Collection[str] = ()) -> None:
    """Raise INVALID naming every parameter that the path does not take, that stands twice, is empty or too long."""
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
            faults.append((name, "must not be empty: give a value, or leave the parameter out"))
        elif len(query[name]) > _MAX_VALUE or "\0" in query[name]:  # no store could hold it
            faults.append((name, f"must be at most {_MAX_VALUE} characters, none of them NUL"))
    _refuse(faults[:_MAX_FAULTS])


def numbers(request: web.Request, **bounds: Bounds) -> list[int]:
    """Return the whole numbers of these names. Raises INVALID naming each that is none, or out of its bounds."""
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
    """Return a caller's own name for something as it can be answered."""
    return name[:_MAX_NAME].encode("utf-8", "replace").decode() or "(a parameter without a name)"
