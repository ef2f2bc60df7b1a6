"""The text part of an e-mail, made from its HTML: paragraphs, lists, links as "text (address)".

Reads the markup once and in linear time, because it may be hostile.
"""

import re
from dataclasses import dataclass

from services.render.hidden import Hidden, is_hidden
from services.render.html_syntax import (
    MARKUP,
    VOID,
    attribute,
    end_of_raw_text,
    is_element,
    is_self_closed,
    unescaped,
)
from services.render.numbering import ListNumbering

# What HTML collapses to one space. A no-break space is not part of it.
_COLLAPSIBLE = re.compile(r"[ \t\r\n\f\v]{2,}|[\t\r\n\f\v]")
_SPACES = re.compile(r"[ \t\f\v]+")
_WHITE_SPACE = re.compile(r"white-space\s*+:\s*+(pre(?:-line|-wrap)?|break-spaces)\b", re.IGNORECASE)
_BLANK_LINES = re.compile(r"\n{3,}")

_SKIPPED = frozenset(("script", "style", "title", "template", "textarea", "svg"))
_PARAGRAPHS = frozenset(
    (
        *("address", "article", "aside", "blockquote", "dir", "div", "dl", "fieldset", "footer", "form", "header"),
        *("h1", "h2", "h3", "h4", "h5", "h6", "listing", "main", "menu", "nav", "ol", "p", "pre", "section", "table"),
        "ul",
    )
)
_LINES = frozenset(("dd", "dt", "li", "tr"))
_BLOCKS = _PARAGRAPHS | _LINES
_COMMON = _BLOCKS | {
    "a",
    "b",
    "body",
    "br",
    "head",
    "html",
    "img",
    "meta",
    "span",
    "strong",
    "style",
    "tbody",
    "td",
    "title",
}
_CELLS = frozenset(("td", "th"))
_PREFORMATTED = frozenset(("listing", "pre"))
_LISTS = frozenset(("dir", "menu", "ol", "ul"))
# Each of these ends at the next one, if its own end tag is missing.
_END_ITSELF = frozenset(("dd", "dt", "li", "p", "td", "th", "tr"))
_MAX_INDENT = 10
# Elements that show something without a word.
_PICTURES = frozenset(
    ("audio", "button", "canvas", "embed", "iframe", "img", "input", "object", "picture", "select", "svg", "video")
)
_BACKGROUND = re.compile(r"\bbackground\s*=|\burl\s*\(", re.IGNORECASE)
_UNLINKED = ("#", "javascript:", "data:")
# Stands for a line end that must not be collapsed. No mail contains this character.
_KEPT_LINE = "\0"


def from_html(markup: str) -> str:
    """Return the text that a reader would see, with the addresses of links."""
    return _read(markup).result()


def has_pictures(markup: str) -> bool:
    """Return whether a reader would see something that is not text. If in doubt, return True."""
    return _read(markup).has_pictures


def _read(markup: str) -> "_Reader":
    reader = _Reader(may_keep="white-space" in markup)
    position = 0
    while position >= 0:
        position = _read_shown(reader, markup, position)
    reader.end()
    return reader


def _read_shown(reader: "_Reader", markup: str, position: int) -> int:
    """Read up to the end of an element that shows nothing, and return the index after it; -1 at the end."""
    for found in MARKUP.finditer(markup, position):
        start, end = found.span()
        if start > position:
            reader.text(markup[position:start])
        position = end
        _, _, closing, name, attributes, cut, _ = found.groups()
        if name is None:
            continue
        name = name.lower()
        if cut is not None or not (name in _COMMON or is_element(name)):
            reader.text(found[0])
        elif closing:
            reader.close(name)
        elif name in _SKIPPED and not (name == "svg" and is_self_closed(attributes)):
            reader.note_picture(name, "")
            return _after_skipped(markup, name, position)
        else:
            reader.open(name, attributes)
    reader.text(markup[position:])
    return -1


def _after_skipped(markup: str, name: str, position: int) -> int:
    """Return the index after an element that shows nothing."""
    closing = end_of_raw_text(markup, name, position)
    end = -1 if closing < 0 else markup.find(">", closing)
    return len(markup) if end < 0 else end + 1


class _Reader:
    """Collects words and line breaks. may_keep: whether styles may preserve white space outside of <pre>."""

    def __init__(self, *, may_keep: bool) -> None:
        self._may_keep = may_keep
        self._parts: list[str] = []
        self._newlines = 2  # at the end of what is written; the start of the text counts as a blank line
        self._space = False
        self._lists: list[_List] = []
        self._link: tuple[str, int] | None = None  # its address, and the index of its first part
        self._hidden = Hidden()
        self._preformatted: _Preformatted | None = None
        self.has_pictures = False

    def note_picture(self, name: str, attributes: str) -> None:
        if not self._hidden.name and (name in _PICTURES or _BACKGROUND.search(attributes)):
            self.has_pictures = True

    def text(self, raw: str) -> None:
        if not self._hidden.name:
            self._words(unescaped(raw) if "&" in raw else raw)

    def _words(self, words: str) -> None:
        if self._preformatted is not None:
            self._keep(self._preformatted, words)
            return
        if words.isspace() and "\xa0" not in words:
            self._space = True
            return
        if not words:
            return
        words = _collapsed(words)
        self._space = self._space or words[0] == " "
        self._write(words.strip(" ").replace("\xa0", " "))
        self._space = words[-1] == " "

    def _keep(self, preformatted: "_Preformatted", words: str) -> None:
        """Write text with its spaces and line ends; those at its end are held back until more text follows."""
        words = preformatted.read(words)
        shown = words.rstrip("\n")
        if shown:
            self._write(_KEPT_LINE * preformatted.lines + shown.replace("\n", _KEPT_LINE).replace("\xa0", " "))
            preformatted.lines = 0
        preformatted.lines += len(words) - len(shown)

    def open(self, name: str, attributes: str) -> None:
        if self._hidden.takes_start(name):
            return
        self.note_picture(name, attributes)
        if name in VOID:
            self._open_void(name, attributes)
        elif (
            attributes
            and ("none" in (lowered := attributes.lower()) or "hidden" in lowered)
            and is_hidden(attributes, lowered)
        ):
            self._hidden.begin(name)
        else:
            if name in _BLOCKS:
                self._open_block(name, attributes)
            elif name == "a":
                self._end_link()  # links do not nest
                address = _collapsed(attribute(attributes, "href") or "").strip()
                self._link = (address, len(self._parts))
            elif name in _CELLS:
                self._space = True
            if self._preformatted is not None or name in _PREFORMATTED or (self._may_keep and attributes):
                self._preformatted = _Preformatted.within(self._preformatted, name, attributes)

    def end(self) -> None:
        """End the document. If an element hides the rest of it, its end tag may have been forgotten."""
        self.has_pictures = self.has_pictures or bool(self._hidden.name)

    def _open_void(self, name: str, attributes: str) -> None:
        if name == "br" and self._preformatted is not None:
            self._preformatted.lines += 1
        elif name == "br":
            self._break(1, repeat=True)
        elif name == "hr":
            self._break(2)
            self._write("---")
            self._break(2)
        elif name == "img":
            self._words(attribute(attributes, "alt") or "")

    def _open_block(self, name: str, attributes: str) -> None:
        if self._preformatted is not None:
            self._preformatted.lines = 0  # a block begins on a line of its own anyway
        if name in _PARAGRAPHS:
            self._break(1 if self._lists and name in _LISTS else 2)
        elif name in _LINES:
            self._break(1)
        if name in _LISTS:
            self._lists.append(_List(ListNumbering(name, attributes)))
        elif name == "li":
            self._bullet(attributes)

    def close(self, name: str) -> None:
        if self._hidden.takes_end(name):
            return
        if self._preformatted is not None:
            self._end_preformatted(self._preformatted, name)
        if name == "a":
            self._end_link()
        elif name not in _BLOCKS:
            return
        elif name in _LISTS:
            if self._lists:
                self._lists.pop().number(self._parts)
            self._break(1 if self._lists else 2)
        else:
            self._break(2 if name in _PARAGRAPHS else 1)

    def _end_preformatted(self, preformatted: "_Preformatted", name: str) -> None:
        self._preformatted = preformatted.after_end(name)
        if self._preformatted is None and name not in _BLOCKS:
            self._break(preformatted.lines, repeat=True)

    def result(self) -> str:
        for one in self._lists:
            one.number(self._parts)
        text = "".join(self._parts)
        for line_end in ("\n", _KEPT_LINE):
            text = line_end.join([line.rstrip(" \t") for line in text.split(line_end)])
        return _BLANK_LINES.sub("\n\n", text).strip(f"\n{_KEPT_LINE}").replace(_KEPT_LINE, "\n")

    def _bullet(self, attributes: str) -> None:
        indent = "  " * (min(len(self._lists), _MAX_INDENT) - 1)
        marker = self._lists[-1].marker(len(self._parts), attributes) if self._lists else "- "
        self._write(indent + marker)
        self._newlines = 2  # a paragraph inside the item begins on the bullet's line
        self._space = False

    def _end_link(self) -> None:
        if self._link is None:
            return
        (address, start), self._link = self._link, None
        label = "".join(self._parts[start:]).strip()
        shown = address.removeprefix("mailto:").removeprefix("tel:")
        if shown and shown != label and not shown.lower().startswith(_UNLINKED):
            self._space = bool(label)
            self._write(f"({shown})" if label else shown)

    def _write(self, text: str) -> None:
        if self._space and self._newlines == 0:
            self._parts.append(" ")
        self._parts.append(text)
        self._newlines = 0
        self._space = False

    def _break(self, lines: int, *, repeat: bool = False) -> None:
        missing = lines if repeat else lines - self._newlines
        if missing > 0 and self._parts:
            self._parts.append("\n" * missing)
            self._newlines += missing
        self._space = False


def _collapsed(text: str) -> str:
    """Return text with each run of white space as one space."""
    if "  " not in text and text.isprintable():
        return text  # by far the most frequent case, and fast to recognize
    return _COLLAPSIBLE.sub(" ", text)


class _List:
    """An open list. It remembers where its markers go if they are known only when the list ends."""

    def __init__(self, numbering: ListNumbering) -> None:
        self._numbering = numbering
        self._items: list[tuple[int, str]] = []

    def marker(self, index: int, attributes: str) -> str:
        """Return the next item's marker. index: of the part of the text that the marker begins."""
        if not self._numbering.needs_count:
            return self._numbering.marker(attributes)
        self._items.append((index, attributes))
        return ""

    def number(self, parts: list[str]) -> None:
        """Write the markers that had to wait for the number of items."""
        self._numbering.start_at(len(self._items))
        for index, attributes in self._items:
            parts[index] += self._numbering.marker(attributes)


@dataclass(slots=True)
class _Preformatted:
    """Text that keeps its line ends, up to the end of the element with this name. lines: line ends held back.

    kind: the value of CSS's white-space. is_start: whether no text of it was read yet.
    """

    name: str
    kind: str
    is_start: bool
    lines: int = 0
    nesting: int = 1

    @classmethod
    def within(cls, around: "_Preformatted | None", name: str, attributes: str) -> "_Preformatted | None":
        """Return what is kept inside an element with this start tag."""
        if around is not None and not (name == around.name and name in _END_ITSELF):
            around.nesting += name == around.name
            around.is_start = False
            return around
        styled = None
        if "white-space" in attributes:
            styled = _WHITE_SPACE.search(attribute(attributes, "style") or "")
        if styled is not None:
            return cls(name, styled[1].lower(), is_start=name == "pre")
        return cls(name, "pre", is_start=True) if name in _PREFORMATTED else None

    def after_end(self, name: str) -> "_Preformatted | None":
        """Return what is kept after an end tag."""
        self.nesting -= name == self.name
        return self if self.nesting else None

    def read(self, words: str) -> str:
        """Return text with line ends as newlines, and with single spaces if the style collapses them."""
        words = words.replace("\r\n", "\n").replace("\r", "\n")
        if self.kind == "pre-line":
            words = _SPACES.sub(" ", words).replace(" \n", "\n").replace("\n ", "\n")
        if self.is_start and words:
            self.is_start = False
            return words.removeprefix("\n")
        return words
