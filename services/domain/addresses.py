"""E-mail addresses and phone numbers: the way people write them, and the one form that messages are sent to. Pure.

E-mail: `email-validator` decides, for one bare address: no display name, no quotes, no comments, no address literal
(``a@[192.0.2.1]``). The result has its local part composed (NFC) and its domain in ASCII (IDNA 2008). No DNS is asked,
and domains that are not public (``a@localhost``, ``a@mail.internal``) are allowed: the mail server has the last word.
Phone: `phonenumbers` knows the countries' codes and trunk prefixes ("+44 07911 …" is +447911…). The result is E.164, a
plus and 7 to 15 digits. A number without a plus is refused, because its country is unknown, and so is a country code
that does not exist. Whether a number exists is left to the provider: the library's tables age, and a number that is too
new for them must not be lost. So a trunk prefix is removed only if no number of its country looks like the digits as
written.

This module adds what both libraries leave to their caller: it removes blanks and invisible marks that come with
copying, and refuses everything that could be read as a second address, an extension or a word.

Both libraries are imported by the first address that needs them (2 MB and 5 MB).
"""

import functools
import re
import unicodedata

_MAX_LOCAL_BYTES = 64  # RFC 5321, 4.5.3.1.1; the library counts characters
_MAX_BYTES = 254
# What nearly every address looks like. The library accepts these as they are, but for some reserved forms of labels
# ("ab--cd"), which mail servers accept; and it takes twenty times as long.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ORDINARY = re.compile(rf"(?=[^@]{{1,{_MAX_LOCAL_BYTES}}}@){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")
_FINAL_DOTS = (".", "\u3002", "\uff0e", "\uff61")

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_MAX_WRITTEN = 100  # characters of a number with all that may stand between its digits
_KEPT_NUMBERS = 1024
_TEL = "tel:"  # RFC 3966
# "+44 (0)20 …": the zero is dialled within the country only. Italy's landlines keep it, its mobile numbers have none.
_TRUNK_ZERO = re.compile(r"(?<=[0-9 ])\( ?0 ?\)")
_ITALIAN_TRUNK_ZERO = re.compile(r"(?<=[0-9 ])\( ?0 ?\)(?= ?3)")
_ITALIAN = ("+39", "+378")
_WIDE = str.maketrans("\uff0b\uff0d\uff0e\uff08\uff09", "+-.()")  # as an East Asian keyboard writes them
# Beside blanks, hyphens and invisible marks, by their Unicode categories: the minus sign and variation selectors too.
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
    """Return the address in the form that mail is sent to. Raises InvalidAddress."""
    text = trimmed(text)
    if text.endswith(_FINAL_DOTS):
        text = text[:-1]
    if len(text) > _MAX_BYTES:  # before a pattern or the library sees a text of any length
        raise InvalidAddress("the address is too long")
    return text if _ORDINARY.fullmatch(text) else _parse_unusual_email(text)


def parse_phone(text: str) -> str:
    """Return the number in E.164. Raises InvalidAddress."""
    if len(text) <= _MAX_WRITTEN and (number := _e164(text)):
        return number
    raise InvalidAddress("the number is not in E.164 form, such as +254712345678")


def phone_as_written(text: str) -> str:
    """Return the number's plus and digits, its trunk prefix included, where one was written; empty: it is none."""
    if _E164.fullmatch(text):
        return text
    number = _without_marks(text)
    return number if _E164.fullmatch(number) else ""


def _parse_unusual_email(text: str) -> str:
    import email_validator  # most installations never need it

    # Reserved names such as ".local" and ".test" are used within companies.
    email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()
    try:
        found = email_validator.validate_email(
            text, check_deliverability=False, globally_deliverable=False, strict=True
        )
    except email_validator.EmailNotValidError as error:
        raise InvalidAddress(str(error).removesuffix(".")) from error
    if len(found.local_part.encode()) > _MAX_LOCAL_BYTES:
        raise InvalidAddress("the part before the @ is too long")
    return f"{found.local_part}@{found.ascii_domain}"


# A number is parsed twice in each process: it is looked up in the suppressions, too.
@functools.lru_cache(_KEPT_NUMBERS)
def _e164(text: str) -> str:
    """Return the number in E.164; empty: it is none."""
    written = phone_as_written(text)
    if not written:
        return ""
    import phonenumbers  # installations without SMS never need it

    try:
        parsed = phonenumbers.parse(written)
    except phonenumbers.NumberParseException:
        return ""
    national = phonenumbers.national_significant_number(parsed)
    dialled = written.removeprefix(f"+{parsed.country_code}")
    if national == dialled:
        return written
    # The library also removes carriers' codes, and prefixes that could be the beginning of a number.
    code = phonenumbers.region_code_for_country_code(parsed.country_code or 0)
    region = phonenumbers.PhoneMetadata.metadata_for_region(code, None)
    if region is None or region.general_desc is None or dialled != f"{region.national_prefix}{national}":
        return written
    if re.fullmatch(region.general_desc.national_number_pattern or "", dialled):
        return written
    number = f"+{parsed.country_code}{national}"
    return number if _E164.fullmatch(number) else ""


def _without_marks(text: str) -> str:
    text = trimmed(text)
    if len(text) > _MAX_WRITTEN:
        return ""
    if text[: len(_TEL)].lower() == _TEL:
        text = text[len(_TEL) :]
    kept = "".join(map(_of_number, text.translate(_WIDE)))
    zero = _ITALIAN_TRUNK_ZERO if kept.lstrip().startswith(_ITALIAN) else _TRUNK_ZERO
    return zero.sub("", kept).translate(_PUNCTUATION)


def _of_number(character: str) -> str:
    """Return what a character is in a number: an ASCII digit, a blank in place of what is dropped, or itself."""
    if (digit := unicodedata.decimal(character, None)) is not None:
        return str(digit)
    if character in _BETWEEN or unicodedata.category(character) in _BETWEEN_CATEGORIES:
        return " "
    return character
