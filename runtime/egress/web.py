"""The guard for aiohttp: each connection of a session, and so each hop of a redirect, goes to a checked address."""

import socket
from ipaddress import ip_address
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from runtime.egress.guard import EgressGuard, address_info
from runtime.egress.policy import AddressNotAllowed


def connector(guard: EgressGuard, **options: Any) -> aiohttp.TCPConnector:
    """Return a connector (options: aiohttp's). Requests raise AddressNotAllowed, or what refusal() finds it in."""

    def checked_socket(info: Any) -> socket.socket:
        """Make the socket for one address, checked once more: aiohttp asks no resolver where the host is an address."""
        family, kind, protocol, _, where = info
        guard.check(ip_address(where[0]), where[1], where[0])
        return socket.socket(family, kind, protocol)

    return aiohttp.TCPConnector(resolver=_Resolver(guard), socket_factory=checked_socket, **options)


def check_url(guard: EgressGuard, url: str) -> None:
    """Raise AddressNotAllowed if a URL may not be called, as far as that is clear without a lookup."""
    try:
        parts = URL(url)
        host, port = parts.raw_host, parts.port
    except ValueError as error:
        raise AddressNotAllowed("This is not a web address.") from error
    if parts.scheme not in {"http", "https"} or not host or port is None:
        raise AddressNotAllowed("This is not a web address: it begins with https:// or http:// and names a host.")
    if parts.raw_user is not None or parts.raw_password is not None:
        raise AddressNotAllowed("A web address with a user name or a password before the host is not called.")
    guard.check_host(host, port)


def refusal(error: BaseException) -> AddressNotAllowed | None:
    """Return the AddressNotAllowed that caused an error of aiohttp; None: it had another cause."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, AddressNotAllowed):
        cause = cause.__cause__
    return cause


class _Resolver(AbstractResolver):
    def __init__(self, guard: EgressGuard) -> None:
        self._guard = guard

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the host's addresses, all of them checked. Raises AddressNotAllowed or OSError."""
        found = [address_info(address, port) for address in await self._guard.resolve(host, port)]
        return [
            ResolveResult(
                hostname=host,
                host=str(where[0]),
                port=port,
                family=own_family,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for own_family, _, _, _, where in found
            if family in {socket.AF_UNSPEC, own_family}
        ]

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""
