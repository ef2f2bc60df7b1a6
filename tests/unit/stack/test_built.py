"""Building a package of this repository, with stand-ins for Node.js and npm in a small folder."""

import json
import sys
from pathlib import Path

import pytest

from stack import browser_packages, built, console, inbox, npm, pages
from stack.node import NodeError

_NPM = f"""#!{sys.executable}
import os, sys
from pathlib import Path

with open(os.environ["NPM_RUNS"], "a") as runs:
    runs.write(" ".join(sys.argv[1:3]) + "\\n")
if sys.argv[1] == "ci":
    Path("node_modules").mkdir()
elif os.environ.get("BUILD_FAILS"):
    print("> build\\n\\nsrc/main.tsx: error: something is missing\\n  at line 7")
    sys.exit(1)
else:
    part = Path(sys.argv[sys.argv.index("--outDir") + 1])
    (part / "assets").mkdir(parents=True)
    (part / "index.html").write_text(Path("src/main.tsx").read_text())
"""

_SAID = "building it"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The sources of a package, on a machine with Node.js."""
    programs, made = tmp_path / "bin", tmp_path / "console"
    programs.mkdir()
    for name, script in (("npm", _NPM), ("node", "#!/bin/sh\necho v22.12.0\n")):
        (programs / name).write_text(script)
        (programs / name).chmod(0o755)
    (made / "src").mkdir(parents=True)
    (made / "src" / "main.tsx").write_text("first")
    (made / "package.json").write_text("{}")
    (made / npm.LOCK).write_text("{}")
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("NPM_RUNS", str(tmp_path / "runs"))
    return made


def _runs(folder: Path) -> list[str]:
    path = folder.with_name("runs")
    return path.read_text().splitlines() if path.exists() else []


def test_it_is_built_once(folder: Path) -> None:
    """And again after a change of a source or of the lock, but not after one of the README."""
    said: list[str] = []
    for _ in range(2):
        built.build(said.append, folder, _SAID)
    assert (folder / "dist" / "index.html").read_text() == "first"
    assert _runs(folder) == ["ci --ignore-scripts", "run build"]
    assert said == [_SAID]
    (folder / "README.md").write_text("new")
    built.build(said.append, folder, _SAID)
    assert len(_runs(folder)) == 2
    (folder / "src" / "main.tsx").write_text("second")
    built.build(said.append, folder, _SAID)
    assert (folder / "dist" / "index.html").read_text() == "second"
    assert _runs(folder)[2:] == ["run build"]
    (folder / npm.LOCK).write_text('{"packages": {}}')
    built.build(said.append, folder, _SAID)
    assert _runs(folder)[3:] == ["ci --ignore-scripts", "run build"]
    assert {path.name for path in folder.iterdir()} == {
        "README.md",
        "dist",
        "node_modules",
        "package-lock.json",
        "package.json",
        "src",
    }


def test_what_was_built_by_hand_is_built_again(folder: Path) -> None:
    """Nobody knows what it was built from."""
    (folder / "dist").mkdir()
    (folder / "dist" / "index.html").write_text("by hand")
    built.build(lambda _text: None, folder, _SAID)
    assert (folder / "dist" / "index.html").read_text() == "first"


def test_a_failure_keeps_what_was_built_and_says_why(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one sentence, with the line that names the error."""
    built.build(lambda _text: None, folder, _SAID)
    (folder / "src" / "main.tsx").write_text("second")
    monkeypatch.setenv("BUILD_FAILS", "1")
    with pytest.raises(NodeError, match=r"^npm run build failed: src/main.tsx: error: something is missing$"):
        built.build(lambda _text: None, folder, _SAID)
    assert (folder / "dist" / "index.html").read_text() == "first"
    assert not built.is_built(folder)
    assert not (folder / "dist.part").exists()


def test_what_a_killed_builder_left_is_removed(folder: Path) -> None:
    """Half a build never becomes the result."""
    for name in ("dist.part", "dist.old"):
        (folder / name).mkdir()
        (folder / name / "half.js").write_text("ha")
    built.build(lambda _text: None, folder, _SAID)
    assert sorted(path.name for path in (folder / "dist").iterdir()) == [".clarion.json", "assets", "index.html"]
    assert json.loads((folder / "dist" / ".clarion.json").read_text()) == {"sources": built.source_hash(folder)}


def test_a_folder_that_cannot_be_written_is_a_failure_like_others(folder: Path) -> None:
    """The stack says so and starts."""
    (folder / npm.LOCK).unlink()
    with pytest.raises(NodeError, match="could not be built"):
        built.build(lambda _text: None, folder, _SAID)


def test_each_page_that_cannot_be_prepared_is_one_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are prepared all the same."""

    def fail(_report: object) -> None:
        raise NodeError("npm ci failed: no network")

    done: list[str] = []
    monkeypatch.setattr(browser_packages, "install", fail)
    for one in (console, inbox):
        monkeypatch.setattr(one, "build", lambda _report, name=one.__name__: done.append(name))
    assert pages.prepare() == ["WARNING: /docs does not work: npm ci failed: no network"]
    assert sorted(done) == ["stack.console", "stack.inbox"]
