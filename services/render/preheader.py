"""Adds the preheader: the text that an inbox shows beside the subject, hidden in the mail itself."""

import html

from services.render.html_syntax import MARKUP, RAW_TEXT, end_of_raw_text

# Blanks follow the text, so that an inbox does not show the mail's first words after it.
_HIDDEN = (
    '<div style="display:none;font-size:1px;line-height:1px;max-height:0;max-width:0;opacity:0;overflow:hidden;'
    'mso-hide:all">{}' + "&#847;&zwnj;&nbsp;" * 60 + "</div>"
)
# Elements that a browser puts into the head if there is no <head> tag.
_IN_HEAD = frozenset(
    ("base", "basefont", "bgsound", "link", "meta", "noscript", "script", "style", "template", "title")
)
_BLANK = "\ufeff\t\n\f\r "


def with_preheader(markup: str, preheader: str) -> str:
    """Return the document with the preheader at the start of its body; unchanged if the preheader is empty."""
    if not preheader:
        return markup
    place = _start_of_body(markup)
    return markup[:place] + _HIDDEN.format(html.escape(preheader)) + markup[place:]


def _start_of_body(markup: str) -> int:
    """Return the index at which a browser starts the body: after its tag, the head or the doctype (HTML 13.2.6.4)."""
    place = position = 0
    while (found := MARKUP.search(markup, position)) is not None and not markup[position : found.start()].strip(_BLANK):
        position = found.end()
        name = (found["name"] or "").lower()
        if found["comment"] is not None:
            continue
        if name == "body" and not found["end"] and found["cut"] is None:
            return position
        if name in {"html", "head", ""} and found["cut"] is None:
            place = position
        elif name not in _IN_HEAD or found["end"] or (position := _end_in_head(markup, name, position)) < 0:
            break
        else:
            place = position
    return place


def _end_in_head(markup: str, name: str, position: int) -> int:
    """Return the index after an element of the head whose start tag ends at position; -1 if it does not end."""
    if name not in RAW_TEXT and name not in {"noscript", "template"}:
        return position
    end = end_of_raw_text(markup, name, position)
    return -1 if end < 0 else markup.find(">", end) + 1 or -1
