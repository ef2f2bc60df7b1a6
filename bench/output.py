"""Progress on standard error, and the file of a run's figures."""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

RESULTS = Path(__file__).with_name("results")


class Progress:
    """Prints one line per step, with the seconds since the start."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self, text: str) -> None:
        """Print one line without buffering."""
        print(f"[{time.monotonic() - self._began:5.1f} s] {text}", file=sys.stderr, flush=True)


def now() -> str:
    """Return the time that a run has in its figures, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def keep(figures: object, at: str, *, name: str = "") -> Path:
    """Store figures as JSON; return the file. at: of now(). name: of the bench, which the file's name begins with."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "-".join(filter(None, (name, f"{at.replace(':', '').replace('+0000', 'Z')}.json")))
    path.write_bytes(msgspec.json.format(msgspec.json.encode(figures)))
    return path
