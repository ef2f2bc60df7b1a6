"""Parses a web address strictly: what it yields is what is connected to, so no second parser can read another host.

The guard checks the host and the port of it, and connects to them; path and query are sent as they are written.
"""

import re
import urllib.parse
from dataclasses import dataclass

from runtime.egress import hosts
from runtime.egress.policy import AddressNotAllowed

MAX_URL = 4_096

_DEFAULT_PORTS = {"http": 80, "https": 443}
_NOT_IN_URLS = re.compile(r"[\x00-\x20\x7f\\]")
_AUTHORITY_END = re.compile(r"[/?#]")
# What may stand in a path and a query as it is (RFC 3986); all else is escaped.
_PLAIN = "!$&'()*+,;=:@/?%-._~[]|"


@dataclass(frozen=True, slots=True)
class WebAddress:
    """scheme: "http" or "https". host: an ASCII name or an IP address without brackets. path: ASCII, with the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def is_secure(self) -> bool:
        """Return whether it is called over TLS."""
        return self.scheme == "https"

    @property
    def place(self) -> str:
        """Return host and port as the Host header has them: the scheme's own port is left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def shown(self) -> str:
        """Return it as a record shows it: the values of the query may be credentials, so they are left out."""
        path, mark, query = self.path.partition("?")
        names = "&".join(f"{one.split('=', 1)[0]}=***" if "=" in one else "***" for one in query.split("&") if one)
        return f"{self.scheme}://{self.place}{path}{mark}{names}"


def read(url: str) -> WebAddress:
    """Return the parts of a URL. Raises AddressNotAllowed with a sentence that does not repeat the URL."""
    if len(url) > MAX_URL:
        raise AddressNotAllowed(f"This is not a web address: it has more than {MAX_URL:,} characters.")
    if _NOT_IN_URLS.search(url):
        raise AddressNotAllowed("This is not a web address: it has a blank, a backslash or a control character.")
    scheme, mark, rest = url.partition("://")
    scheme = scheme.lower()
    if not mark or scheme not in _DEFAULT_PORTS:
        raise AddressNotAllowed("This is not a web address: it begins with https:// or http:// and names a host.")
    found = _AUTHORITY_END.search(rest)
    authority, after = (rest[: found.start()], rest[found.start() :]) if found else (rest, "")
    if "@" in authority:
        raise AddressNotAllowed("A web address with a user name or a password before the host is not called.")
    host, port = _host_and_port(authority, _DEFAULT_PORTS[scheme])
    path = after.partition("#")[0]
    return WebAddress(scheme, host, port, urllib.parse.quote(path if path.startswith("/") else f"/{path}", safe=_PLAIN))


def _host_and_port(authority: str, default: int) -> tuple[str, int]:
    if authority.startswith("["):
        host, bracket, port = authority[1:].partition("]")
        if not bracket or ":" not in host or (port and not port.startswith(":")):
            raise AddressNotAllowed("This is not a web address: in brackets stands an IPv6 address.")
        port, has_port = port[1:], bool(port)
    else:
        host, colon, port = authority.partition(":")
        has_port = bool(colon)
    if has_port and not (port.isascii() and port.isdecimal() and len(port) <= 5 and 0 < int(port) < 65_536):
        raise AddressNotAllowed("This is not a web address: after the host's colon stands a port from 1 to 65535.")
    return str(hosts.read(host)).lower(), int(port) if has_port else default
