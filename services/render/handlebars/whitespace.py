"""White space around tags: ``~`` takes all of it, a block tag alone on its line takes the line with it."""

import re
from collections.abc import Sequence

from services.render.handlebars.lexer import Chunk

_STANDALONE = frozenset(("open", "invert", "close", "else", "comment", "partial", "open_partial", "open_inline"))
_LINE_END = re.compile(r"[ \t]*(?:\r?\n|\Z)")


def trimmed(chunks: Sequence[Chunk]) -> list[Chunk]:
    """Return the chunks with the white space taken out; texts left empty are dropped."""
    starts = [0] * len(chunks)
    ends = [len(chunk.text) for chunk in chunks]
    for index, chunk in enumerate(chunks):
        if chunk.kind in _STANDALONE:
            _take_line(chunks, index, starts, ends)
    for index, chunk in enumerate(chunks):
        if chunk.trim_before and index > 0:
            ends[index - 1] = min(ends[index - 1], len(chunks[index - 1].text.rstrip()))
        if chunk.trim_after and index + 1 < len(chunks):
            text = chunks[index + 1].text
            starts[index + 1] = max(starts[index + 1], len(text) - len(text.lstrip()))
    kept = []
    for chunk, start, end in zip(chunks, starts, ends, strict=True):
        if chunk.kind != "text":
            kept.append(chunk)
        elif text := chunk.text[start:end]:
            kept.append(_cut(chunk, start, text))
    return kept


def _cut(chunk: Chunk, start: int, text: str) -> Chunk:
    """Return a text's rest from start, with its place."""
    lines = chunk.text.count("\n", 0, start)
    column = start - chunk.text.rfind("\n", 0, start) if lines else chunk.column + start
    return Chunk("text", chunk.line + lines, column, text)


def _take_line(chunks: Sequence[Chunk], index: int, starts: list[int], ends: list[int]) -> None:
    """If the tag stands alone on its line, take the indent before it and the line's end after it."""
    before = chunks[index - 1] if index > 0 else None
    after = chunks[index + 1] if index + 1 < len(chunks) else None
    if (before is not None and before.kind != "text") or (after is not None and after.kind != "text"):
        return
    indent = 0
    if before is not None:
        kept = len(before.text.rstrip(" \t"))
        # The start of a text is a line's start only at the start of the template.
        if (kept > 0 and before.text[kept - 1] != "\n") or (kept == 0 and index > 1):
            return
        indent = kept
    if after is not None:
        line_end = _LINE_END.match(after.text)
        at_end = index + 2 >= len(chunks)
        if line_end is None or (line_end.end() == len(after.text) and not line_end[0].endswith("\n") and not at_end):
            return
        starts[index + 1] = max(starts[index + 1], line_end.end())
    if before is not None:
        ends[index - 1] = min(ends[index - 1], indent)
        if chunks[index].kind == "partial" and not chunks[index].trim_before:
            chunks[index].text = before.text[indent:]
