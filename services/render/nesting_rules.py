"""How HTML elements end each other (HTML Living Standard, 13.2.6)."""

# They surround a whole document, and no mail runs scripts.
DOCUMENT = frozenset(("body", "frame", "frameset", "head", "html", "noscript"))
CELLS = frozenset(("td", "th"))
_ROWS = CELLS | {"tr"}
_ROW_GROUPS = _ROWS | {"caption", "colgroup", "tbody", "tfoot", "thead"}
TABLE_PARTS = _ROW_GROUPS | {"col"}
# The open elements that a start tag ends.
ENDED_BY_START = {
    "button": frozenset(("button",)),
    "col": _ROW_GROUPS,
    "li": frozenset(("li",)),
    "optgroup": frozenset(("optgroup", "option")),
    "option": frozenset(("option",)),
    "p": frozenset(("p",)),
    "tr": _ROWS | {"caption", "colgroup"},
    **dict.fromkeys(("dd", "dt"), frozenset(("dd", "dt"))),
    **dict.fromkeys(CELLS, CELLS | {"caption", "colgroup"}),
    **dict.fromkeys(_ROW_GROUPS - _ROWS, _ROW_GROUPS),
}
# An end tag in one of these ends no element outside of it.
SCOPES = frozenset(("applet", "caption", "marquee", "object", "table", "td", "template", "th"))
_LIST_SCOPES = SCOPES | {"menu", "ol", "ul"}
TABLE_SCOPES = frozenset(("table", "template"))
# If they are still open when the element around them ends, they go on after it.
FORMATTING = frozenset(
    ("a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u")
)
# The standard's "special" elements.
_SPECIAL = (
    SCOPES
    | TABLE_PARTS
    | _LIST_SCOPES
    | {"address", "article", "aside", "blockquote", "button", "center", "dd", "details", "dir", "div", "dl", "dt"}
    | {"fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup"}
    | {"li", "listing", "main", "nav", "p", "pre", "search", "section", "select", "summary"}
)
# A start tag in one of these ends no element outside of it.
START_BARRIERS = {
    "button": SCOPES,
    "p": _SPECIAL,
    **dict.fromkeys(("optgroup", "option"), _SPECIAL),
    **dict.fromkeys(("dd", "dt", "li"), _SPECIAL - {"address", "div", "p"}),
    **dict.fromkeys(TABLE_PARTS, TABLE_SCOPES),
}
# Between cells these would end the table, or keep open what is closed after them.
MARKED = frozenset(("applet", "marquee", "object"))
NOT_BETWEEN_CELLS = MARKED | {"table"}
FOREIGN_ROOTS = frozenset(("math", "svg"))
# Elements in an SVG or a formula whose content is HTML again.
FOREIGN_LEAVES = frozenset(("annotation-xml", "desc", "foreignobject", "mi", "mn", "mo", "ms", "mtext", "title"))
# Elements that end an SVG or a formula.
END_FOREIGN = (
    frozenset(
        ("b", "big", "blockquote", "br", "center", "code", "dd", "div", "dl", "dt", "em", "embed", "h1", "h2", "h3")
    )
    | {"h4", "h5", "h6", "hr", "i", "img", "li", "listing", "menu", "meta", "nobr", "ol", "p", "pre", "ruby", "s"}
    | {"small", "span", "strike", "strong", "sub", "sup", "table", "tt", "u", "ul", "var"}
)
# They end with the element around them.
END_TAG_OPTIONAL = frozenset(("dd", "dt", "li", "optgroup", "option", "p", "rp", "rt"))


def end_barriers(name: str) -> frozenset[str]:
    """Return the elements in which this element's end tag ends none outside of them."""
    if name in TABLE_PARTS:
        return TABLE_SCOPES
    if name == "table":
        return frozenset(("template",))
    if name == "li":
        return _LIST_SCOPES
    return SCOPES if name in _SPECIAL or name in FORMATTING else _SPECIAL
