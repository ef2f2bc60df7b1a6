"""The egress guard: resolve a name, check all its addresses, connect to a checked one."""

import socket
from ipaddress import ip_address

import aiohappyeyeballs

from runtime import logs
from runtime.egress import hosts
from runtime.egress.addresses import Address, plain
from runtime.egress.lookup import Lookup, SystemLookup
from runtime.egress.policy import DENY, AddressNotAllowed, EgressPolicy, Ports, port_refused

# Addresses of one name that are tried: a name server may return hundreds, each of which could time out.
_MAX_TRIED = 8
# How long to wait for an address before the next one is tried as well, seconds (RFC 8305, 5).
_STAGGER_S = 0.25

log = logs.get(__name__)


class EgressGuard:
    """Connections of one purpose, such as mail. lookup: how names are resolved; the machine's own resolver."""

    def __init__(self, policy: EgressPolicy, ports: Ports, *, lookup: Lookup | None = None) -> None:
        self._policy = policy
        self._ports = ports
        self.lookup = lookup or SystemLookup()

    def check_host(self, host: str, port: int) -> None:
        """Raise AddressNotAllowed if it is clear without a lookup: for addresses, ports and localhost."""
        found = hosts.read(host)
        if isinstance(found, str):
            name = found.lower().removesuffix(".")
            if name == "localhost" or name.endswith(".localhost"):  # RFC 6761, 6.3
                found = ip_address("127.0.0.1")
                host = str(found)  # so that the refusal says how it is allowed
        if not isinstance(found, str):
            self.check(found, port, host)
        elif not self._policy.knows_port(port, self._ports):
            raise port_refused(port, self._ports)

    def check(self, address: Address, port: int, host: str) -> None:
        """Raise AddressNotAllowed unless an address of host may be connected to."""
        if why := self._policy.refusal(address, port, self._ports):
            log.warning("egress_refused", host=host, address=str(address), port=port, cause=why)
            raise (
                port_refused(port, self._ports)
                if why == "port"
                else _refused(host, address, port, why, self._ports.allow)
            )

    async def resolve(self, host: str, port: int, *, lookup: Lookup | None = None) -> list[Address]:
        """Return the addresses of a host, all of them checked: one that is not allowed refuses the name.

        lookup: in place of the guard's own. Raises AddressNotAllowed; OSError where there is none.
        """
        found, lookup = hosts.read(host), lookup or self.lookup
        addresses = [found] if not isinstance(found, str) else [ip_address(one) for one in await lookup(found)]
        if not addresses:
            raise OSError(f"{host} has no address.")
        for address in addresses:
            self.check(address, port, host)
        return list(dict.fromkeys(map(plain, addresses)))[:_MAX_TRIED]

    async def connect(self, host: str, port: int, *, lookup: Lookup | None = None) -> socket.socket:
        """Return a socket connected to a checked address of the host. Raises AddressNotAllowed or OSError.

        lookup: in place of the guard's own.
        """
        addresses = await self.resolve(host, port, lookup=lookup)
        try:
            connected = await aiohappyeyeballs.start_connection(
                [address_info(address, port) for address in addresses], happy_eyeballs_delay=_STAGGER_S
            )
        except RuntimeError as error:  # uvloop's, in place of an OSError
            raise OSError(str(error)) from error
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected


def address_info(address: Address, port: int) -> aiohappyeyeballs.AddrInfoType:
    """Return an address in getaddrinfo's form, without a lookup."""
    text = str(address)
    is_ipv4 = address.version == 4
    family = socket.AF_INET if is_ipv4 else socket.AF_INET6
    where = (text, port) if is_ipv4 else (text, port, 0, 0)
    return family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", where


def _refused(host: str, address: Address, port: int, why: str, allow: str) -> AddressNotAllowed:
    if why == "denied":
        return AddressNotAllowed(f"Clarion does not connect to {host!r}: an operator has denied it in {DENY}.")
    if str(address) != host:
        return AddressNotAllowed(
            f"{host!r} leads to an address that is not public, so Clarion does not connect to it. An operator can allow"
            f" the address, which the log names (egress_refused), and the port: start Clarion again with both in the"
            f" environment variable {allow}."
        )
    entry = f"{host}:{port}" if address.version == 4 else f"[{host}]:{port}"
    return AddressNotAllowed(
        f"{host!r} is not a public address ({why}), so Clarion does not connect to it. An operator can allow it in the"
        f" environment, and start Clarion again, such as {allow}={entry} make run."
    )
