"""What mail programs do not support of an e-mail's HTML: a small list of rules. Pure.

The rules are about programs that many people read mail with: Gmail, Outlook for Windows (which shows mail as Word
does), Outlook.com, Yahoo Mail, Apple Mail. They are hints for whoever writes a template; nothing is held back.
"""

import re
from collections import Counter
from html.parser import HTMLParser
from typing import NamedTuple

# Gmail shows a longer message in part, with a link to the rest.
GMAIL_BYTES = 102 * 1024
# Only this much HTML is looked at, characters.
_MOST = 1024 * 1024


class Note(NamedTuple):
    """rule: a word for programs. text: a sentence for people. times: how often it was found; 0: about the whole."""

    rule: str
    text: str
    times: int


TEXTS = {
    "too_long": "The HTML is longer than 102 KiB: Gmail shows the first part only, with a link to the rest.",
    "script": "Mail programs remove scripts.",
    "event_handler": "Mail programs remove event handlers such as onclick.",
    "form": "Forms do not work in Outlook for Windows, and most programs warn before they send one. Use a link.",
    "external_css": "Stylesheets from another address are not loaded. Put the styles into the HTML.",
    "import": "@import in a stylesheet is not loaded by Gmail, Outlook and Yahoo Mail.",
    "video": "Video and audio are shown by Apple Mail only. Use an image that links to it.",
    "iframe": "Mail programs remove frames and embedded objects.",
    "svg": "SVG written in the HTML is not shown by Gmail and Outlook. Use a PNG image.",
    "css_position": "Gmail and Outlook ignore position.",
    "css_flex": "Outlook for Windows ignores flex; Gmail keeps it only in part. Use tables.",
    "css_grid": "Gmail and Outlook for Windows ignore grid. Use tables.",
    "css_background_image": "Outlook for Windows shows no background images. Set a background color, too.",
    "css_variables": "Gmail and Outlook ignore CSS variables.",
    "css_calc": "Outlook for Windows ignores calc().",
    "css_animation": "Animations are played by Apple Mail only.",
    "web_font": "Gmail and Outlook do not load fonts. Name a common font as the next choice.",
    "data_image": "Gmail and Outlook do not show images that are written into the HTML (data:). Give their address.",
    "image_without_alt": "An image has no text (alt). Programs that block images show nothing in its place.",
    "relative_link": "A link or an image has an address without https://: it leads nowhere in a mail.",
    "large_style": "Gmail ignores a <style> of more than 8 KiB, and all that follow it.",
}
_STYLES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("import", re.compile(r"@import\b", re.IGNORECASE)),
    ("css_position", re.compile(r"(?<![\w-])position\s*:\s*(?:absolute|fixed|relative|sticky)", re.IGNORECASE)),
    ("css_flex", re.compile(r"(?<![\w-])display\s*:\s*(?:inline-)?flex", re.IGNORECASE)),
    ("css_grid", re.compile(r"(?<![\w-])display\s*:\s*(?:inline-)?grid", re.IGNORECASE)),
    ("css_background_image", re.compile(r"(?<![\w-])background(?:-image)?\s*:[^;}]*url\(", re.IGNORECASE)),
    ("css_variables", re.compile(r"var\(\s*--", re.IGNORECASE)),
    ("css_calc", re.compile(r"(?<![\w-])calc\(", re.IGNORECASE)),
    ("css_animation", re.compile(r"(?<![\w-])(?:animation(?:-name)?\s*:|@keyframes)", re.IGNORECASE)),
    ("web_font", re.compile(r"@font-face\b", re.IGNORECASE)),
)
_TAGS = {
    "script": "script",
    "form": "form",
    "input": "form",
    "button": "form",
    "select": "form",
    "textarea": "form",
    "video": "video",
    "audio": "video",
    "iframe": "iframe",
    "object": "iframe",
    "embed": "iframe",
    "svg": "svg",
}
_LARGE_STYLE = 8 * 1024
# What an address in a mail begins with.
_ABSOLUTE = re.compile(r"(?:[a-z][a-z0-9+.-]*:|//|#|$)", re.IGNORECASE)


def notes(html: str) -> list[Note]:
    """Return what of this HTML some mail programs do not support, each rule once, in the order of the list above."""
    reader = _Reader()
    reader.feed(html[:_MOST])
    reader.close()
    found = reader.found
    if len(html) > GMAIL_BYTES // 4 and len(html.encode()) > GMAIL_BYTES:
        found["too_long"] = 0
    return [Note(rule, text, found[rule]) for rule, text in TEXTS.items() if rule in found]


class _Reader(HTMLParser):
    """Counts what the rules find. Comments, such as those for Outlook, are not read."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: Counter[str] = Counter()
        self._style: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at a tag and its attributes."""
        if rule := _TAGS.get(tag):
            self.found[rule] += 1
        if tag == "style":
            self._style = []
        values = {name: value or "" for name, value in attrs}
        if tag == "link" and "stylesheet" in values.get("rel", "").lower():
            self.found["external_css"] += 1
        if tag == "img" and "alt" not in values:
            self.found["image_without_alt"] += 1
        for name, value in values.items():
            self._attribute(tag, name, value)

    def handle_data(self, data: str) -> None:
        """Collect the text of a stylesheet."""
        if self._style is not None:
            self._style.append(data)

    def handle_endtag(self, tag: str) -> None:
        """Look at a stylesheet."""
        if tag == "style" and self._style is not None:
            text = "".join(self._style)
            self._styles(text)
            if len(text.encode()) > _LARGE_STYLE:
                self.found["large_style"] += 1
            self._style = None

    def _attribute(self, tag: str, name: str, value: str) -> None:
        if name.startswith("on"):
            self.found["event_handler"] += 1
        elif name == "style":
            self._styles(value)
        elif name == "background" and value:
            self.found["css_background_image"] += 1
        elif name == "src" and tag == "img" and value.lower().startswith("data:"):
            self.found["data_image"] += 1
        elif (tag, name) in {("a", "href"), ("img", "src")} and not _ABSOLUTE.match(value.strip()):
            self.found["relative_link"] += 1

    def _styles(self, text: str) -> None:
        for rule, pattern in _STYLES:
            if count := len(pattern.findall(text)):
                self.found[rule] += count
