"""Whether there is anything to see in a channel's content. Runs in worker processes only.

SMS: the text. Push: title or body. E-mail: words or pictures of the body. An e-mail's subject and preheader do not
count: an e-mail without a subject is sent.
"""

import re

from services.render import plaintext
from services.render.frames import EMAIL, SMS, Content

# White space, control characters, what Unicode calls default ignorable (zero-width, fillers, variation selectors,
# tags), and the blank of Braille.
_INVISIBLE = re.compile(
    "[\\s\x00-\x20\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202f"
    "\u205f-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]*+"
)


def is_visible(text: str) -> bool:
    """Return whether a text has a character that can be seen."""
    return _INVISIBLE.fullmatch(text) is None


def is_empty(channel: int, content: Content) -> bool:
    """Return whether nothing of a channel's content can be seen."""
    if channel == SMS:
        return not is_visible(content.text)
    if channel == EMAIL:
        return not is_visible(content.text) and not plaintext.has_pictures(content.html)
    return not is_visible(content.title) and not is_visible(content.body)
