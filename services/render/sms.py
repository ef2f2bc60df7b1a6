"""The alphabet and the number of segments of an SMS, which decide its price (3GPP TS 23.038, TS 23.040)."""

import re
from typing import NamedTuple

GSM_7 = "GSM-7"
UCS_2 = "UCS-2"

# The default alphabet, and its extension table, whose characters take two places (one is an escape).
_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = "\f^{}\\[~]|€"

# Places in a single message, and in each of several, where six bytes are used for its number.
_GSM_SINGLE, _GSM_PART = 160, 153
_UCS_SINGLE, _UCS_PART = 70, 67

_IS_BASIC = re.compile(f"[{re.escape(_BASIC)}]*+").fullmatch
_IS_GSM = re.compile(f"[{re.escape(_BASIC + _EXTENSION)}]*+").fullmatch
_EXTENDED = re.compile(f"[{re.escape(_EXTENSION)}]")
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")


class Size(NamedTuple):
    """encoding: GSM_7 or UCS_2. segments: messages billed; 0 for an empty text. units: septets or UTF-16 units."""

    encoding: str
    segments: int
    units: int


def size(text: str) -> Size:
    """Return the size of a text."""
    if _IS_BASIC(text):
        return Size(GSM_7, _even(len(text), _GSM_SINGLE, _GSM_PART), len(text))
    if _IS_GSM(text):
        return _measured(text, _EXTENDED, GSM_7, _GSM_SINGLE, _GSM_PART)
    return _measured(text, _ASTRAL, UCS_2, _UCS_SINGLE, _UCS_PART)


def _measured(text: str, double: "re.Pattern[str]", encoding: str, single: int, part: int) -> Size:
    """Measure a text in which some characters take two places, which must be in the same message."""
    wide = [found.start() for found in double.finditer(text)]
    units = len(text) + len(wide)
    if units <= single or not wide:
        return Size(encoding, _even(units, single, part), units)
    # If only one place is left in a part, a wide character goes to the next part and the place stays empty.
    segments, used, position = 1, 0, 0
    for start in wide:
        segments, used = _filled(segments, used + start - position, part)
        if used + 2 > part:
            segments, used = segments + 1, 0
        used += 2
        position = start + 1
    segments, used = _filled(segments, used + len(text) - position, part)
    return Size(encoding, segments, units)


def _filled(segments: int, used: int, part: int) -> tuple[int, int]:
    """Move what does not fit into one part to the next. A part that is exactly full stays the last one."""
    more = max(0, -(-used // part) - 1)
    return segments + more, used - more * part


def _even(units: int, single: int, part: int) -> int:
    if units <= single:
        return 1 if units else 0
    return -(-units // part)
