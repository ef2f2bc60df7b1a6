"""Whether a browser shows an element, judged by its own attributes."""

import re
from collections.abc import Iterable

_NO_DISPLAY = re.compile(r"display\s*+:\s*+none")
_INVISIBLE = re.compile(r"visibility\s*+:\s*+hidden")
_NO_HEIGHT = re.compile(r"max-height\s*+:\s*+0+(?![\d.])")
_CLIPPED = re.compile(r"overflow\s*+:\s*+hidden")


def is_hidden(attributes: Iterable[tuple[str, str | None]]) -> bool:
    """Tell whether an element with these attributes is not shown."""
    for name, value in attributes:
        if name == "hidden":
            return True
        if name == "style" and value and _hides(value):
            return True
    return False


def _hides(style: str) -> bool:
    lowered = style.lower()
    if "none" in lowered and _NO_DISPLAY.search(lowered):
        return True
    if "hidden" not in lowered:
        return False
    return bool(_INVISIBLE.search(lowered) or (_NO_HEIGHT.search(lowered) and _CLIPPED.search(lowered)))
