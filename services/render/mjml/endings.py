"""MJML's ending tags: the HTML in them goes around the converter, which only knows XML, into what that has made."""

import os
import re
from dataclasses import dataclass

from services.render.fragment import Place, contained
from services.render.html_syntax import ATTRIBUTES, attribute, is_self_closed
from services.render.mjml.elements import ENDING

# Nobody who writes templates or data knows it.
_SECRET = os.urandom(8).hex()
PLACE = re.compile(rf"{_SECRET}x(\d+)x")
# "cut": the tag has no end.
_START = re.compile(
    rf"<!--|<(?P<name>{'|'.join(sorted(ENDING))})(?=[\t\n\f\r />])(?P<attributes>{ATTRIBUTES})(?:>|(?P<cut>))"
)
_PLACES = {"mj-raw": Place.ANY, "mj-table": Place.TABLE}
_STYLE_END = re.compile("</(?=style)", re.IGNORECASE)


@dataclass(slots=True)
class Document:
    """MJML whose ending tags hold places of their contents. css: to be written into the elements' style attributes."""

    structure: str
    contents: list[str]
    css: str = ""

    def place(self, content: str) -> str:
        """Keep HTML and return what stands for it."""
        self.contents.append(content)
        return f"{_SECRET}x{len(self.contents) - 1}x"

    def restored(self, html: str) -> str:
        """Return what the converter made, with the contents in their places."""
        return PLACE.sub(lambda found: self.contents[int(found[1])], html)


def split(markup: str) -> Document:
    """Take out the contents that are more than text."""
    document = Document("", [])
    pieces: list[str] = []
    endless: set[str] = set()
    written = position = 0
    last_comment = markup.rfind("-->")
    while (found := _START.search(markup, position)) is not None:
        name, position = found["name"], found.end()
        if name is None:
            if position < last_comment:
                position = markup.find("-->", position)
        elif found["cut"] is None and not is_self_closed(found["attributes"]) and name not in endless:
            end = _end(markup, name, position)
            if end < 0:
                endless.add(name)
                continue
            content = markup[position:end]
            if name == "mj-style" and attribute(found["attributes"], "inline") == "inline":
                document.css += content + "\n"
                pieces.append(markup[written : found.start()])
                written = markup.find(">", end) + 1 or len(markup)
            elif "<" in content:
                pieces += (markup[written:position], document.place(_made_fit(name, content)))
                written = end
            position = max(end, written)
    document.structure = "".join([*pieces, markup[written:]])
    return document


def _end(markup: str, name: str, position: int) -> int:
    """Return where its end tag begins; -1: nowhere.

    Not in a comment that holds the whole element; a comment that holds its end tag only was not closed by who began it.
    """
    while (end := markup.find(f"</{name}", position)) >= 0:
        if markup[end + len(name) + 2 : end + len(name) + 3] not in "\t\n\f\r />":
            position = end + 1
            continue
        comment = markup.rfind("<!--", position, end)
        if comment < 0 or markup.find("-->", comment, end) >= 0 or markup.find(f"<{name}", comment, end) < 0:
            return end
        behind = markup.find("-->", end)
        if behind < 0:
            return end
        position = behind
    return -1


def _made_fit(name: str, content: str) -> str:
    """Return content that stays within its element."""
    if name == "mj-title":
        return content.replace("<", "&lt;")
    if name == "mj-style":
        return _STYLE_END.sub(r"<\\/", content)
    return contained(content, _PLACES.get(name, Place.TEXT))
