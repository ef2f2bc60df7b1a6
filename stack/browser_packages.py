"""Installs the gateway's packages for the browser, with the Node.js of this machine or with PyPI's."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from gateway.browser import install as installer

ROOT = Path(__file__).parents[1]
_LOCK = ROOT / "requirements" / "node.txt"


def install(cache: Path, report: Callable[[str], None]) -> None:
    """Install them unless they are there. Blocking. A failure is reported only: the rest works without them."""
    if installer.is_installed():
        return
    report("fetching the packages of the API page and the demo page (about 15 MB, once)")
    environment = dict(os.environ)
    if shutil.which("npm") is None:
        report("fetching Node.js for it (about 60 MB, once)")
        environment["PYTHONPATH"] = str(node_folder(cache))
    done = subprocess.run(
        [sys.executable, str(installer.__file__)], capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        report(f"WARNING: /docs and the live messages of /demo do not work: {last}")


def node_folder(cache: Path) -> Path:
    """Return a folder with PyPI's Node.js, installed if need be. It does not exist if that failed."""
    folder = cache / f"node-{hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:16]}"
    if folder.exists():
        return folder
    part = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    uv = shutil.which("uv") or str(ROOT / "build" / "uv" / "bin" / "uv")
    command = [uv, "pip", "install", "--quiet", "--python", sys.executable, "--require-hashes", "--target", str(part)]
    try:
        done = subprocess.run([*command, "-r", str(_LOCK)], capture_output=True, check=False)
        if done.returncode == 0:
            part.rename(folder)
    except OSError:
        return folder  # no uv, or another process has created the folder meanwhile
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder
