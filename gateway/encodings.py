"""Which encodings of a response a client accepts."""

import re

_QUALITY_0 = re.compile(r"\s*q\s*=\s*0(\.0*)?\s*")


def accepts(header: str, coding: str) -> bool:
    """Return whether an Accept-Encoding header names the coding, and not with the quality 0, which forbids it."""
    for part in header.lower().split(","):
        name, _, quality = part.partition(";")
        if name.strip() == coding:
            return not _QUALITY_0.fullmatch(quality)
    return False
