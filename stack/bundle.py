"""What a browser loads of the built console before a screen can be used, read from the build's manifest."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_MANIFEST = Path(".vite") / "manifest.json"
_SCREENS = "src/screens/"
# The chunk with the library of the code editor (console/vite.config.ts).
_EDITOR = "editor"


def first_loads(dist: Path) -> dict[str, int]:
    """Return, by the source of each screen, the bytes of scripts and styles that it needs, compressed by gzip.

    That is what the page loads first, and the screen with all that it imports, without the library of the code editor.
    """
    chunks, screens = _screens(dist)
    return {
        name: _size(dist, chunks, {one for one in needed if chunks[one].get("name") != _EDITOR})
        for name, needed in screens.items()
    }


def with_editor(dist: Path) -> list[str]:
    """Return the sources of the screens that need the code editor at once."""
    chunks, screens = _screens(dist)
    return [name for name, needed in screens.items() if any(chunks[one].get("name") == _EDITOR for one in needed)]


def _screens(dist: Path) -> tuple[dict[str, dict[str, Any]], dict[str, set[str]]]:
    """Return the manifest, and the chunks that each screen needs, by its source."""
    chunks: dict[str, dict[str, Any]] = json.loads((dist / _MANIFEST).read_bytes())
    (entry,) = [name for name, chunk in chunks.items() if chunk.get("isEntry")]
    always = _with_imports(chunks, entry)
    screens = [name for name, chunk in chunks.items() if chunk.get("isDynamicEntry") and name.startswith(_SCREENS)]
    return chunks, {name: always | _with_imports(chunks, name) for name in sorted(screens)}


def _with_imports(chunks: Mapping[str, dict[str, Any]], name: str) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += chunks[one].get("imports", [])
    return found


def _size(dist: Path, chunks: Mapping[str, dict[str, Any]], names: set[str]) -> int:
    files = {file for name in names for file in (chunks[name]["file"], *chunks[name].get("css", []))}
    return sum(_compressed(dist / file).stat().st_size for file in files)


def _compressed(path: Path) -> Path:
    """Return the file as the gateway sends it: small ones are not compressed."""
    gzip = path.with_name(f"{path.name}.gz")
    return gzip if gzip.exists() else path
