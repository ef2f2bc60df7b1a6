"""The text part of an e-mail, from its HTML: paragraphs, lists, links as "text (address)".

One pass over the markup in linear time: it may be hostile.
"""

import html
import re

_WHITE = re.compile(r"[ \t\r\n\f\v\xa0]+")
# A comment, a tag (end, name, attributes), or a declaration. Possessive: nothing is tried twice.
_MARKUP = re.compile(
    r"""<!--.*?-->|<(/?)([a-zA-Z][a-zA-Z0-9:-]*+)((?:[^<>"']++|"[^"]*"|'[^']*')*+)>|<[!?][^<>]*+>""", re.DOTALL
)
_ATTRIBUTE = re.compile(r"""\s([a-zA-Z-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
_HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_BLANK_LINES = re.compile(r"\n{3,}")
_LINE_ENDS = re.compile(r"[ \t]+(?=\n)")

_SKIPPED = frozenset(("script", "style", "title", "template", "noscript", "textarea", "svg"))
_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")
)
_PARAGRAPHS = frozenset(
    (
        *("address", "article", "aside", "blockquote", "div", "dl", "fieldset", "footer", "form", "header"),
        *("h1", "h2", "h3", "h4", "h5", "h6", "main", "nav", "ol", "p", "pre", "section", "table", "ul"),
    )
)
_LINES = frozenset(("dd", "dt", "li", "tr"))
_BLOCKS = _PARAGRAPHS | _LINES
# What shows something without a word.
_PICTURES = frozenset(
    ("audio", "button", "canvas", "embed", "iframe", "img", "input", "object", "picture", "select", "svg", "video")
)
_BACKGROUND = re.compile(r"\bbackground\s*=|\burl\s*\(", re.IGNORECASE)
_UNLINKED = ("#", "javascript:", "data:")


def from_html(markup: str) -> str:
    """Return the text that a reader would see."""
    return _read(markup).result()


def has_pictures(markup: str) -> bool:
    """Tell whether a reader would see something that is no text; in doubt it is so."""
    return _read(markup).has_pictures


def _read(markup: str) -> "_Reader":
    unclosed = markup.find("<!--", markup.rfind("-->") + 1)
    if unclosed >= 0:
        markup = markup[:unclosed]
    reader = _Reader()
    position = 0
    while (found := _MARKUP.search(markup, position)) is not None:
        if found.start() > position:
            reader.text(markup[position : found.start()])
        position = found.end()
        end, name, attributes = found.groups()
        if name is None:
            continue
        name = name.lower()
        if end:
            reader.close(name)
        elif name in _SKIPPED:
            reader.note_picture(name, "")
            position = _after_skipped(markup, name, position)
        else:
            reader.open(name, attributes)
    reader.text(markup[position:])
    return reader


def _after_skipped(markup: str, name: str, position: int) -> int:
    """Return where an element that shows nothing ends."""
    closing = re.compile(f"</{name}", re.IGNORECASE).search(markup, position)
    end = -1 if closing is None else markup.find(">", closing.end())
    return len(markup) if end < 0 else end + 1


class _Reader:
    """Collects words and line breaks. hidden: the tag whose end ends what is not shown, and its nesting."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._newlines = 2  # at the end of what is written so far; the start of the text counts as a blank line
        self._space = False
        self._lists: list[int] = []
        self._link: tuple[str, int] | None = None  # its address, and where its label begins
        self._hidden = ""
        self._nesting = 0
        self.has_pictures = False

    def note_picture(self, name: str, attributes: str) -> None:
        if not self._hidden and (name in _PICTURES or _BACKGROUND.search(attributes)):
            self.has_pictures = True

    def text(self, raw: str) -> None:
        if self._hidden:
            return
        words = _unescaped(raw)
        if words.isspace():
            self._space = True
            return
        words = _WHITE.sub(" ", words)
        if not words.strip(" "):
            return
        self._space = self._space or words[0] == " "
        self._write(words.strip(" "))
        self._space = words[-1] == " "

    def open(self, name: str, attributes: str) -> None:
        self.note_picture(name, attributes)
        if self._hidden:
            self._nesting += name == self._hidden
        elif "none" in attributes.lower() and name not in _VOID and _HIDDEN.search(attributes):
            self._hidden, self._nesting = name, 1
        elif name in _BLOCKS:
            self._open_block(name)
        elif name == "a":
            self._end_link()  # links do not nest
            address = _WHITE.sub(" ", _unescaped(_attribute(attributes, "href"))).strip()
            self._link = (address, len(self._parts))
        elif name in ("td", "th"):
            self._space = True
        elif name in _VOID:
            self._open_void(name, attributes)

    def _open_void(self, name: str, attributes: str) -> None:
        if name == "br":
            self._break(1, repeat=True)
        elif name == "hr":
            self._break(2)
            self._write("---")
            self._break(2)
        elif name == "img":
            self.text(_attribute(attributes, "alt"))

    def _open_block(self, name: str) -> None:
        if name in _PARAGRAPHS:
            self._break(1 if self._lists and name in ("ul", "ol") else 2)
        elif name in _LINES:
            self._break(1)
        if name in ("ul", "ol"):
            self._lists.append(0 if name == "ol" else -1)
        elif name == "li":
            self._bullet()

    def close(self, name: str) -> None:
        if self._hidden:
            self._nesting -= name == self._hidden
            if self._nesting == 0:
                self._hidden = ""
            return
        if name == "a":
            self._end_link()
        elif name not in _BLOCKS:
            return
        elif name in ("ul", "ol"):
            if self._lists:
                self._lists.pop()
            self._break(1 if self._lists else 2)
        else:
            self._break(2 if name in _PARAGRAPHS else 1)

    def result(self) -> str:
        joined = _LINE_ENDS.sub("", "".join(self._parts))
        return _BLANK_LINES.sub("\n\n", joined).strip()

    def _bullet(self) -> None:
        depth = min(len(self._lists), 10)
        mark = "- "
        if self._lists and self._lists[-1] >= 0:
            self._lists[-1] += 1
            mark = f"{self._lists[-1]}. "
        self._write("  " * (depth - 1) + mark)
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


def _unescaped(raw: str) -> str:
    if "&" not in raw:
        return raw
    try:
        return html.unescape(raw)
    except ValueError:  # a character's number of thousands of digits
        return raw


def _attribute(attributes: str, name: str) -> str:
    for match in _ATTRIBUTE.finditer(attributes):
        if match[1].lower() == name:
            return match[2] or match[3] or match[4] or ""
    return ""
