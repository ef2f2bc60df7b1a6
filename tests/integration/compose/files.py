"""docker-compose.yml, the Dockerfile and .dockerignore, as Docker reads them."""

import fnmatch
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]

Service = dict[str, Any]

# ${NAME}, ${NAME:-default}, ${NAME:?why it is needed}: what docker-compose.yml uses.
VARIABLE = re.compile(r"\$\{([A-Z_]+)(?::([-?])([^}]*))?\}")


class MissingVariableError(Exception):
    """A variable without a default is not set, or empty; the text is its name."""


def read_env(path: Path) -> dict[str, str]:
    """Return the variables of an env file."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def compose_text() -> str:
    """Return docker-compose.yml without its comments."""
    return re.sub(r"(^| )#.*", "", (ROOT / "docker-compose.yml").read_text(), flags=re.MULTILINE)


def compose(variables: Mapping[str, str]) -> dict[str, Any]:
    """Return docker-compose.yml with these variables. Raises MissingVariableError."""

    def value(match: re.Match[str]) -> str:
        name, sign, text = match.groups()
        if sign == "?" and not variables.get(name):
            raise MissingVariableError(name)
        return variables.get(name) or text or ""

    def resolved(part: Any) -> Any:
        if isinstance(part, dict):
            return {name: resolved(inner) for name, inner in part.items()}
        if isinstance(part, list):
            return [resolved(inner) for inner in part]
        return VARIABLE.sub(value, part) if isinstance(part, str) else part

    found: dict[str, Any] = resolved(yaml.safe_load(compose_text()))
    return found


def stages() -> list[list[tuple[str, str]]]:
    """Return the Dockerfile's stages, each as pairs of an instruction and its text; the last one is the image."""
    code = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    found: list[list[tuple[str, str]]] = []
    for line in filter(str.strip, code.splitlines()):
        instruction, text = " ".join(line.split()).split(" ", 1)
        if instruction == "FROM":
            found.append([])
        found[-1].append((instruction, text))
    return found


def is_sent(path: str) -> bool:
    """Return whether .dockerignore lets a file of the checkout reach the build: the last line that fits decides."""
    sent = True
    parts = path.split("/")
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        if pattern.startswith("**/"):  # in any folder
            fits = any(fnmatch.fnmatchcase(part, pattern[3:]) for part in parts)
        else:
            fits = fnmatch.fnmatchcase("/".join(parts[: pattern.count("/") + 1]), pattern)
        if fits and pattern and not pattern.startswith("#"):
            sent = line.startswith("!")
    return sent


def seconds(text: str) -> float:
    """Read a duration such as 15s."""
    return float(text.removesuffix("s"))
