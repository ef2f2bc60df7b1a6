"""Published pages as they were found, and which row of a table holds each of their sentences."""

import re
import subprocess
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from stack import processes

# Not inside JSON, whose lines begin with a quote.
_SENTENCE_END = re.compile(r"(?<=[\w)}\"][.!?]) +(?=[A-Z]|variables )")


@dataclass(frozen=True)
class Sentence:
    """place: "page:line", or "page:line.number" where a line holds several."""

    place: str
    text: str


@dataclass(frozen=True)
class Listed:
    """A line of sentences.tsv. first and last place, the text's beginning, and the rows that hold it (or why none)."""

    first: str
    last: str
    text: str
    held_by: tuple[str, ...]


@dataclass(frozen=True)
class Contract:
    """The pages in folder/seeds, and folder/sentences.tsv. seeds: their names, in order."""

    folder: Path
    seeds: tuple[str, ...]

    def read_seed(self, seed: str) -> str:
        """Return a page's text, unchanged."""
        return (self.folder / "seeds" / f"{seed}.txt").read_text(encoding="utf-8")

    def sentences(self, seed: str) -> Iterator[Sentence]:
        """Return every sentence of a page, in order; a line of a table or of code is one."""
        for number, line in enumerate(self.read_seed(seed).splitlines(), 1):
            text = line.strip().removesuffix(" |")
            parts = [text] if text.startswith('"') else _SENTENCE_END.split(text)
            if not text:
                continue
            for index, part in enumerate(parts, 1):
                yield Sentence(f"{seed}:{number}.{index}" if len(parts) > 1 else f"{seed}:{number}", part)

    def listed(self) -> list[Listed]:
        """Return sentences.tsv. A place "page:12-15" stands for all of these lines."""
        found = []
        for line in (self.folder / "sentences.tsv").read_text(encoding="utf-8").splitlines()[1:]:
            place, held_by, text = line.split("\t")
            seed, _, numbers = place.partition(":")
            first, _, last = numbers.partition("-")
            rows = tuple(held_by.split(", "))
            found.append(Listed(f"{seed}:{first}", f"{seed}:{last or first}", text, rows))
        return found

    def between(self, seed: str, after: str, before: str) -> str:
        """Return the lines of a page between the one that is after and the next one that is before."""
        lines = self.read_seed(seed).splitlines()
        start = lines.index(after) + 1
        return "\n".join(lines[start : lines.index(before, start)])

    def assert_nothing_missing(self, seed: str) -> None:
        """Every sentence is listed, in order, with the words it begins with."""
        lines = [line for line in self.listed() if line.first.startswith(seed)]
        left = list(self.sentences(seed))
        for line in lines:
            assert (left[0].place, left[0].text[: len(line.text)]) == (line.first, line.text)
            assert line.text
            while left.pop(0).place != line.last:
                pass
        assert not left, f"not listed: {left[0]}"

    def assert_rows_exist(self, not_held: Collection[str], beyond: tuple[str, ...]) -> None:
        """Every row that is named is a test, and every test is named.

        not_held: words for sentences that no row holds. beyond: tables with more than the pages say.
        """
        named = {row for line in self.listed() for row in line.held_by if row not in not_held}
        collected = self._collected()
        assert named <= collected, f"no such rows: {sorted(named - collected)}"
        whole = {row for row in collected if "[" not in row}
        covered = {row.partition("[")[0] for row in named}
        silent = {row for row in whole if row.startswith(beyond)}
        assert not whole - covered - silent, f"no sentence asks for: {sorted(whole - covered - silent)}"

    def _collected(self) -> set[str]:
        """Return the names of all rows, with and without their parameters."""
        command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", str(self.folder)]
        done = subprocess.run(command, cwd=processes.ROOT, capture_output=True, text=True, check=True, timeout=120)
        found = set()
        for line in done.stdout.splitlines():
            path, _, name = line.partition("::")
            if name:
                table = path.rpartition("/")[2].removeprefix("test_").removesuffix(".py")
                row = f"{table}.{name.removeprefix('test_')}"
                found |= {row, row.partition("[")[0]}
        return found
