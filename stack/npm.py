"""Installs a folder's packages from npm and runs its scripts: `python -m stack.npm FOLDER SCRIPT [ARGUMENT ...]`.

The packages are those of the folder's package-lock.json. npm installs into a temporary folder, which then replaces
node_modules: a failure leaves node_modules as it was, and no process sees half an installation. A second installer
waits for the first. Scripts of packages are not run.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from stack import node
from stack.node import ROOT, Node, NodeError, Report

CACHE = ROOT / "build"
LOCK = "package-lock.json"
MODULES = "node_modules"
_PART = "node_modules.part"
# Written into node_modules at the end: the hash of package-lock.json, and the sizes of the files that are needed.
_RECORD = ".clarion.json"
# Without a network npm would try for minutes.
_RETRIES = ("--fetch-retries=2", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000")
_FLAGS = ("--ignore-scripts", "--no-audit", "--no-fund", *_RETRIES)
_DEADLINE_S = 300


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[int]:
    """Hold the folder's lock between processes; yields its file descriptor. The system releases it when they end."""
    with (folder / LOCK).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def is_installed(folder: Path, needed: Sequence[str] = ()) -> bool:
    """Return whether what the lock names is installed, and no needed file is missing or incomplete.

    needed: patterns of files below node_modules; each has at least one.
    """
    with contextlib.suppress(OSError, ValueError):
        modules = folder / MODULES
        return bool(json.loads((modules / _RECORD).read_bytes()) == _record(folder, modules, needed))
    return False


def install(folder: Path, held: int, report: Report, *, needed: Sequence[str] = (), omit_dev: bool = False) -> Node:
    """Install what the lock names, unless it is there, and return Node.js. Blocking. Raises NodeError.

    held: what one_at_a_time() yields for the folder.
    """
    found = node.find(CACHE, report)
    if is_installed(folder, needed):
        return found
    part = folder / _PART
    shutil.rmtree(part, ignore_errors=True)  # of an installer that was killed
    try:
        part.mkdir()
        for name in ("package.json", LOCK, ".npmrc"):
            if (folder / name).exists():
                shutil.copy(folder / name, part)
        run(found, ["ci", *_FLAGS, *(["--omit=dev"] if omit_dev else [])], part, held)
        _replace(folder, part / MODULES, needed)
    except OSError as error:
        raise NodeError(f"The packages of {folder.name} could not be installed: {error}.") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return found


def run(found: Node, arguments: Sequence[str], folder: Path, held: int | None = None) -> str:
    """Run npm in a folder and return its output. Raises NodeError with its last line of output.

    held: a lock's file descriptor that npm inherits: if this process is killed, the next one waits until npm has ended.
    """
    process = subprocess.Popen(
        [*found.npm, *arguments],
        cwd=folder,
        env=found.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        pass_fds=(held,) if held is not None else (),
        process_group=0,  # so that all of them can be ended
    )
    try:
        output, _ = process.communicate(timeout=_DEADLINE_S)
    except subprocess.TimeoutExpired:
        raise NodeError(f"npm {arguments[0]} did not end within {_DEADLINE_S} s.") from None
    finally:
        _end(process)
    if process.returncode:
        raise NodeError(f"npm {' '.join(arguments[:2])} failed: {_reason(output)}")
    return output


def _end(process: "subprocess.Popen[str]") -> None:
    """Kill npm and what it runs, if this process stops waiting for it."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _reason(output: str) -> str:
    """Return the line of npm's output that says most."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "rror" in line and "A complete log of this run" not in line]
    return (errors or lines or ["it gave no reason"])[0][:300]


def _replace(folder: Path, fresh: Path, needed: Sequence[str]) -> None:
    for pattern in needed:
        if not any(fresh.glob(pattern)):
            raise NodeError(f"npm did not install {pattern}: package-lock.json names another version than is needed.")
    (fresh / _RECORD).write_text(json.dumps(_record(folder, fresh, needed)))
    modules = folder / MODULES
    if modules.exists():
        modules.rename(fresh.with_name("old"))
    fresh.rename(modules)


def _record(folder: Path, modules: Path, needed: Sequence[str]) -> dict[str, object]:
    files = sorted(path for pattern in needed for path in modules.glob(pattern))
    sizes = {path.relative_to(modules).as_posix(): path.stat().st_size for path in files}
    return {"lock": hashlib.sha256((folder / LOCK).read_bytes()).hexdigest(), "sizes": sizes}


def main(arguments: Sequence[str]) -> int:
    """Run a script of a folder's package.json and print its output. Return its exit status."""
    folder, *script = arguments
    try:
        with one_at_a_time(Path(folder)) as held:
            found = install(Path(folder), held, lambda text: print(text, file=sys.stderr))
    except NodeError as error:
        print(error, file=sys.stderr)
        return 1
    # Not captured: what it prints is for whoever called it.
    name, *further = script
    command = [*found.npm, "run", "--silent", name, "--", *further]
    return subprocess.run(command, cwd=folder, env=found.environment(), check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
