"""How templates lie in a folder.

order.confirmed/email.mjml          the body; .mjml or .html for mail, .txt for SMS and push
order.confirmed/email.json          subject, preheader, layout …, and the version that it was pulled from
order.confirmed/email.pt-BR.mjml    the same in a language
order.confirmed/email.sample.json   variables to try it with (optional)
_layouts/main.mjml, _partials/footer.mjml
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import orjson

LAYOUTS, PARTIALS = "_layouts", "_partials"
KINDS = {LAYOUTS: "LAYOUT", PARTIALS: "PARTIAL"}
_SETTINGS = ("subject", "preheader", "layout", "push_namespace", "subscribed")
_ENDINGS = (".mjml", ".html", ".txt")
_CHANNELS = ("EMAIL", "SMS", "PUSH")


class Unreadable(Exception):
    """A file is not what it should be. The text names it."""


@dataclass(frozen=True)
class LocalTemplate:
    """One template in the folder. based_on: the id of the version that it was pulled from; empty: a new template."""

    path: Path
    event_type: str
    channel: str
    locale: str
    body: str
    settings: dict[str, Any]
    based_on: str = ""
    sample: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What people call it."""
        return f"{self.event_type} {self.channel}{f' {self.locale}' if self.locale else ''}"

    def differs(self, version: dict[str, Any]) -> bool:
        """Return whether a version of the API has another content."""
        return self.body != version["body"] or any(
            (self.settings.get(name) or None) != (version[name] or None) for name in _SETTINGS
        )


def write(folder: Path, version: dict[str, Any]) -> Path:
    """Write a version of the API. Returns the path of its body."""
    stem = folder / quote(version["event_type"], safe="") / version["channel"].lower()
    if version["locale"]:
        stem = stem.with_name(f"{stem.name}.{version['locale']}")
    path: Path = stem.with_name(stem.name + _ending(version["channel"], version["body"]))
    path.parent.mkdir(parents=True, exist_ok=True)
    for old in _ENDINGS:
        stem.with_name(stem.name + old).unlink(missing_ok=True)
    path.write_text(version["body"], encoding="utf-8")
    settings = {name: version[name] for name in _SETTINGS if version[name]} | {"version_id": version["id"]}
    stem.with_name(stem.name + ".json").write_bytes(orjson.dumps(settings, option=orjson.OPT_INDENT_2) + b"\n")
    return path


def write_part(folder: Path, part: dict[str, Any]) -> Path:
    """Write a layout or partial of the API. Returns its path."""
    place = next(name for name, kind in KINDS.items() if kind == part["kind"])
    path = folder / place / (quote(part["name"], safe="") + _ending("EMAIL", part["body"]))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(part["body"], encoding="utf-8")
    return path


def read(folder: Path) -> list[LocalTemplate]:
    """Return the templates of a folder, by path. Raises Unreadable."""
    if not folder.is_dir():
        raise Unreadable(f"{folder} is no folder.")
    return [_template(path) for path in sorted(folder.glob("*/*")) if _is_body(path) and path.parent.name not in KINDS]


def read_parts(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Yield (kind, name, body) of each layout and partial. Raises Unreadable."""
    for place, kind in KINDS.items():
        for path in sorted((folder / place).glob("*")):
            if path.suffix in _ENDINGS:
                yield kind, unquote(path.stem), _text(path)


def _is_body(path: Path) -> bool:
    return path.is_file() and path.suffix in _ENDINGS


def _template(path: Path) -> LocalTemplate:
    channel, _, locale = path.stem.partition(".")
    if channel.upper() not in _CHANNELS:
        raise Unreadable(f"{path}: the name begins with email, sms or push.")
    settings = _object(path.with_suffix(".json"))
    based_on = str(settings.pop("version_id", ""))
    if unknown := sorted(set(settings) - set(_SETTINGS)):
        raise Unreadable(f"{path.with_suffix('.json')}: unknown field {unknown[0]}.")
    sample = _object(path.with_name(f"{path.stem}.sample.json"))
    return LocalTemplate(
        path, unquote(path.parent.name), channel.upper(), locale, _text(path), settings, based_on, sample
    )


def _object(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        found = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"{path}: not JSON: {error}") from error
    if not isinstance(found, dict):
        raise Unreadable(f"{path}: must hold a JSON object.")
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable(f"{path}: not UTF-8.") from error


def _ending(channel: str, body: str) -> str:
    if channel != "EMAIL":
        return ".txt"
    return ".mjml" if "<mj" in body else ".html"
