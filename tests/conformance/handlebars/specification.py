"""The published Handlebars specification: npm `handlebars-spec`, installed beside this file when first needed.

Its data are those of handlebars.js (MIT); the package around them is AGPL, and so is only run here, never shipped.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.packages import installed

_HERE = Path(__file__).parent
_PACKAGE = _HERE / "node_modules" / "handlebars-spec"

# How many cases of each file need no JavaScript callback, and no option of the JavaScript compiler.
FILES = {
    "basic": 69,
    "blocks": 25,
    "builtins": 12,
    "data": 5,
    "helpers": 2,
    "partials": 48,
    "regressions": 26,
    "whitespace-control": 36,
}


class Case(NamedTuple):
    """What a template is to write. data: any JSON value. expected: None where it is to be refused."""

    name: str
    template: str
    data: Any
    partials: dict[str, str]
    expected: str | None


def install() -> None:
    """Install what the lock file names, unless it is there. Skips where there is no npm."""
    installed(_HERE)


def cases(file: str) -> list[Case]:
    """Return the cases of a file that need no JavaScript."""
    rows = json.loads((_PACKAGE / "spec" / f"{file}.json").read_text(encoding="utf-8"))
    return list(_plain(rows))


def _plain(rows: list[dict[str, Any]]) -> Iterator[Case]:
    for row in rows:
        if _has_code(row) or row.get("compileOptions"):
            continue
        name = " ".join(filter(None, (row["it"], row.get("number", ""))))
        expected = None if row.get("exception") else row["expected"]
        yield Case(name, row["template"], row.get("data", {}), row.get("partials") or {}, expected)


def _has_code(value: Any) -> bool:
    if isinstance(value, dict):
        return "!code" in value or any(map(_has_code, value.values()))
    return isinstance(value, list) and any(map(_has_code, value))
