"""What the processes of a stack wrote."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from stack.client import Running

_SECRET_NAMES = ("TOKEN", "SECRET", "KEY", "PASSWORD")


def lines(running: Running, process: str) -> list[dict[str, Any]]:
    """Return a process's log: one JSON object a line. Lines of other programs are left out, and a half-written one."""
    text = Path(running.process(process).log).read_text(encoding="utf-8", errors="replace")
    return [json.loads(line) for line in text.split("\n")[:-1] if line.startswith("{")]


def secrets_of(running: Running) -> dict[str, str]:
    """Return every secret that the stack was started with, by name."""
    state = running.state
    found = {"admin_token": state.admin_token, "api_key": state.api_key}
    for name, value in state.variables.items():
        if any(word in name for word in _SECRET_NAMES):
            found[name] = value
        elif name.endswith("_URL") and (password := urlsplit(value).password):
            found[name] = password
    return found


def secrets_in_logs(running: Running, more: Iterable[str] = ()) -> list[str]:
    """Return "file: secret's name" for each secret that a log of the stack holds. more: further secrets.

    run.log is no log: it is what a person sees who starts the stack, the demo tenant's key among it.
    """
    secrets = {**secrets_of(running), **{f"more {number}": value for number, value in enumerate(more)}}
    found = []
    for path in sorted((running.data / "log").glob("*.log*")):
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [f"{path.name}: {name}" for name, value in secrets.items() if value in text]
    return found
