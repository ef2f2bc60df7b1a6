"""Installing the packages for the browser."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from gateway.browser import install

_FOLDER = Path(install.__file__).parent


def test_without_npm_it_says_what_is_missing(tmp_path: Path) -> None:
    """One sentence and status 1, for `make run` to print."""
    script = shutil.copy(_FOLDER / "install.py", tmp_path)
    shutil.copy(_FOLDER / "package-lock.json", tmp_path)
    command = [sys.executable, "-S", script]  # without the packages of this environment
    done = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "npm is missing: put Node.js on PATH, or install requirements/node.txt.\n"


def test_the_lock_pins_each_package_without_a_host() -> None:
    """By hash, from whatever registry the machine is set up for, and with exactly the versions of package.json."""
    wanted = json.loads((_FOLDER / "package.json").read_text())["dependencies"]
    packages = json.loads((_FOLDER / "package-lock.json").read_text())["packages"]
    root = packages.pop("")
    assert root["dependencies"] == wanted
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert [name for name, package in packages.items() if not package["integrity"].startswith("sha512-")] == []
    assert [name for name, package in packages.items() if "resolved" in package] == []
