"""The two published pages as they were found, and which row of our table holds each of their sentences."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
SEEDS = ("sending-events", "api-reference")
# What a sentence is when nothing on a server could hold it: it names or announces what follows, tells readers how to
# keep their own house, or where to click.
NOT_HELD = frozenset({"heading", "introduction", "reader", "console"})

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


def read_seed(seed: str) -> str:
    """Return a page's text, unchanged."""
    return (HERE / "seeds" / f"{seed}.txt").read_text(encoding="utf-8")


def sentences(seed: str) -> Iterator[Sentence]:
    """Return every sentence of a page, in order; a line of a table or of code is one."""
    for number, line in enumerate(read_seed(seed).splitlines(), 1):
        text = line.strip().removesuffix(" |")
        parts = [text] if text.startswith('"') else _SENTENCE_END.split(text)
        if not text:
            continue
        for index, part in enumerate(parts, 1):
            yield Sentence(f"{seed}:{number}.{index}" if len(parts) > 1 else f"{seed}:{number}", part)


def listed() -> list[Listed]:
    """Return sentences.tsv. A place "page:12-15" stands for all of these lines."""
    found = []
    for line in (HERE / "sentences.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        place, held_by, text = line.split("\t")
        seed, _, numbers = place.partition(":")
        first, _, last = numbers.partition("-")
        rows = tuple(held_by.split(", "))
        found.append(Listed(f"{seed}:{first}", f"{seed}:{last or first}", text, rows))
    return found


def between(seed: str, after: str, before: str) -> str:
    """Return the lines of a page between the one that is after and the next one that is before."""
    lines = read_seed(seed).splitlines()
    start = lines.index(after) + 1
    return "\n".join(lines[start : lines.index(before, start)])
