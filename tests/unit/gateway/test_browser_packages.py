"""Installing the packages for the browser."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.browser import install
from stack import browser_packages

_FOLDER = Path(install.__file__).parent


def test_without_npm_it_says_what_is_missing(tmp_path: Path) -> None:
    """One sentence and status 1, for `make run` to print."""
    script = shutil.copy(_FOLDER / "install.py", tmp_path)
    shutil.copy(_FOLDER / "package-lock.json", tmp_path)
    command = [sys.executable, "-S", script]  # without the packages of this environment
    done = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "npm is missing: put Node.js on PATH, or install requirements/node.txt.\n"


def test_node_that_another_process_fetched_meanwhile_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of two that fetch it at once drops its own."""
    programs, cache = tmp_path / "bin", tmp_path / "cache"
    programs.mkdir()
    uv = programs / "uv"
    uv.write_text(
        f"#!{sys.executable}\n"
        "import os, sys\n"
        "part = sys.argv[sys.argv.index('--target') + 1]\n"
        "os.makedirs(f'{part}/mine')\n"
        "os.makedirs(f'{part.rsplit(chr(46), 2)[0]}/theirs')\n"
    )
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    folder = browser_packages.node_folder(cache)
    assert [path.name for path in folder.iterdir()] == ["theirs"]
    assert list(cache.iterdir()) == [folder]


def test_the_lock_pins_each_package_without_a_host() -> None:
    """By hash, from whatever registry the machine is set up for, and with exactly the versions of package.json."""
    wanted = json.loads((_FOLDER / "package.json").read_text())["dependencies"]
    packages = json.loads((_FOLDER / "package-lock.json").read_text())["packages"]
    root = packages.pop("")
    assert root["dependencies"] == wanted
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert [name for name, package in packages.items() if not package["integrity"].startswith("sha512-")] == []
    assert [name for name, package in packages.items() if "resolved" in package] == []
