"""How long each test file took, in a file that `make durations` renews: the longest start first."""

import functools
import json
import statistics
from collections.abc import Mapping
from pathlib import Path

_FILE = Path(__file__).with_suffix(".json")
_ROOT = Path(__file__).parents[2]
# A file that takes less is not listed.
_LEAST_S = 1.0
# Where nearly all files take less.
_FAST = "tests/unit/"


def renew(seconds: Mapping[str, float], file: Path = _FILE, root: Path = _ROOT) -> None:
    """Write how long the files of a run took; those that did not run stay as they are while they exist."""
    known = {name: taken for name, taken in measured(file).items() if (root / name).exists()}
    listed = {name: round(taken, 1) for name, taken in sorted({**known, **seconds}.items()) if taken >= _LEAST_S}
    file.write_text(json.dumps(listed, indent=1) + "\n")
    measured.cache_clear()


@functools.cache
def measured(file: Path = _FILE) -> dict[str, float]:
    """Return the seconds of each listed file."""
    found: dict[str, float] = json.loads(file.read_text())
    return found


def expected(name: str) -> float:
    """Return how long a test file is expected to take, in seconds.

    One that is not listed may be new: it is expected to take as long as those of its folder, or of the folder around
    it, so that it does not start last. If it takes less, that it starts early does no harm.
    """
    known = measured()
    if name in known:
        return known[name]
    folder = name.rpartition("/")[0]
    while folder and not name.startswith(_FAST):
        if like := [taken for other, taken in known.items() if other.startswith(f"{folder}/")]:
            return statistics.median(like)
        folder = folder.rpartition("/")[0]
    return _LEAST_S
