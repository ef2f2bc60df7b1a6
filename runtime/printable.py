"""Makes text from another server safe to show: one bounded line of valid Unicode."""

import re
import unicodedata

# Control characters, those that format (bidirectional overrides, zero-width ones, tags), half characters and line ends.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_PLAIN = re.compile(r"[\x20-\x7e]*")
_BLANKS = re.compile(r" {2,}")


def printable(text: str, limit: int) -> str:
    """Return text as one line of at most limit characters; each run of invisible characters becomes one blank.

    So the text cannot hide where it ends or change the order in which it is shown.
    """
    text = text[: 4 * limit]
    if not _PLAIN.fullmatch(text):
        text = "".join(" " if unicodedata.category(one) in _HIDDEN else one for one in text)
    return _BLANKS.sub(" ", text).strip()[:limit]
