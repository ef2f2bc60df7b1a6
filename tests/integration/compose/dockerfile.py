"""Reads the Dockerfile: its stages and their instructions."""

import fnmatch
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.compose.compose_file import ROOT


@dataclass(frozen=True)
class Copy:
    """A COPY instruction. stage: where it copies from; empty: the checkout."""

    stage: str
    sources: tuple[str, ...]
    target: str


@dataclass
class Stage:
    """From one FROM to the next. base: an image, or an earlier stage."""

    base: str
    name: str
    copies: list[Copy] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    # The instructions of a kind, such as RUN, in order.
    lines: dict[str, list[str]] = field(default_factory=dict)


def stages() -> list[Stage]:
    """Return the stages in order; the last one is the image."""
    found: list[Stage] = []
    for line in _lines():
        instruction, _, rest = line.partition(" ")
        words = rest.split()
        if instruction == "FROM":
            found.append(Stage(words[0], words[2] if len(words) == 3 else ""))
        else:
            _add(found[-1], instruction, rest)
    return found


def is_sent(path: str) -> bool:
    """Tell whether .dockerignore lets a file of the checkout reach the build: the last line that fits decides."""
    sent = True
    parts = path.split("/")
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        if line and not line.startswith("#") and _fits(parts, pattern):
            sent = line.startswith("!")
    return sent


def copy_sent(source: Path, target: Path) -> None:
    """Copy a file or folder of the checkout as far as the build may see it."""
    files = [source] if source.is_file() else [path for path in source.rglob("*") if path.is_file()]
    for path in files:
        if is_sent(path.relative_to(ROOT).as_posix()):
            copied = target if source.is_file() else target / path.relative_to(source)
            copied.parent.mkdir(parents=True, exist_ok=True)
            copied.write_bytes(path.read_bytes())


def _lines() -> list[str]:
    text = (ROOT / "Dockerfile").read_text()
    code = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return [" ".join(line.split()) for line in "\n".join(code).replace("\\\n", " ").splitlines()]


def _add(stage: Stage, instruction: str, rest: str) -> None:
    stage.lines.setdefault(instruction, []).append(rest)
    if instruction == "COPY":
        words = rest.split()
        origin = words.pop(0).removeprefix("--from=") if words[0].startswith("--from=") else ""
        stage.copies.append(Copy(origin, tuple(words[:-1]), words[-1]))
    if instruction == "ENV":
        stage.environment.update(dict(word.split("=", 1) for word in rest.split()))


def _fits(parts: list[str], pattern: str) -> bool:
    """Tell whether a path, or a folder that it is in, fits a pattern; `**/` stands for any folder."""
    if pattern.startswith("**/"):
        return any(fnmatch.fnmatchcase(part, pattern[3:]) for part in parts)
    length = len(pattern.split("/"))
    return len(parts) >= length and fnmatch.fnmatchcase("/".join(parts[:length]), pattern)
