"""Which elements of an HTML document a reader does not see, and where a hidden one ends."""

import re
from collections import Counter

from services.render.html_syntax import VOID, attribute

# In lower case: patterns that begin with a literal are many times faster.
_NO_DISPLAY = re.compile(r"display\s*+:\s*+none")
_INVISIBLE = re.compile(r"visibility\s*+:\s*+hidden")
_NO_HEIGHT = re.compile(r"max-height\s*+:\s*+0+(?![\d.])")
_CLIPPED = re.compile(r"overflow\s*+:\s*+hidden")
# Elements whose end tag may be missing. Each ends at the start of one of these (HTML 13.1.2.4), or with its parent.
_ENDED_BY = {
    "dd": frozenset(("dd", "dt")),
    "dt": frozenset(("dd", "dt")),
    "li": frozenset(("li",)),
    "td": frozenset(("td", "th", "tr", "tbody", "tfoot")),
    "th": frozenset(("td", "th", "tr", "tbody", "tfoot")),
    "tr": frozenset(("tr", "tbody", "tfoot")),
    "p": frozenset(
        (
            *("address", "article", "aside", "blockquote", "center", "details", "dir", "div", "dl", "fieldset"),
            *("figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup", "hr"),
            *("main", "menu", "nav", "ol", "p", "pre", "search", "section", "table", "ul"),
        )
    ),
}
# The end of one of these also ends what is open in it.
_AROUND = (_ENDED_BY["p"] - {"hr", "p"}) | {"body", "dd", "html", "li", "tbody", "td", "tfoot", "th", "thead", "tr"}
# A start tag within one of these belongs to it.
_SCOPES = ("dir", "dl", "menu", "ol", "table", "ul")


class Hidden:
    """The hidden element that is being read. name: empty if there is none. In linear time."""

    def __init__(self) -> None:
        self.name = ""
        self._within: list[str] = []
        self._counts: Counter[str] = Counter()

    def begin(self, name: str) -> None:
        """Hide everything up to this element's end."""
        self.name = name

    def takes_start(self, name: str) -> bool:
        """Return whether a start tag is in the hidden element. If not, the element has ended."""
        if not self.name:
            return False
        if name in _ENDED_BY.get(self.name, ()) and not any(self._counts[scope] for scope in _SCOPES):
            self._show()
            return False
        if name not in VOID:
            self._within.append(name)
            self._counts[name] += 1
        return True

    def takes_end(self, name: str) -> bool:
        """Return whether an end tag is in the hidden element or its own. If not, the element has ended."""
        if not self.name:
            return False
        if self._counts[name]:
            while (last := self._within.pop()) != name:
                self._counts[last] -= 1
            self._counts[name] -= 1
            return True
        if name == self.name:
            self._show()
            return True
        if self.name in _ENDED_BY and name in _AROUND:
            self._show()
            return False
        return True

    def _show(self) -> None:
        self.name = ""
        self._within.clear()
        self._counts.clear()


def is_hidden(attributes: str, lowered: str) -> bool:
    """Return whether an element is not shown. lowered: its attributes in lower case."""
    if "hidden" in lowered:
        if attribute(attributes, "hidden") is not None:
            return True
        style = (attribute(attributes, "style") or "").lower()
        if _INVISIBLE.search(style) or (_NO_HEIGHT.search(style) and _CLIPPED.search(style)):
            return True
    if "none" in lowered and _NO_DISPLAY.search(lowered) is not None:
        return _NO_DISPLAY.search((attribute(attributes, "style") or "").lower()) is not None
    return False
