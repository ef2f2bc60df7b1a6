"""Whether there is anything to see in a channel's content. Runs in worker processes only.

SMS: the text. Push: title or body. E-mail: words or pictures of the body. An e-mail's subject and preheader do not
count: an e-mail without a subject is sent.
"""

import re

from turbohtml.saxparse import SaxHandler, sax_parse

from services.render.frames import EMAIL, SMS, Content
from services.render.hidden import is_hidden

# White space, control characters, what Unicode calls default ignorable (zero-width, fillers, variation selectors,
# tags), and the blank of Braille.
_INVISIBLE = re.compile(
    "[\\s\x00-\x20\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202f"
    "\u205f-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]*+"
)
# Elements that show something without a word.
_PICTURES = frozenset(
    ("audio", "button", "canvas", "embed", "iframe", "img", "input", "object", "picture", "select", "svg", "video")
)
_IMAGE_IN_STYLE = re.compile(r"\burl\s*\(", re.IGNORECASE)


def is_visible(text: str) -> bool:
    """Tell whether a text has a character that can be seen."""
    return _INVISIBLE.fullmatch(text) is None


def is_empty(channel: int, content: Content) -> bool:
    """Tell whether nothing of a channel's content can be seen."""
    if channel == SMS:
        return not is_visible(content.text)
    if channel == EMAIL:
        return not is_visible(content.text) and not has_pictures(content.html)
    return not is_visible(content.title) and not is_visible(content.body)


def has_pictures(markup: str) -> bool:
    """Tell whether a reader would see something that is not text. If in doubt, return True: the e-mail is sent."""
    finder = _PictureFinder()
    sax_parse(markup, finder)
    return finder.found or (finder.hides and _ends_hidden(markup))


def _ends_hidden(markup: str) -> bool:
    """Tell whether a hidden element is still open at the end: its end tag may have been forgotten."""
    finder = _PictureFinder()
    sax_parse(markup + "<img>", finder)
    return not finder.found


class _PictureFinder(SaxHandler):
    """Looks for pictures outside of hidden elements."""

    def __init__(self) -> None:
        self.found = False
        self.hides = False
        self._depth = 0
        self._hidden_depth = 0  # of the element that hides what is in it; 0: none

    def start_element(self, tag: str, attrs: tuple[tuple[str, str | None], ...]) -> None:
        self._depth += 1
        if self._hidden_depth:
            return
        if is_hidden(attrs):
            self._hidden_depth = self._depth
            self.hides = True
        elif tag in _PICTURES or any(map(_is_background, attrs)):
            self.found = True

    def end_element(self, tag: str) -> None:  # noqa: ARG002 - the parser passes it
        if self._hidden_depth == self._depth:
            self._hidden_depth = 0
        self._depth -= 1


def _is_background(attribute: tuple[str, str | None]) -> bool:
    name, value = attribute
    return name == "background" or (name == "style" and value is not None and bool(_IMAGE_IN_STYLE.search(value)))
