"""Checks the addresses of endpoints when they are written: pure, and without looking names up."""

import re
import urllib.parse

from runtime.egress import AddressNotAllowed, EgressGuard, hosts

MAX_URL = 2048

_DEFAULT_PORTS = {"https": 443, "http": 80}
# What programs read differently, or leave out: blanks, control characters, and what a URL must write in another way.
_NOT_IN_A_URL = re.compile(r'[\x00-\x20\x7f"<>\\^`{|}]')


class InvalidUrl(ValueError):
    """An address that is not stored. str() goes on after the field's name: "must not have a fragment (#…)"."""


def checked_url(url: str, guard: EgressGuard) -> str:
    """Return the form that is stored: as written, but for a host that is not ASCII. Raises InvalidUrl.

    A name's addresses are not known yet: they are checked at each connection.
    """
    _check_characters(url)
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise InvalidUrl("must be a web address") from error
    _check_parts(parts, host, port)
    try:
        guard.check_host(host, _DEFAULT_PORTS[parts.scheme] if port is None else port)
        name = hosts.read(host)
    except AddressNotAllowed as error:
        raise InvalidUrl(f"is not allowed: {error}") from error
    if host.isascii():
        return url
    return urllib.parse.urlunsplit(parts._replace(netloc=_netloc(str(name), port)))


def _check_characters(url: str) -> None:
    if len(url) > MAX_URL:
        raise InvalidUrl(f"must be at most {MAX_URL:,} characters")
    if _NOT_IN_A_URL.search(url):
        raise InvalidUrl('must not contain blanks, control characters or any of "<>\\^`{|}: encode them with %')
    if "#" in url:
        raise InvalidUrl("must not have a fragment (#…)")


def _check_parts(parts: urllib.parse.SplitResult, host: str, port: int | None) -> None:
    if parts.scheme not in _DEFAULT_PORTS or not host:
        raise InvalidUrl("must begin with https:// or http:// and name a host")
    if "@" in parts.netloc:
        raise InvalidUrl("must not have a user name or a password: use auth_username and auth_password")
    if not (parts.path + parts.query).isascii():
        raise InvalidUrl("must have only ASCII characters after the host: encode others with %")
    # What stands there beside the host and the port would be read differently by another program.
    if parts.netloc.lower() != _netloc(host, port):
        raise InvalidUrl("must have nothing but a host and a port before its path")


def _netloc(host: str, port: int | None) -> str:
    in_brackets = f"[{host}]" if ":" in host else host
    return in_brackets if port is None else f"{in_brackets}:{port}"
