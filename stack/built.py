"""Builds what the gateway serves to browsers, a folder with a package.json, into its `dist`.

It is built in a temporary folder, which then replaces the former one: a failure leaves that as it was. A second
builder waits for the first. What was built contains a hash of what it was built from, and is built again when that
has changed.
"""

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from stack import npm
from stack.node import NodeError, Report

DIST = "dist"
_PART = "dist.part"
_OLD = "dist.old"
# Written into the result: {"sources": the hash}.
RECORD = ".clarion.json"
# The rest of the folder: sources, settings of the tools, package.json and its lock.
_NOT_BUILT_FROM = frozenset({npm.MODULES, "node_modules.part", DIST, _PART, _OLD, "README.md"})


def is_built(folder: Path) -> bool:
    """Return whether the folder was built from its sources as they are now."""
    with contextlib.suppress(OSError, ValueError):
        return bool(json.loads((folder / DIST / RECORD).read_bytes()) == {"sources": source_hash(folder)})
    return False


def build(report: Report, folder: Path, announcement: str) -> None:
    """Build a folder unless that is done. Blocking. announcement: reported before. Raises NodeError."""
    if is_built(folder):
        return
    try:
        with npm.one_at_a_time(folder) as held:
            if not is_built(folder):
                report(announcement)
                _build(report, folder, held)
    except OSError as error:
        raise NodeError(f"{folder} could not be built: {error}.") from error


def source_hash(folder: Path) -> str:
    """Return a hash of all that the folder is built from."""
    digest = hashlib.sha256()
    for path in sorted(_sources(folder)):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def _sources(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name in _NOT_BUILT_FROM:
            continue
        yield from (one for one in path.rglob("*") if one.is_file()) if path.is_dir() else (path,)


def _build(report: Report, folder: Path, held: int) -> None:
    part, target, old = folder / _PART, folder / DIST, folder / _OLD
    for left in (part, old):
        shutil.rmtree(left, ignore_errors=True)  # of a builder that was killed
    try:
        found = npm.install(folder, held, report)
        sources = source_hash(folder)  # as they are before: a change meanwhile is built the next time
        npm.run(found, ["run", "build", "--", "--outDir", _PART], folder, held)
        (part / RECORD).write_text(json.dumps({"sources": sources}))
        if target.exists():
            target.rename(old)
        part.rename(target)
    finally:
        for left in (part, old):
            shutil.rmtree(left, ignore_errors=True)
