"""Which addresses and numbers can be written to at all. Pure; short rules, the same as senders' own.

E-mail: one bare address. Before the @ a dot-atom of at most 64 bytes, in any script; behind it labels of letters,
digits and hyphens, of at most 63 characters; at most 254 bytes in all. No display name, no quotes, no address literal.
Phone: E.164, a plus and 7 to 15 digits of which the first is no zero, without blanks or punctuation.
"""

import re

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u00a1-\U0010ffff-]+"
_LETTER = r"[A-Za-z0-9\u00a1-\U0010ffff]"
_LABEL = rf"{_LETTER}(?:(?:{_LETTER}|-){{0,61}}{_LETTER})?"
_EMAIL = re.compile(rf"({_ATEXT}(?:\.{_ATEXT})*)@{_LABEL}(?:\.{_LABEL})*")
_MAX_LOCAL_BYTES = 64
_MAX_BYTES = 254
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")


def is_email(text: str) -> bool:
    """Tell whether a mail can be addressed to it; the mail server has the last word."""
    if len(text) > _MAX_BYTES:  # before the pattern sees what has no bound
        return False
    match = _EMAIL.fullmatch(text)
    if match is None or not text.isprintable():
        return False
    local = match.group(1)
    return len(local.encode()) <= _MAX_LOCAL_BYTES and len(text.encode()) <= _MAX_BYTES


def is_phone(text: str) -> bool:
    """Tell whether it is a number in E.164."""
    return _PHONE.fullmatch(text) is not None
