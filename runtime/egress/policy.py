"""Which addresses may be connected to: public ones on the usual ports, with the operator's additions and exclusions."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from runtime.egress.addresses import Address, plain, special_kind, translated

Network = IPv4Network | IPv6Network

ALLOW, DENY = "CLARION_EGRESS_ALLOW", "CLARION_EGRESS_DENY"


class AddressNotAllowed(OSError):
    """This installation does not connect to that address; a retry cannot change it.

    str() is a sentence for the delivery's timeline. It says what to do, but not which address a name resolved to: that
    would show an internal network to the person who chose the name. on_port: the port is not allowed.
    """

    def __init__(self, sentence: str, *, on_port: bool = False) -> None:
        super().__init__(sentence)
        self.on_port = on_port


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports that connections of one purpose usually go to.

    setting: the variable by which an operator sets them. allow: the variable by which an operator allows addresses for
    this purpose.
    """

    numbers: frozenset[int]
    setting: str
    allow: str = ALLOW


@dataclass(frozen=True, slots=True)
class _Allowed:
    """One entry of the allow-list. ports: None: the purpose's own."""

    network: Network
    ports: range | None

    def covers(self, address: Address, port: int, usual: Ports) -> bool:
        return self.covers_port(port, usual) and address in self.network

    def covers_port(self, port: int, usual: Ports) -> bool:
        return port in (usual.numbers if self.ports is None else self.ports)


class EgressPolicy:
    """The operator's lists. A denied address stays denied even if it is also allowed.

    allow: "10.1.0.0/16:25", "10.1.0.0/16" (on the usual ports), "127.0.0.0/8:*", "127.0.0.0/8:1024-2047",
    "[fd00::/8]:25"; deny: "198.51.100.0/24". An address stands for its network of one. Raises ValueError.
    """

    def __init__(self, allow: Iterable[str] = (), deny: Iterable[str] = ()) -> None:
        self._allow = tuple(_allowed(entry) for entry in allow)
        self._deny = tuple(_network(entry, entry) for entry in deny)

    def refusal(self, address: Address, port: int, usual: Ports) -> str:
        """Return why an address is refused: "port", "denied" or its kind; empty: it is allowed."""
        address = plain(address)
        if any(address in network or translated(address) in network for network in self._deny):
            return "denied"
        if any(entry.covers(address, port, usual) for entry in self._allow):
            return ""
        return special_kind(address) or ("" if port in usual.numbers else "port")

    def knows_port(self, port: int, usual: Ports) -> bool:
        """Return whether any address may be connected to on this port."""
        return port in usual.numbers or any(entry.covers_port(port, usual) for entry in self._allow)


def port_refused(port: int, usual: Ports) -> AddressNotAllowed:
    """Return the refusal of a port."""
    known = ", ".join(map(str, sorted(usual.numbers)))
    way_out = f"add it to {usual.setting}, or the address with the port to {usual.allow}, and start Clarion again."
    return AddressNotAllowed(f"Port {port} is none of {known}. An operator can {way_out}", on_port=True)


def _allowed(entry: str) -> _Allowed:
    network, colon, ports = entry.strip(), "", ""
    if network.startswith("["):
        network, bracket, rest = network[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError(f"{entry!r} is not of the form [fd00::/8]:25")
        colon, ports = rest[:1], rest[1:]
    elif network.count(":") == 1:
        network, colon, ports = network.partition(":")
    return _Allowed(_network(network, entry), _ports(ports, entry) if colon else None)


def _network(text: str, entry: str) -> Network:
    try:
        return ip_network(text.strip())
    except ValueError as error:
        raise ValueError(f"{entry!r} is not a network such as 10.1.0.0/16: {error}") from error


def _ports(text: str, entry: str) -> range:
    if text == "*":
        return range(65536)
    first, dash, last = text.partition("-")
    last = last if dash else first
    if not all(part.isascii() and part.isdecimal() and 0 < int(part) < 65536 for part in (first, last)):
        raise ValueError(f"{entry!r}: after the colon stands a port, two with a hyphen between them, or *")
    return range(int(first), int(last) + 1)
