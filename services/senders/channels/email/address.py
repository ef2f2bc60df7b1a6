"""E-mail addresses: strict, and honest about those in other scripts.

A domain in another script becomes its ASCII form (IDNA 2008) and travels everywhere. A local part in
another script stays as it is and needs a server with SMTPUTF8. Quoted local parts and address
literals (``"a b"@example.org``, ``a@[192.0.2.1]``) are refused.
"""

import re

from services.senders.ports import Address

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u00a1-\U0010ffff-]+"
_LOCAL = re.compile(rf"{_ATEXT}(?:\.{_ATEXT})*")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_MAX_LOCAL_BYTES = 64
_MAX_BYTES = 254


class InvalidAddress(ValueError):
    """Not an address that can be written to; the text says why."""


def parse(text: str) -> Address:
    """Return the address in text, blanks around it removed. Raises InvalidAddress."""
    local, at, domain = text.strip().rpartition("@")
    if not at:
        raise InvalidAddress("there is no @")
    if not _LOCAL.fullmatch(local) or not local.isprintable() or any(character.isspace() for character in local):
        raise InvalidAddress("the part before the @ is malformed")
    if not domain.isascii():
        domain = _idna(domain)
    if not _DOMAIN.fullmatch(domain):
        raise InvalidAddress("the domain is malformed")
    if len(local.encode()) > _MAX_LOCAL_BYTES or len(local.encode()) + 1 + len(domain) > _MAX_BYTES:
        raise InvalidAddress("it is too long")
    return Address(local, domain)


def _idna(domain: str) -> str:
    import idna  # its tables take memory that most installations never need

    try:
        return idna.encode(domain, uts46=True).decode()
    except (idna.IDNAError, UnicodeError) as error:
        raise InvalidAddress("the domain is malformed") from error
