"""The text part of an e-mail, from its HTML: paragraphs, lists, links as "text (address)".

One pass over the markup in linear time: it may be hostile.
"""

import html
import re

_WHITE = re.compile(r"[ \t\r\n\f\v\xa0]+")
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:-]*)")
_ATTRIBUTE = re.compile(r"""\s([a-zA-Z-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
_HIDDEN = re.compile(r"display\s*:\s*none")
_BLANK_LINES = re.compile(r"\n{3,}")
_LINE_ENDS = re.compile(r"[ \t]+(?=\n)")

_SKIPPED = frozenset(("head", "script", "style", "title", "template", "noscript", "textarea", "svg"))
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
_UNLINKED = ("#", "javascript:", "data:")


def from_html(markup: str) -> str:
    """Return the text that a reader would see."""
    reader = _Reader()
    position = 0
    while (start := markup.find("<", position)) >= 0:
        reader.text(markup[position:start])
        position = _markup(markup, start, reader)
    reader.text(markup[position:])
    return reader.result()


def _markup(markup: str, start: int, reader: "_Reader") -> int:
    """Handle what begins with "<" at start; return where it ends."""
    if markup.startswith("<!--", start):
        end = markup.find("-->", start + 2)
        return len(markup) if end < 0 else end + 3
    tag = _TAG.match(markup, start)
    if tag is None:
        if markup.startswith(("<!", "<?"), start):
            return _after(markup, start)
        reader.text("<")
        return start + 1
    end = _after(markup, tag.end())
    name = tag[2].lower()
    if tag[1]:
        reader.close(name)
    elif name in _SKIPPED:
        closing = re.compile(f"</{name}", re.IGNORECASE).search(markup, end)
        return len(markup) if closing is None else _after(markup, closing.end())
    else:
        reader.open(name, markup[tag.end() : end])
    return end


def _after(markup: str, position: int) -> int:
    """Return where the tag around position ends; quotes may hold ">"."""
    while True:
        end = markup.find(">", position)
        if end < 0:
            return len(markup)
        quote = _first_quote(markup, position, end)
        if quote < 0:
            return end + 1
        closing = markup.find(markup[quote], quote + 1)
        if closing < 0:
            return end + 1
        position = closing + 1


def _first_quote(markup: str, start: int, end: int) -> int:
    found = [at for at in (markup.find('"', start, end), markup.find("'", start, end)) if at >= 0]
    return min(found, default=-1)


class _Reader:
    """Collects words and line breaks. hidden: the tag whose end ends what is not shown, and its nesting."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._newlines = 2  # at the end of what is written so far; the start of the text counts as a blank line
        self._space = False
        self._lists: list[int] = []
        self._links: list[tuple[str, int]] = []
        self._hidden = ""
        self._nesting = 0

    def text(self, raw: str) -> None:
        if not raw or self._hidden:
            return
        words = _WHITE.sub(" ", html.unescape(raw))
        if words[0] == " ":
            self._space = True
        stripped = words.strip(" ")
        if stripped:
            self._write(stripped)
            self._space = words[-1] == " "

    def open(self, name: str, attributes: str) -> None:
        if self._hidden:
            self._nesting += name == self._hidden
            return
        if name not in _VOID and _HIDDEN.search(attributes):
            self._hidden, self._nesting = name, 1
        elif name == "br":
            self._break(1, repeat=True)
        elif name == "hr":
            self._break(2)
            self._write("---")
            self._break(2)
        elif name == "img":
            self.text(_attribute(attributes, "alt"))
        elif name == "a":
            self._links.append((html.unescape(_attribute(attributes, "href")).strip(), len(self._parts)))
        elif name in ("td", "th"):
            self._space = True
        else:
            self._open_block(name)

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
        if name == "a" and self._links:
            self._end_link()
        elif name in ("ul", "ol"):
            if self._lists:
                self._lists.pop()
            self._break(1 if self._lists else 2)
        elif name in _PARAGRAPHS:
            self._break(2)
        elif name in _LINES:
            self._break(1)

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
        address, start = self._links.pop()
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


def _attribute(attributes: str, name: str) -> str:
    for match in _ATTRIBUTE.finditer(attributes):
        if match[1].lower() == name:
            return match[2] or match[3] or match[4] or ""
    return ""
