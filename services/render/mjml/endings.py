"""Takes the HTML out of MJML's ending tags before the conversion, and puts it back after it.

The converter reads XML only.
"""

import os
import re
from dataclasses import dataclass, field

from services.render.fragment import FragmentContext, contained
from services.render.html_syntax import ATTRIBUTES, attribute, is_self_closed
from services.render.mjml.elements import ENDING

# "cut": a tag without an end.
_START = re.compile(
    rf"<!--|<(?P<name>{'|'.join(sorted(ENDING))})(?=[\t\n\f\r />])(?P<attributes>{ATTRIBUTES})(?:>|(?P<cut>))"
)
_PLACES = {"mj-raw": FragmentContext.ANY, "mj-table": FragmentContext.TABLE}
_STYLE_END = re.compile("</(?=style)", re.IGNORECASE)


@dataclass(slots=True)
class Document:
    """MJML with placeholders for the contents of its ending tags. css: rules for the elements' style attributes.

    A placeholder begins with a random mark of this document, so neither templates nor data can contain it.
    """

    structure: str = ""
    contents: list[str] = field(default_factory=list)
    css: str = ""
    _mark: str = field(default_factory=lambda: os.urandom(8).hex())

    def place(self, content: str) -> str:
        """Keep HTML (without placeholders in it), and return its placeholder."""
        self.contents.append(content)
        return f"{self._mark}{len(self.contents) - 1}x"

    def is_place(self, text: str) -> bool:
        """Return whether a text is exactly one placeholder."""
        return text.startswith(self._mark) and text.find("x") == len(text) - 1

    def restored(self, html: str) -> str:
        """Return the converter's output with the contents in place of their placeholders."""
        first, *others = html.split(self._mark)
        pieces = [first]
        for other in others:
            number, _, after = other.partition("x")
            pieces += (self.contents[int(number)], after)
        return "".join(pieces)


def split(markup: str) -> Document:
    """Return the document without the contents that are more than text."""
    document = Document()
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
            end = _end(markup, name, position, last_comment)
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


def _end(markup: str, name: str, position: int, last_comment: int) -> int:
    """Return the index of an element's end tag; -1 if there is none. last_comment: the index of the last "-->".

    An end tag inside a comment counts if its start tag is outside: then the author did not close the comment.
    """
    while (end := markup.find(f"</{name}", position)) >= 0:
        if markup[end + len(name) + 2 : end + len(name) + 3] not in "\t\n\f\r />":
            position = end + 1
            continue
        comment = markup.rfind("<!--", position, end)
        if comment < 0 or markup.find("-->", comment, end) >= 0 or markup.find(f"<{name}", comment, end) < 0:
            return end
        if end >= last_comment:
            return end
        position = markup.find("-->", end)
    return -1


def _made_fit(name: str, content: str) -> str:
    """Return content that cannot end its element."""
    if name == "mj-title":
        return content.replace("<", "&lt;")
    if name == "mj-style":
        return _STYLE_END.sub(r"<\\/", content)
    return contained(content, _PLACES.get(name, FragmentContext.TEXT))
