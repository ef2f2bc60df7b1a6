"""Gets the browser's realtime client for the demo page, with the Node.js of this machine or one from PyPI."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
_INSTALLER = ROOT / "gateway" / "demo" / "install.py"
_CLIENT = ROOT / "gateway" / "demo" / "node_modules" / "centrifuge"
_LOCK = ROOT / "requirements" / "node.txt"


def install(cache: Path, report: Callable[[str], None]) -> None:
    """Install the client unless it is there. Blocking. A failure is reported: the rest works without the page."""
    environment = dict(os.environ)
    if not _CLIENT.exists():
        report("fetching the demo page's realtime client (once)")
        if shutil.which("npm") is None:
            report("fetching Node.js for it (about 60 MB, once)")
            environment["PYTHONPATH"] = str(_node(cache))
    done = subprocess.run(
        [sys.executable, str(_INSTALLER)], capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        report(f"WARNING: the demo page stays without live messages: {last}")


def _node(cache: Path) -> Path:
    """Return a folder with PyPI's Node.js in it, installed if need be; it may be missing if that fails."""
    folder = cache / f"node-{hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:16]}"
    if folder.exists():
        return folder
    part = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    uv = shutil.which("uv") or str(ROOT / "build" / "uv" / "bin" / "uv")
    command = [uv, "pip", "install", "--quiet", "--python", sys.executable, "--require-hashes", "--target", str(part)]
    try:
        done = subprocess.run([*command, "-r", str(_LOCK)], capture_output=True, check=False)
    except OSError:
        return folder
    if done.returncode == 0:
        part.rename(folder)
    shutil.rmtree(part, ignore_errors=True)
    return folder
