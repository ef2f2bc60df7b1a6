"""Which program the local stack starts as its hub."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from stack import go_program
from stack.hub import build

from .servers import Engine


@pytest.fixture
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Find no program but what a test puts there."""
    monkeypatch.delenv("CLARION_CENTRIFUGO", raising=False)
    monkeypatch.setattr(shutil, "which", lambda _name: None)


def _program(path: Path, prints: str) -> Path:
    path.write_text(f"#!/bin/sh\necho '{prints}'\n")
    path.chmod(0o755)
    return path


def test_a_named_centrifugo_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CLARION_CENTRIFUGO is taken at its word, and nothing is built."""
    named = _program(tmp_path / "mine", "whatever")
    monkeypatch.setenv("CLARION_CENTRIFUGO", str(named))
    assert build.hub_binary(tmp_path, pytest.fail) == named


def test_a_named_centrifugo_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong name is an error, not a reason to take something else."""
    monkeypatch.setenv("CLARION_CENTRIFUGO", str(tmp_path / "none"))
    with pytest.raises(build.HubUnavailableError, match="CLARION_CENTRIFUGO"):
        build.hub_binary(tmp_path, pytest.fail)


@pytest.mark.usefixtures("_bare")
@pytest.mark.parametrize(("version", "taken"), [("v6.9.1", True), ("v5.4.9", False)])
def test_only_version_6_is_taken_from_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, *, taken: bool
) -> None:
    """An older Centrifugo on PATH has another configuration and is left alone."""
    found = _program(tmp_path / "centrifugo", f"Centrifugo {version} (Go version: go1.26)")
    monkeypatch.setattr(shutil, "which", {"centrifugo": str(found)}.get)
    assert build.find_centrifugo() == (found if taken else None)


@pytest.mark.usefixtures("_bare")
def test_it_is_not_built_twice(clarion_hub: Engine) -> None:
    """What was built from the same sources is found again, without Go and without a word."""
    cache = clarion_hub.program.parent
    assert build.hub_binary(cache, pytest.fail) == clarion_hub.program


@pytest.mark.usefixtures("_bare")
def test_no_go_and_no_lock_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can be built the error says what is missing."""
    monkeypatch.setattr(go_program, "_GO_LOCK", tmp_path / "none")
    with pytest.raises(build.HubUnavailableError, match="is built with Go"):
        build.build_hub(tmp_path, pytest.fail)


@pytest.mark.usefixtures("_bare")
def test_go_is_fetched_by_the_uv_that_make_brought(tmp_path: Path) -> None:
    """A machine without Go, pip and uv on PATH has one in the folder of what is built."""
    uv = tmp_path / "uv" / "bin" / "uv"
    uv.parent.mkdir(parents=True)
    _program(uv, "")
    uv.write_text('#!/bin/sh\necho "$@" >&2\nexit 1\n')
    with pytest.raises(build.HubUnavailableError, match=r"Go could not be fetched .*: pip install .*--require-hashes"):
        build.build_hub(tmp_path, lambda _line: None)


@pytest.mark.usefixtures("_bare")
def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    """A checkout that belongs to somebody else, say."""
    (tmp_path / "build").write_text("a file in the way")
    with pytest.raises(
        build.HubUnavailableError, match=r"could not be built in .*build: (File exists|Not a directory)"
    ):
        build.build_hub(tmp_path / "build", pytest.fail)


def test_a_failing_build_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiler's last words are in the error, and no half-built file is found later."""
    go = _program(tmp_path / "go", "go1.99.0")
    go.write_text("#!/bin/sh\n[ $1 = env ] && echo go1.99.0 && exit\necho no luck >&2\nexit 2\n")
    monkeypatch.setattr(shutil, "which", {"go": str(go)}.get)
    with pytest.raises(build.HubUnavailableError, match="no luck"):
        build.build_hub(tmp_path / "cache", lambda _line: None)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["hub.lock"]


async def test_two_callers_share_one_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second waits for the first and takes what it built."""
    go = _program(tmp_path / "go", "")
    builds = tmp_path / "builds"
    go.write_text(
        "#!/bin/sh\n[ $1 = env ] && echo go1.99.0 && exit\n"
        f'echo built >>{builds}\nwhile [ "$1" != -o ]; do shift; done\nsleep 0.2; echo >$2\n'
    )
    monkeypatch.setattr(shutil, "which", {"go": str(go)}.get)
    lines: list[str] = []
    cache = tmp_path / "cache"
    first, second = await asyncio.gather(*(asyncio.to_thread(build.build_hub, cache, lines.append) for _ in range(2)))
    assert first == second
    assert builds.read_text() == "built\n"
    assert lines == ["building the realtime hub (about a minute, once)"]
