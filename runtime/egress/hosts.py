"""Parses a host: a name, or an address in its usual form. Everything else is refused, not interpreted.

C libraries also read 127.1, 0x7f000001, 2130706433 and 0177.0.0.1 as addresses, and do not agree on all of them: what
one program checks another one may understand differently (WHATWG URL, "ends in a number"; RFC 6943, 3.1.1).
"""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address

from runtime.egress.addresses import Address
from runtime.egress.policy import AddressNotAllowed

_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
_MAX_NAME = 253


def read(host: str) -> Address | str:
    """Return the host as an address or as an ASCII name. Raises AddressNotAllowed."""
    if ":" in host:
        return _ipv6(host)
    name = host if host.isascii() else _idna(host)
    labels = name.removesuffix(".").split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _ipv4(host)
    if len(name) > _MAX_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressNotAllowed(f"{_shown(host)} is not a host name.")
    return name


def _ipv4(host: str) -> Address:
    try:
        return IPv4Address(host)
    except AddressValueError as error:
        sentence = f"{_shown(host)} is not written as an address: write four decimal numbers, such as 192.0.2.1."
        raise AddressNotAllowed(sentence) from error


def _ipv6(host: str) -> Address:
    try:
        address = ip_address(host)
    except ValueError:
        address = None
    if not isinstance(address, IPv6Address) or address.scope_id is not None:
        raise AddressNotAllowed(f"{_shown(host)} is not an IPv6 address: write it without brackets and zone.")
    return address


def _idna(host: str) -> str:
    import idna  # its tables take memory that most installations never need

    try:
        return idna.encode(host, uts46=True).decode()
    except (idna.IDNAError, UnicodeError) as error:
        raise AddressNotAllowed(f"{_shown(host)} is not a host name.") from error


def _shown(host: str) -> str:
    return repr(host[:_MAX_NAME])
