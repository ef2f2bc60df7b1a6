"""Parses e-mail addresses and phone numbers into the one form in which they are sent to. Pure.

E-mail: one bare address of at most 254 bytes. Before the @ a dot-atom of at most 64 bytes in any script, composed
(NFC). After it labels of letters, digits and hyphens, at most 63 characters each; other scripts become ASCII (IDNA
2008). No display name, no quotes, no comments, no address literal (``a@[192.0.2.1]``).
Phone: E.164, a plus and 7 to 15 digits of which the first is no zero. Digits of any
script, the separators that people write between them, and the scheme of a tel: URI (RFC 3966) are accepted. A number
without a plus is refused, because its country is not known.

Blanks, line ends and invisible marks around both are removed, and so is a domain's final dot.
"""

import re
import unicodedata

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u00a1-\U0010ffff-]+"
_LOCAL = re.compile(rf"{_ATEXT}(?:\.{_ATEXT})*")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_MAX_LOCAL_BYTES = 64
_MAX_BYTES = 254

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
# The longest number with its separators.
_MAX_WRITTEN = 100
_TEL = "tel:"
# "+44 (0)20 …": the zero is dialled within the country only.
_TRUNK_ZERO = re.compile(r"(?<=[0-9 ])\( ?0 ?\)")
_WIDE = str.maketrans("\uff0b\uff0d\uff0e\uff08\uff09", "+-.()")  # as an East Asian keyboard writes them
# Separators: these, and all blanks, hyphens and invisible marks by their Unicode categories.
_BETWEEN = frozenset(".\u2212\ufe0e\ufe0f")
_BETWEEN_CATEGORIES = frozenset({"Zs", "Pd", "Cf"})
_PUNCTUATION = str.maketrans("", "", " ()")

# Marks of direction, joiners, zero-width spaces, soft hyphens, byte order marks, variation selectors.
_MARKS = "\u00ad\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u2062\u2063\u2064\ufe0e\ufe0f\ufeff" + "".join(
    map(chr, [*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
)
_AROUND = _MARKS + "".join(character for character in map(chr, range(0x3001)) if character.isspace())


class InvalidAddress(ValueError):
    """The text is not an address or number that can be sent to; the message says why."""


def trimmed(text: str) -> str:
    """Return text without blanks, line ends and invisible marks around it."""
    text = text.strip()
    return text if text.isascii() else text.strip(_AROUND)


def parse_email(text: str) -> str:
    """Return the address in the form in which mail is sent to it. Raises InvalidAddress."""
    text = trimmed(text)
    if len(text) > _MAX_BYTES:  # so that the patterns only see short texts
        raise InvalidAddress("it is too long")
    local, at, domain = text.rpartition("@")
    if not at:
        raise InvalidAddress("there is no @")
    if not local.isascii():
        local = unicodedata.normalize("NFC", local)
    if not _LOCAL.fullmatch(local) or not local.isprintable():
        raise InvalidAddress("the part before the @ is malformed")
    domain = ascii_domain(domain)
    if not _DOMAIN.fullmatch(domain):
        raise InvalidAddress("the domain is malformed")
    size = len(local.encode())
    if size > _MAX_LOCAL_BYTES or size + 1 + len(domain) > _MAX_BYTES:
        raise InvalidAddress("it is too long")
    return f"{local}@{domain}"


def parse_phone(text: str) -> str:
    """Return the number in E.164. Raises InvalidAddress."""
    number = text if _E164.fullmatch(text) else _without_marks(text)
    if not _E164.fullmatch(number):
        raise InvalidAddress("it is not in E.164 form, such as +254712345678")
    return number


def ascii_domain(domain: str) -> str:
    """Return a domain in ASCII without a final dot; empty if it has no ASCII form."""
    if not domain.isascii():
        import idna  # imported here because its tables take memory, and most installations never need them

        try:
            domain = idna.encode(domain, uts46=True).decode()
        except (idna.IDNAError, UnicodeError):
            return ""
    return domain.removesuffix(".")


def _without_marks(text: str) -> str:
    text = trimmed(text)
    if len(text) > _MAX_WRITTEN:
        return ""
    if text[: len(_TEL)].lower() == _TEL:
        text = text[len(_TEL) :]
    kept = "".join(map(_of_number, text.translate(_WIDE)))
    return _TRUNK_ZERO.sub("", kept).translate(_PUNCTUATION)


def _of_number(character: str) -> str:
    """Return an ASCII digit for a digit, a blank for a separator, and any other character unchanged."""
    if (digit := unicodedata.decimal(character, None)) is not None:
        return str(digit)
    if character in _BETWEEN or unicodedata.category(character) in _BETWEEN_CATEGORIES:
        return " "
    return character
