"""The files of the built console, kept in memory."""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import gateway
from runtime import logs

# Where Vite wants the nonce; in each response another one takes its place.
NONCE = "__CSP_NONCE__"
# In the image it is in this package; in a checkout it is where it was built.
_FOLDERS = (Path(__file__).with_name("dist"), Path(gateway.__file__).parents[1] / "console" / "dist")
_INDEX = "index.html"
# Files whose names contain a hash of their content.
HASHED = "assets/"
# The codings that the build prepared, the smallest first, with the suffixes of their files.
CODINGS = {"br": ".br", "gzip": ".gz"}
_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
_OTHER_TYPE = "application/octet-stream"

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class File:
    """One file. coded: its content by coding, "" for the plain one. digest: of the plain content, for the ETag."""

    content_type: str
    digest: str
    coded: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Build:
    """One build. index: its page, in the pieces around the nonce. files: the others by name."""

    index: tuple[str, ...]
    files: Mapping[str, File]


@dataclass
class Builds:
    """The newest build, and the files of the one before it: pages that are open still ask for those."""

    folders: tuple[Path, ...] = _FOLDERS
    _mark: object = None
    _newest: Build | None = None
    _former: Build | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def newest(self) -> Build | None:
        """Return the build as it is now on disk; None if there never was one."""
        async with self._lock:
            mark, folder = await asyncio.to_thread(self._look)
            if folder is not None and mark != self._mark:
                await self._read(folder, mark)
            return self._newest

    async def file(self, name: str) -> File | None:
        """Return a file by its name in the build; None if there is none."""
        for build in (self._newest, self._former):
            if build is not None and (found := build.files.get(name)):
                return found
        newest = await self.newest()  # built meanwhile, or nobody asked for the page yet
        return newest.files.get(name) if newest is not None else None

    def _look(self) -> tuple[object, Path | None]:
        """Return what changes with every build, and its folder."""
        for folder in self.folders:
            try:
                found = [(folder / name).stat() for name in (_INDEX, HASHED)]
            except OSError:
                continue
            return [(one.st_ino, one.st_mtime_ns, one.st_size) for one in found], folder
        return None, None

    async def _read(self, folder: Path, mark: object) -> None:
        try:
            build = await asyncio.to_thread(_read, folder)
        except OSError as error:  # it is being replaced: the next request finds the new one
            log.warning("console_unreadable", error=str(error))
            return
        self._former, self._newest, self._mark = self._newest, build, mark


def _read(folder: Path) -> Build:
    index = (folder / _INDEX).read_text(encoding="utf-8")
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    files = {name: _file(folder / name) for name in names if _is_served(name)}
    return Build(tuple(index.split(NONCE)), files)


def _is_served(name: str) -> bool:
    hidden = any(part.startswith(".") for part in name.split("/"))
    return not hidden and name != _INDEX and not name.endswith((".map", *CODINGS.values()))


def _file(path: Path) -> File:
    content = path.read_bytes()
    coded = {"": content}
    for coding, suffix in CODINGS.items():
        prepared = path.with_name(path.name + suffix)
        if prepared.is_file():
            coded[coding] = prepared.read_bytes()
    return File(_TYPES.get(path.suffix, _OTHER_TYPE), hashlib.sha256(content).hexdigest()[:24], coded)
