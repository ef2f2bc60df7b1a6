"""Makes HTML from anywhere fit into a document: each element that it opens is closed, and it closes no other one.

Correct HTML stays as it is, byte for byte. A comment, a quote or a raw text without an end becomes text, because it
would swallow what follows. In linear time.
"""

import re
from collections import Counter
from enum import Enum, auto

from services.render.html_syntax import MARKUP, RAW_TEXT, VOID, end_of_raw_text, is_element, is_self_closed
from services.render.nesting_rules import (
    CELLS,
    DOCUMENT,
    END_FOREIGN,
    END_TAG_OPTIONAL,
    ENDED_BY_START,
    FOREIGN_LEAVES,
    FOREIGN_ROOTS,
    FORMATTING,
    MARKED,
    NOT_BETWEEN_CELLS,
    SCOPES,
    START_BARRIERS,
    TABLE_PARTS,
    TABLE_SCOPES,
    end_barriers,
)


class FragmentContext(Enum):
    """The element around a fragment: one that holds text, a table that holds its rows, or an unknown one."""

    TEXT = auto()
    TABLE = auto()
    ANY = auto()


# Limits for elements within elements, and for start tags without an end tag. Tags beyond them are left out, their
# content stays.
MAX_DEPTH = 256
_MAX_UNCLOSED = 1000

# Most fragments consist of these tags only. If they are nested correctly, nothing has to be changed.
_SIMPLE_TAG = re.compile(r"""<(/?)([a-z][a-z0-9]*+)(?:\s++[a-z-]++="[^"<>]*+")*+\s*+(/?)>""")
_SIMPLE_VOID = frozenset(("br", "hr", "img"))
_SIMPLE = FORMATTING | frozenset(
    (
        "blockquote",
        "center",
        "div",
        "h1",
        "h2",
        "h3",
        "h4",
        "li",
        "ol",
        "p",
        "span",
        "table",
        "tbody",
        "td",
        "th",
        "tr",
        "ul",
    )
)
_SIMPLE_PARENTS = {
    "table": (FragmentContext.TEXT, FragmentContext.ANY, *(_SIMPLE - {"table", "tbody", "tr"})),
    "tbody": (FragmentContext.TABLE, FragmentContext.ANY, "table"),
    "tr": (FragmentContext.TABLE, FragmentContext.ANY, "table", "tbody"),
    **dict.fromkeys(CELLS, ("tr",)),
}
_COMMENT_END = re.compile(r".*--!?>", re.DOTALL)


def contained(markup: str, context: FragmentContext = FragmentContext.TEXT) -> str:
    """Return the HTML, well nested for its context."""
    if "<" not in markup or _is_simple(markup, context):
        return markup
    closed = _COMMENT_END.match(markup)
    comments = 0 if closed is None else closed.end()
    rest = markup.find("<!--", comments)
    if rest >= 0:
        markup = markup[:rest] + markup[rest:].replace("<!--", "&lt;!--")
    return _Nesting(markup, context).result()


def _is_simple(markup: str, context: FragmentContext) -> bool:
    """Return whether all tags are simple ones and each has its end tag."""
    tags = _SIMPLE_TAG.findall(markup)
    if len(tags) != markup.count("<"):
        return False
    around: list[str | FragmentContext] = [context]
    for end, name, closed in tags:
        if end:
            if around.pop() != name:
                return False
        elif name not in _SIMPLE_VOID:
            if closed or name not in _SIMPLE or len(around) > MAX_DEPTH:
                return False
            if name in _SIMPLE_PARENTS and around[-1] not in _SIMPLE_PARENTS[name]:
                return False
            around.append(name)
    return len(around) == 1


class _Nesting:
    """Writes markup again with its tags in order."""

    def __init__(self, markup: str, context: FragmentContext) -> None:
        self._markup = markup
        self._context = context
        self._out: list[str] = []
        self._open: list[str] = []
        self._counts: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()
        self._endless: set[str] = set()
        self._unclosed = 0

    def result(self) -> str:
        position = 0
        while (found := MARKUP.search(self._markup, position)) is not None:
            self._text(position, found.start())
            position = found.end()
            name = found["name"]
            if name is None:
                self._no_tag(found)
            elif found["cut"] is not None or not is_element(name) or name.lower() == "plaintext":
                self._text(*found.span())
            elif found["end"]:
                self._close(name.lower(), found[0])
            else:
                position = self._start(found, name.lower())
        self._text(position, len(self._markup))
        self._end(self._open)
        return "".join(self._out)

    def _text(self, start: int, end: int) -> None:
        self._out.append(self._markup[start:end].replace("<", "&lt;"))

    def _no_tag(self, found: re.Match[str]) -> None:
        """Write a comment so that every mail program sees the same end, or what only a browser reads as a comment."""
        if found["open"] is not None:
            self._text(*found.span())
        elif found["comment"] is not None:
            is_empty = len(found["comment"]) <= len("->")
            self._out.append("" if is_empty else f"{found[0].removesuffix('--!>').removesuffix('-->')}-->")
        elif found["bogus"].startswith("[CDATA["):  # in an SVG it would not end at this ">"
            self._text(*found.span())
        elif not found["bogus"].lower().startswith("doctype"):
            self._out.append(found[0])

    def _start(self, found: re.Match[str], name: str) -> int:
        """Write a start tag if it is allowed here; return the index at which to read on."""
        is_foreign = self._is_foreign(name)
        if is_foreign and (name in FOREIGN_LEAVES or name in RAW_TEXT):
            return self._leaf(found, name)
        if not self._is_allowed(name, is_foreign=is_foreign):
            return found.end()
        if not is_foreign:
            self._end_before(name)
        if name in VOID:
            self._out.append(found[0])
        elif is_self_closed(found["attributes"]):
            self._out.append(f"{found[0][:-2].rstrip()}></{found['name']}>")
        elif name in RAW_TEXT:
            return self._raw_text(found, name)
        else:
            self._begin(name, found[0])
        return found.end()

    def _is_allowed(self, name: str, *, is_foreign: bool) -> bool:
        if name in NOT_BETWEEN_CELLS and self._is_between_cells():
            self._left_out[name] += 1
            return False
        has_no_table = self._context is FragmentContext.TEXT and not self._counts["table"]
        return name not in DOCUMENT and not (name in TABLE_PARTS and (is_foreign or has_no_table))

    def _begin(self, name: str, written: str) -> None:
        if len(self._open) >= MAX_DEPTH or self._unclosed >= _MAX_UNCLOSED:
            self._left_out[name] += 1
            return
        self._unclosed += 1
        self._open.append(name)
        self._counts[name] += 1
        self._out.append(written)

    def _is_foreign(self, name: str) -> bool:
        """Return whether an element would be part of an SVG or a formula. If it would end it, take it as ended."""
        if not any(self._counts[root] for root in FOREIGN_ROOTS):
            return False
        if name in END_FOREIGN:
            self._shorten(next(place for place, one in enumerate(self._open) if one in FOREIGN_ROOTS), [])
            return False
        return True

    def _leaf(self, found: re.Match[str], name: str) -> int:
        """Write an element whose content would be HTML again if that content is text; write only its content if not."""
        end = self._markup.find("<", found.end())
        if self._markup[end : end + len(name) + 3].lower() != f"</{name}>":
            self._left_out[name] += not is_self_closed(found["attributes"])
            return found.end()
        end += len(name) + 3
        self._out.append(self._markup[found.start() : end])
        return end

    def _is_between_cells(self) -> bool:
        """Return whether the position is in a table, but in none of its cells."""
        for one in reversed(self._open):
            if one in TABLE_SCOPES or one in TABLE_PARTS:
                return one not in CELLS and one not in {"caption", "template"}
        return self._context is FragmentContext.TABLE

    def _raw_text(self, found: re.Match[str], name: str) -> int:
        end = -1 if name in self._endless else end_of_raw_text(self._markup, name, found.end())
        close = -1 if end < 0 else self._markup.find(">", end)
        if close < 0:
            self._endless.add(name)
            self._text(*found.span())
            return found.end()
        content = self._markup[found.end() : end]
        if name == "script":  # after "<!--<script" it would not end at its end tag
            content = content.replace("<!--", "\\u003c!--")
        self._out.append(f"{found[0]}{content}</{name}>")
        return close + 1

    def _close(self, name: str, written: str) -> None:
        if self._left_out[name]:
            self._left_out[name] -= 1
            return
        if not self._counts[name]:
            return
        index = len(self._open) - 1 - self._open[::-1].index(name)
        inside = self._open[index + 1 :]
        if not end_barriers(name).isdisjoint(inside):
            return
        if name in SCOPES:
            self._end([one for one in inside if one not in TABLE_PARTS])
            inside = []
        self._shorten(index, inside if name in FORMATTING else [one for one in inside if one in FORMATTING])
        self._unclosed -= 1
        self._out.append(written)

    def _end_before(self, name: str) -> None:
        """Take the elements that this start tag ends as ended."""
        if name == "a" and self._counts["a"]:
            index = len(self._open) - 1 - self._open[::-1].index("a")
            self._shorten(index, self._open[index + 1 :])
            return
        ends = ENDED_BY_START.get(name)
        if ends is None:
            return
        index = len(self._open)
        for place in range(len(self._open) - 1, -1, -1):
            one = self._open[place]
            if one in ends:
                index = place
            elif one in START_BARRIERS[name]:
                break
        ended = MARKED | FORMATTING if name in TABLE_PARTS else MARKED
        self._end([one for one in self._open[index:] if one in ended])
        self._shorten(index, [])

    def _end(self, opened: list[str]) -> None:
        """Write the end tags of those elements that need one."""
        self._out.extend(f"</{name}>" for name in reversed(opened) if name not in END_TAG_OPTIONAL)

    def _shorten(self, index: int, kept: list[str]) -> None:
        self._counts.subtract(self._open[index:])
        self._counts.update(kept)
        self._open[index:] = kept
