"""Hides addresses and phone numbers in what is shown to people."""

import re

# Finds addresses and numbers in texts of providers and operators.
_ADDRESS = re.compile(r"[^\s…<>()\[\]\"',;:=/]+(?:@|%40)[^\s…<>()\[\]\"',;:=/]+", re.IGNORECASE)
_NUMBER = re.compile(r"\+?\d{7,}")
_BETWEEN_DIGITS = "[ .()\u00a0-]*"


def masked(address: str) -> str:
    """Return the part of a normalised address that may be shown: "a…@example.com", "+254…678"; less of a short one."""
    local, at, domain = address.rpartition("@")
    if at:
        return f"{local[:1] if len(local) > 2 else ''}…@{domain}"
    return f"{address[:4]}…{address[-3:] if len(address) > 10 else ''}"


def redacted(text: str, address: str = "") -> str:
    """Return the text with all e-mail addresses and numbers masked. address: one that may be written in parts."""
    if address:
        text = re.sub(re.escape(address), masked(address), text, flags=re.IGNORECASE)
    found = _ADDRESS.sub(lambda one: masked(one.group().replace("%40", "@").rstrip(".")), text)
    digits = [one for one in address if one.isdecimal()] if address.startswith("+") else []
    if digits:
        found = re.sub(r"\+?" + _BETWEEN_DIGITS.join(digits), masked(address), found)
    return _NUMBER.sub(lambda one: masked(one.group()), found)
