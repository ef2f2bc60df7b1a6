"""HTML from anywhere, made to stay where it is put: what it opens it closes, and it closes nothing else.

What is right stays as it is, byte for byte. Where a browser would read on, this stops: a comment, a quote or a raw text
without an end is text. In linear time.
"""

import re
from collections import Counter
from enum import Enum, auto

from services.render.html_syntax import MARKUP, RAW_TEXT, VOID, end_of_raw_text, is_element, is_self_closed


class Place(Enum):
    """What stands around: nothing that matters, a table whose rows these are, or nobody knows."""

    TEXT = auto()
    TABLE = auto()
    ANY = auto()


# Elements within elements, and start tags without an end tag; more of them are left out, their content stays.
MAX_DEPTH = 256
_MAX_UNCLOSED = 1000

# A document has them once, around everything; and no mail runs scripts.
_DOCUMENT = frozenset(("body", "frame", "frameset", "head", "html", "noscript"))
_CELLS = frozenset(("td", "th"))
_ROWS = _CELLS | {"tr"}
_ROW_GROUPS = _ROWS | {"caption", "colgroup", "tbody", "tfoot", "thead"}
_TABLE_PARTS = _ROW_GROUPS | {"col"}
# Which open elements a start tag ends by itself.
_ENDS = {
    "button": frozenset(("button",)),
    "col": _ROW_GROUPS,
    "li": frozenset(("li",)),
    "optgroup": frozenset(("optgroup", "option")),
    "option": frozenset(("option",)),
    "p": frozenset(("p",)),
    "tr": _ROWS | {"caption", "colgroup"},
    **dict.fromkeys(("dd", "dt"), frozenset(("dd", "dt"))),
    **dict.fromkeys(_CELLS, _CELLS | {"caption", "colgroup"}),
    **dict.fromkeys(_ROW_GROUPS - _ROWS, _ROW_GROUPS),
}
# Through which an end tag reaches none outside; a table's part reaches through cells.
_SCOPES = frozenset(("applet", "caption", "marquee", "object", "table", "td", "template", "th"))
_LIST_SCOPES = _SCOPES | {"menu", "ol", "ul"}
_TABLE_SCOPES = frozenset(("table", "template"))
# They go on behind the end of an element in which they were not closed.
_FORMATTING = frozenset(
    ("a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u")
)
# The standard's "special" ones: the end tag of one that is neither special nor formatting ends none of them.
_SPECIAL = (
    _SCOPES
    | _TABLE_PARTS
    | _LIST_SCOPES
    | {"address", "article", "aside", "blockquote", "button", "center", "dd", "details", "dir", "div", "dl", "dt"}
    | {"fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup"}
    | {"li", "listing", "main", "nav", "p", "pre", "search", "section", "select", "summary"}
)
# Behind which a start tag ends none.
_WALLS = {
    "button": _SCOPES,
    "p": _SPECIAL,
    **dict.fromkeys(("optgroup", "option"), _SPECIAL),
    **dict.fromkeys(("dd", "dt", "li"), _SPECIAL - {"address", "div", "p"}),
    **dict.fromkeys(_TABLE_PARTS, _TABLE_SCOPES),
}
# There they would end the table, or what is closed behind them would stay open.
_MARKED = frozenset(("applet", "marquee", "object"))
_NOT_BETWEEN_CELLS = _MARKED | {"table"}
_FOREIGN = frozenset(("math", "svg"))
_LEAVES = frozenset(("annotation-xml", "desc", "foreignobject", "mi", "mn", "mo", "ms", "mtext", "title"))
# They end an SVG or a formula.
_BREAKING_OUT = (
    frozenset(
        ("b", "big", "blockquote", "br", "center", "code", "dd", "div", "dl", "dt", "em", "embed", "h1", "h2", "h3")
    )
    | {"h4", "h5", "h6", "hr", "i", "img", "li", "listing", "menu", "meta", "nobr", "ol", "p", "pre", "ruby", "s"}
    | {"small", "span", "strike", "strong", "sub", "sup", "table", "tt", "u", "ul", "var"}
)
# The end of the element around them ends them.
_END_ITSELF = frozenset(("dd", "dt", "li", "optgroup", "option", "p", "rp", "rt"))
# What most contents consist of. Where it is nested rightly nothing is to be done.
_SIMPLE_TAG = re.compile(r"""<(/?)([a-z][a-z0-9]*+)(?:\s++[a-z-]++="[^"<>]*+")*+\s*+(/?)>""")
_SIMPLE_VOID = frozenset(("br", "hr", "img"))
_SIMPLE = _FORMATTING | frozenset(
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
    "table": (Place.TEXT, Place.ANY, *(_SIMPLE - {"table", "tbody", "tr"})),
    "tbody": (Place.TABLE, Place.ANY, "table"),
    "tr": (Place.TABLE, Place.ANY, "table", "tbody"),
    **dict.fromkeys(_CELLS, ("tr",)),
}
_COMMENT_END = re.compile(r".*--!?>", re.DOTALL)


def contained(markup: str, place: Place = Place.TEXT) -> str:
    """Return it well nested, for its place."""
    if "<" not in markup or _is_simple(markup, place):
        return markup
    closed = _COMMENT_END.match(markup)
    comments = 0 if closed is None else closed.end()
    rest = markup.find("<!--", comments)
    if rest >= 0:
        markup = markup[:rest] + markup[rest:].replace("<!--", "&lt;!--")
    return _Nesting(markup, place).result()


def _is_simple(markup: str, place: Place) -> bool:
    """Tell whether there are only simple tags, each with its end tag."""
    tags = _SIMPLE_TAG.findall(markup)
    if len(tags) != markup.count("<"):
        return False
    around: list[str | Place] = [place]
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
    """Writes markup out again with its tags in order."""

    def __init__(self, markup: str, place: Place) -> None:
        self._markup = markup
        self._place = place
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
        """Write a comment, in the way that every reader ends it; or what is one only to a browser."""
        if found["open"] is not None:
            self._text(*found.span())
        elif found["comment"] is not None:
            is_empty = len(found["comment"]) <= len("->")
            self._out.append("" if is_empty else f"{found[0].removesuffix('--!>').removesuffix('-->')}-->")
        elif found["bogus"].startswith("[CDATA["):  # inside of svg it would go on behind this ">"
            self._text(*found.span())
        elif not found["bogus"].lower().startswith("doctype"):
            self._out.append(found[0])

    def _start(self, found: re.Match[str], name: str) -> int:
        """Write a start tag, if it may stand here; return where to read on."""
        is_foreign = self._is_foreign(name)
        if is_foreign and (name in _LEAVES or name in RAW_TEXT):
            return self._leaf(found, name)
        if not self._may_stand(name, is_foreign=is_foreign):
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

    def _may_stand(self, name: str, *, is_foreign: bool) -> bool:
        if name in _NOT_BETWEEN_CELLS and self._is_between_cells():
            self._left_out[name] += 1
            return False
        has_no_table = self._place is Place.TEXT and not self._counts["table"]
        return name not in _DOCUMENT and not (name in _TABLE_PARTS and (is_foreign or has_no_table))

    def _begin(self, name: str, written: str) -> None:
        if len(self._open) >= MAX_DEPTH or self._unclosed >= _MAX_UNCLOSED:
            self._left_out[name] += 1
            return
        self._unclosed += 1
        self._open.append(name)
        self._counts[name] += 1
        self._out.append(written)

    def _is_foreign(self, name: str) -> bool:
        """Tell whether an element would belong to an SVG or a formula."""
        if not any(self._counts[root] for root in _FOREIGN):
            return False
        if name in _BREAKING_OUT:
            self._shorten(next(place for place, one in enumerate(self._open) if one in _FOREIGN), [])
            return False
        return True

    def _leaf(self, found: re.Match[str], name: str) -> int:
        """Write an element whose content would be HTML again, if it is text; else its content only."""
        end = self._markup.find("<", found.end())
        if self._markup[end : end + len(name) + 3].lower() != f"</{name}>":
            self._left_out[name] += not is_self_closed(found["attributes"])
            return found.end()
        end += len(name) + 3
        self._out.append(self._markup[found.start() : end])
        return end

    def _is_between_cells(self) -> bool:
        """Tell whether this is inside of a table and not inside of one of its cells."""
        for one in reversed(self._open):
            if one in _TABLE_SCOPES or one in _TABLE_PARTS:
                return one not in _CELLS and one not in {"caption", "template"}
        return self._place is Place.TABLE

    def _raw_text(self, found: re.Match[str], name: str) -> int:
        end = -1 if name in self._endless else end_of_raw_text(self._markup, name, found.end())
        close = -1 if end < 0 else self._markup.find(">", end)
        if close < 0:
            self._endless.add(name)
            self._text(*found.span())
            return found.end()
        content = self._markup[found.end() : end]
        if name == "script":  # behind "<!--<script" it would go on behind its end tag
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
        if not _walls_of(name).isdisjoint(inside):
            return
        if name in _SCOPES:
            self._end([one for one in inside if one not in _TABLE_PARTS])
            inside = []
        self._shorten(index, inside if name in _FORMATTING else [one for one in inside if one in _FORMATTING])
        self._unclosed -= 1
        self._out.append(written)

    def _end_before(self, name: str) -> None:
        """Take those that this start tag ends as ended."""
        if name == "a" and self._counts["a"]:
            index = len(self._open) - 1 - self._open[::-1].index("a")
            self._shorten(index, self._open[index + 1 :])
            return
        ends = _ENDS.get(name)
        if ends is None:
            return
        index = len(self._open)
        for place in range(len(self._open) - 1, -1, -1):
            one = self._open[place]
            if one in ends:
                index = place
            elif one in _WALLS[name]:
                break
        ended = _MARKED | _FORMATTING if name in _TABLE_PARTS else _MARKED
        self._end([one for one in self._open[index:] if one in ended])
        self._shorten(index, [])

    def _end(self, opened: list[str]) -> None:
        """Write their end tags, as far as they need one."""
        self._out.extend(f"</{name}>" for name in reversed(opened) if name not in _END_ITSELF)

    def _shorten(self, index: int, kept: list[str]) -> None:
        self._counts.subtract(self._open[index:])
        self._counts.update(kept)
        self._open[index:] = kept


def _walls_of(name: str) -> frozenset[str]:
    """Return through which open elements an element's end tag does not reach."""
    if name in _TABLE_PARTS:
        return _TABLE_SCOPES
    if name == "table":
        return frozenset(("template",))
    if name == "li":
        return _LIST_SCOPES
    return _SCOPES if name in _SPECIAL or name in _FORMATTING else _SPECIAL
