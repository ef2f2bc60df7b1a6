"""The text part of an e-mail, made from its HTML: paragraphs, lists, links as "text (address)".

turbohtml parses the HTML as a browser does, in linear time, and calls a handler for each start, end and text.
"""

import re
from collections.abc import Mapping
from typing import TypeAlias

from turbohtml.saxparse import SaxHandler, sax_parse

from services.render.hidden import is_hidden
from services.render.html_syntax import ELEMENT_NAME
from services.render.numbering import ListNumbering

Attributes: TypeAlias = tuple[tuple[str, str | None], ...]

# What HTML collapses to one space. A no-break space is not part of it.
_WHITE_SPACE = " \t\r\n\f\v"
_COLLAPSIBLE = re.compile(r"[ \t\r\n\f\v]{2,}|[\t\r\n\f\v]")
_SPACES = re.compile(r"[ \t\f\v]+")
_BLANK_LINES = re.compile(r"\n{3,}")
# CSS that keeps line ends.
_KEEPS_LINES = re.compile(r"white-space\s*+:\s*+(pre(?:-line|-wrap)?|break-spaces)\b", re.IGNORECASE)
# A "<" that is text, as in "5 <6" and "Ada <ada@x.example>". HTML would read an element from the second one.
_TEXT_BRACKET = re.compile(rf"<(?!/?{ELEMENT_NAME}[\t\n\f\r />]|[!?])")

_NOT_TEXT = frozenset(("iframe", "noembed", "noframes", "script", "style", "svg", "template", "textarea", "title"))
_LISTS = frozenset(("dir", "menu", "ol", "ul"))
_PREFORMATTED = frozenset(("listing", "plaintext", "pre", "xmp"))
_PARAGRAPHS = (
    *("address", "article", "aside", "blockquote", "div", "dl", "fieldset", "footer", "form", "header"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "main", "nav", "p", "section", "table", *_LISTS, *_PREFORMATTED),
)
# Elements that stand on lines of their own, and the line ends before and after them.
_BLOCKS = {**dict.fromkeys(_PARAGRAPHS, 2), **dict.fromkeys(("dd", "dt", "li", "tr"), 1)}
_MAX_INDENT = 10
_SCHEMES_NOT_SHOWN = ("#", "javascript:", "data:")
# Stands for a line end that must not be collapsed. The parser never returns this character.
_KEPT_LINE = "\0"


def from_html(markup: str) -> str:
    """Return the text that a browser would show, with the addresses of links."""
    writer = _TextWriter()
    sax_parse(_TEXT_BRACKET.sub("&lt;", markup), writer)
    return writer.text()


class _TextWriter(SaxHandler):
    """Writes words and line ends. The parser calls it once for each start, end and text of a document."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._newlines = 2  # at the end of what is written; the start of the text counts as a blank line
        self._needs_space = False
        self._lists: list[_List] = []
        self._link: tuple[str, int] | None = None  # its address, and the index of its first part
        self._depth = 0
        self._hidden_depth = 0  # of the element that hides what is in it; 0: none
        self._preformatted: _Preformatted | None = None

    def text(self) -> str:
        """Return what was written."""
        text = "".join(self._parts)
        for line_end in ("\n", _KEPT_LINE):
            text = line_end.join([line.rstrip(" \t") for line in text.split(line_end)])
        return _BLANK_LINES.sub("\n\n", text).strip(f"\n{_KEPT_LINE}").replace(_KEPT_LINE, "\n")

    def start_element(self, tag: str, attrs: Attributes) -> None:
        self._depth += 1
        if self._hidden_depth:
            return
        if tag in _NOT_TEXT or (attrs and is_hidden(attrs)):
            self._hidden_depth = self._depth
            return
        if tag in _BLOCKS:
            self._start_block(tag, attrs)
        elif tag == "a":
            self._start_link(attrs)
        elif tag in {"td", "th"}:
            self._needs_space = True
        elif tag in {"br", "hr", "img"}:
            self._void(tag, attrs)
        if self._preformatted is None and (attrs or tag in _PREFORMATTED):
            self._preformatted = _preformatted(tag, attrs, self._depth)

    def end_element(self, tag: str) -> None:
        depth = self._depth
        self._depth -= 1
        if self._hidden_depth:
            if self._hidden_depth == depth:
                self._hidden_depth = 0
            return
        if self._preformatted is not None and self._preformatted.depth == depth:
            self._end_preformatted(self._preformatted, tag)
        if tag == "a":
            self._end_link()
        elif tag in _BLOCKS:
            self._end_block(tag)

    def characters(self, data: str) -> None:
        if self._hidden_depth:
            return
        if self._preformatted is None:
            self._write_words(data)
        else:
            self._write_lines(self._preformatted, data)

    def _write_words(self, text: str) -> None:
        words = text.strip(_WHITE_SPACE)
        if not words:
            self._needs_space = self._needs_space or bool(text)
            return
        if text[0] in _WHITE_SPACE:
            self._needs_space = True
        self._write(_collapsed(words).replace("\xa0", " "))
        self._needs_space = text[-1] in _WHITE_SPACE

    def _write_lines(self, preformatted: "_Preformatted", text: str) -> None:
        """Write text with its spaces and line ends; those at its end are held back until more text follows."""
        text = preformatted.normalized(text)
        shown = text.rstrip("\n")
        if shown:
            held_back = _KEPT_LINE * preformatted.line_ends
            self._write(held_back + shown.replace("\n", _KEPT_LINE).replace("\xa0", " "))
            preformatted.line_ends = 0
        preformatted.line_ends += len(text) - len(shown)

    def _void(self, tag: str, attrs: Attributes) -> None:
        if tag == "img":
            self.characters(dict(attrs).get("alt") or "")
        elif tag == "hr":
            self._break(2)
            self._write("---")
            self._break(2)
        elif self._preformatted is None:
            self._break(1, always=True)
        else:
            self._preformatted.line_ends += 1

    def _start_block(self, tag: str, attrs: Attributes) -> None:
        if self._preformatted is not None:
            self._preformatted.line_ends = 0  # a block begins on a line of its own anyway
        self._break(1 if self._lists and tag in _LISTS else _BLOCKS[tag])
        if tag in _LISTS:
            self._lists.append(_List(ListNumbering(tag, dict(attrs))))
        elif tag == "li":
            self._start_item(dict(attrs))

    def _end_block(self, tag: str) -> None:
        if tag not in _LISTS:
            self._break(_BLOCKS[tag])
            return
        self._lists.pop().write_markers(self._parts)
        self._break(1 if self._lists else 2)

    def _end_preformatted(self, preformatted: "_Preformatted", tag: str) -> None:
        self._preformatted = None
        if tag not in _BLOCKS:
            self._break(preformatted.line_ends, always=True)

    def _start_item(self, attributes: Mapping[str, str | None]) -> None:
        indent = "  " * (min(len(self._lists), _MAX_INDENT) - 1)
        marker = self._lists[-1].marker(len(self._parts), attributes) if self._lists else "- "
        self._write(indent + marker)
        self._newlines = 2  # a paragraph inside the item begins on the marker's line
        self._needs_space = False

    def _start_link(self, attrs: Attributes) -> None:
        self._end_link()
        address = _collapsed(dict(attrs).get("href") or "").strip(_WHITE_SPACE)
        self._link = (address, len(self._parts))

    def _end_link(self) -> None:
        if self._link is None:
            return
        (address, start), self._link = self._link, None
        label = "".join(self._parts[start:]).strip()
        shown = address.removeprefix("mailto:").removeprefix("tel:")
        if shown and shown != label and not shown.lower().startswith(_SCHEMES_NOT_SHOWN):
            self._needs_space = bool(label)
            self._write(f"({shown})" if label else shown)

    def _write(self, text: str) -> None:
        if self._needs_space and self._newlines == 0:
            self._parts.append(" ")
        self._parts.append(text)
        self._newlines = 0
        self._needs_space = False

    def _break(self, lines: int, *, always: bool = False) -> None:
        """Write line ends until there are that many; that many more if always."""
        missing = lines if always else lines - self._newlines
        if missing > 0 and self._parts:
            self._parts.append("\n" * missing)
            self._newlines += missing
        self._needs_space = False


def _collapsed(text: str) -> str:
    """Return text with each run of white space as one space."""
    if "  " not in text and text.isprintable():
        return text  # by far the most frequent case, and fast to recognize
    return _COLLAPSIBLE.sub(" ", text)


class _List:
    """An open list. It remembers where its markers go if they are known only when the list ends."""

    def __init__(self, numbering: ListNumbering) -> None:
        self._numbering = numbering
        self._items: list[tuple[int, Mapping[str, str | None]]] = []

    def marker(self, index: int, attributes: Mapping[str, str | None]) -> str:
        """Return the next item's marker. index: of the part of the text that the marker begins."""
        if not self._numbering.needs_count:
            return self._numbering.marker(attributes)
        self._items.append((index, attributes))
        return ""

    def write_markers(self, parts: list[str]) -> None:
        """Add the markers that had to wait for the number of items."""
        self._numbering.start_at(len(self._items))
        for index, attributes in self._items:
            parts[index] += self._numbering.marker(attributes)


class _Preformatted:
    """An element that keeps line ends. line_ends: those held back. white_space: the CSS value."""

    def __init__(self, white_space: str, depth: int) -> None:
        self.depth = depth
        self.line_ends = 0
        self._collapses_spaces = white_space == "pre-line"

    def normalized(self, text: str) -> str:
        """Return text with line ends as newlines, and with single spaces where the element collapses them."""
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        if self._collapses_spaces:
            text = _SPACES.sub(" ", text).replace(" \n", "\n").replace("\n ", "\n")
        return text


def _preformatted(tag: str, attrs: Attributes, depth: int) -> _Preformatted | None:
    """Return what an element preserves; None if it collapses white space."""
    for name, value in attrs:
        if name == "style" and value and "white-space" in value:
            found = _KEEPS_LINES.search(value)
            if found is not None:
                return _Preformatted(found[1].lower(), depth)
    return _Preformatted("pre", depth) if tag in _PREFORMATTED else None
