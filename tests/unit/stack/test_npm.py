"""Installing packages from npm, with a stand-in for npm in a copy of gateway/browser."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stack import processes
from stack.browser_packages import FOLDER as _FOLDER

_ENTRY = "@scalar/api-reference/dist/browser/standalone.esm.js"
_CHUNKS = "@scalar/api-reference/dist/browser/chunks"
_SERVED = {_ENTRY, *(f"{_CHUNKS}/{number}.js" for number in range(100))}

# As npm does: deletes node_modules, writes one file after the other, and the list of the packages at the end.
_NPM = f"""#!{sys.executable}
import os, shutil, sys
from pathlib import Path

with open(os.environ["NPM_RUNS"], "a") as runs:
    runs.write("run\\n")
folder = Path.cwd() / "node_modules"
shutil.rmtree(folder, ignore_errors=True)
if os.environ.get("NPM_FAILS"):
    sys.exit("no network")
if pipe := os.environ.get("NPM_WAITS_FOR"):
    Path(pipe).read_bytes()
for name in {sorted(_SERVED)}:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        file.write(f"content of {{name}}")
        os.fsync(file.fileno())
(folder / ".package-lock.json").write_text("{{}}")
"""

_COPIED = (".npmrc", "package-lock.json", "package.json")
_INSTALL = """
import sys
from pathlib import Path
from stack import browser_packages
from stack.node import NodeError
browser_packages.FOLDER = Path(sys.argv[1])
try:
    browser_packages.install(lambda text: None)
except NodeError as error:
    sys.exit(str(error))
"""


class Machine:
    """A copy of the folder, and a PATH with the stand-in only."""

    def __init__(self, folder: Path) -> None:
        self._runs = folder / "runs"
        self._programs = folder / "bin"
        self._programs.mkdir()
        for name, script in (("npm", _NPM), ("node", "#!/bin/sh\necho v22.12.0\n")):
            (self._programs / name).write_text(script)
            (self._programs / name).chmod(0o755)
        self.folder = folder / "browser"
        self.folder.mkdir()
        for name in _COPIED:
            shutil.copy(_FOLDER / name, self.folder)
        self.packages = self.folder / "node_modules"

    def start(self, **environment: str) -> subprocess.Popen[str]:
        """Start the installer."""
        return subprocess.Popen(
            [sys.executable, "-c", _INSTALL, str(self.folder)],
            cwd=processes.ROOT,
            env={"PATH": str(self._programs), "NPM_RUNS": str(self._runs), **environment},
            stderr=subprocess.PIPE,
            text=True,
        )

    def install(self, **environment: str) -> str:
        """Run the installer and return what it complains about."""
        _, fault = self.start(**environment).communicate(timeout=60)
        return fault

    @property
    def runs(self) -> int:
        """The number of times that npm has installed."""
        return len(self._runs.read_text().splitlines())

    def assert_whole(self) -> None:
        """Every file that is served is there with its content, and nothing else was left behind."""
        for name in _SERVED:
            assert (self.packages / name).read_text() == f"content of {name}"
        assert {path.name for path in self.folder.iterdir()} == {"node_modules", *_COPIED}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine without the packages."""
    return Machine(tmp_path)


def test_installers_at_once_install_once(machine: Machine) -> None:
    """The others wait for the first, and find its installation."""
    started = [machine.start() for _ in range(4)]
    ended = [(installer.communicate(timeout=60)[1], installer.returncode) for installer in started]
    assert ended == [("", 0)] * 4
    assert machine.runs == 1
    machine.assert_whole()


def test_it_is_installed_once(machine: Machine) -> None:
    """A later time of the lock, as after a checkout, changes nothing; other content of it does."""
    machine.install()
    lock = machine.folder / "package-lock.json"
    os.utime(lock, (lock.stat().st_mtime + 3600,) * 2)
    assert machine.install() == ""
    assert machine.runs == 1
    lock.write_text(lock.read_text() + "\n")
    assert machine.install() == ""
    assert machine.runs == 2
    machine.assert_whole()


@pytest.mark.parametrize("name", [_ENTRY, f"{_CHUNKS}/7.js"])
@pytest.mark.parametrize("damage", ["incomplete", "missing"])
def test_a_broken_installation_is_repaired(machine: Machine, name: str, damage: str) -> None:
    """If a file that is served is missing or incomplete, npm runs again."""
    machine.install()
    if damage == "incomplete":
        (machine.packages / name).write_text("cont")
    else:
        (machine.packages / name).unlink()
    assert machine.install() == ""
    machine.assert_whole()


def test_what_a_killed_installer_left_is_removed(machine: Machine) -> None:
    """It neither disturbs the next one nor stays."""
    left = machine.folder / "node_modules.part" / "node_modules" / "@scalar"
    left.mkdir(parents=True)
    (left / "half.js").write_text("cont")
    assert machine.install() == ""
    machine.assert_whole()


def test_the_next_installer_waits_for_the_npm_of_a_killed_one(machine: Machine, tmp_path: Path) -> None:
    """That npm still writes, so the lock is held until it has ended."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    killed = machine.start(NPM_WAITS_FOR=str(pipe))
    with pipe.open("w"), (machine.folder / "package-lock.json").open() as lock:  # once npm has opened it, too
        killed.kill()
        killed.communicate(timeout=60)
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert machine.install() == ""
    machine.assert_whole()


def test_a_failure_keeps_what_was_installed(machine: Machine) -> None:
    """Without a network the old version is served on."""
    machine.install()
    lock = machine.folder / "package-lock.json"
    lock.write_text(lock.read_text() + "\n")
    assert machine.install(NPM_FAILS="1") == "npm ci --ignore-scripts failed: no network\n"
    machine.assert_whole()
