"""sentences.tsv holds every sentence of the two pages, and every row that it names is there."""

import subprocess
import sys

import pytest

from stack import processes
from tests.conformance.orqestra import contract


def _collected() -> set[str]:
    """Return the names of all rows, with and without their parameters."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", str(contract.HERE)]
    done = subprocess.run(command, cwd=processes.ROOT, capture_output=True, text=True, check=True, timeout=120)
    found = set()
    for line in done.stdout.splitlines():
        path, _, name = line.partition("::")
        if name:
            table = path.rpartition("/")[2].removeprefix("test_").removesuffix(".py")
            row = f"{table}.{name.removeprefix('test_')}"
            found |= {row, row.partition("[")[0]}
    return found


@pytest.mark.parametrize("seed", contract.SEEDS)
def test_no_sentence_is_missing(seed: str) -> None:
    """Every one is listed, in order, with the words it begins with."""
    lines = [line for line in contract.listed() if line.first.startswith(seed)]
    left = list(contract.sentences(seed))
    for line in lines:
        assert (left[0].place, left[0].text[: len(line.text)]) == (line.first, line.text)
        assert line.text
        while left.pop(0).place != line.last:
            pass
    assert not left, f"not listed: {left[0]}"


def test_every_row_named_is_a_test_and_every_row_is_named() -> None:
    """Both ways, but for the rows about what the pages leave open."""
    named = {row for line in contract.listed() for row in line.held_by if row not in contract.NOT_HELD}
    collected = _collected()
    assert named <= collected, f"no such rows: {sorted(named - collected)}"
    whole = {row for row in collected if "[" not in row}
    covered = {row.partition("[")[0] for row in named}
    silent = {row for row in whole if row.startswith(("silences.", "every_sentence."))}
    assert not whole - covered - silent, f"no sentence asks for: {sorted(whole - covered - silent)}"
