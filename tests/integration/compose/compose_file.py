"""Reads docker-compose.yml as `docker compose` does: variables from an env file, then one service after the other."""

import functools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
FILE = ROOT / "docker-compose.yml"

Service = dict[str, Any]

# ${NAME}, ${NAME:-default}, ${NAME:?why it is needed}: what the file uses. A $ that is none of them is a mistake in it.
_VARIABLE = re.compile(r"\$\{(?P<name>[A-Z_]+)(?::(?P<sign>[-?])(?P<text>[^}]*))?\}|(?P<stray>\$)")


class MissingVariableError(Exception):
    """A variable that has no default is not set, or empty; the text is its name."""


def read_env(path: Path) -> dict[str, str]:
    """Return the variables of an env file."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def services(variables: Mapping[str, str]) -> dict[str, Service]:
    """Return the services with all variables resolved. Raises MissingVariableError."""
    resolved: dict[str, Service] = _resolve(parsed()["services"], variables)
    return resolved


@functools.cache
def parsed() -> dict[str, Any]:
    """Return the file as it is written, with YAML's anchors resolved."""
    content: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return content


def variables_read() -> set[str]:
    """Return the names of all variables that the file reads."""
    code = "\n".join(line for line in FILE.read_text().splitlines() if not line.lstrip().startswith("#"))
    return {match["name"] for match in _VARIABLE.finditer(code) if match["name"]}


def variables_needed() -> set[str]:
    """Return the names of those without a default."""
    return {match["name"] for match in _VARIABLE.finditer(FILE.read_text()) if match["sign"] == "?"}


def seconds(text: str) -> float:
    """Read a duration such as 15s."""
    match = re.fullmatch(r"(\d+)s", text)
    assert match, f"{text!r} is no number of seconds"
    return float(match[1])


def _resolve(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _resolve(inner, variables) for name, inner in value.items()}
    if isinstance(value, list):
        return [_resolve(inner, variables) for inner in value]
    return _VARIABLE.sub(lambda match: _value(match, variables), value) if isinstance(value, str) else value


def _value(match: re.Match[str], variables: Mapping[str, str]) -> str:
    assert not match["stray"], f"a $ that is no variable: {match.string!r}"
    value = variables.get(match["name"], "")
    if not value and match["sign"] == "?":
        raise MissingVariableError(match["name"])
    return value or (match["text"] or "" if match["sign"] == "-" else "")
