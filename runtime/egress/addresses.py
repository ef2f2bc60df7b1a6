"""Which IP addresses are public: the tables of IANA's special-purpose registries, held here.

`ipaddress.is_global` is not asked: what it says has changed between patch versions of Python, it takes NAT64 addresses
of private networks and multicast for global, and it knows no cloud's metadata address outside the special ranges.
https://www.iana.org/assignments/iana-ipv4-special-registry and …/iana-ipv6-special-registry
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address

_IPV4 = tuple(
    (IPv4Network(network), kind)
    for network, kind in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared (carrier-grade NAT)"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "metadata"),  # Azure's, for its virtual machines; its block is public
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "documentation"),
        ("192.31.196.0/24", "reserved"),
        ("192.52.193.0/24", "reserved"),
        ("192.88.99.0/24", "reserved"),
        ("192.168.0.0/16", "private"),
        ("192.175.48.0/24", "reserved"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)
# The only block from which IPv6 addresses are given out; all else is special or not assigned.
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_IPV6 = tuple(
    (IPv6Network(network), kind)
    for network, kind in (
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("::/96", "IPv4-compatible"),
        ("64:ff9b:1::/48", "local NAT64"),
        ("100::/64", "discard"),
        ("2001::/32", "Teredo"),
        ("2001::/23", "reserved"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("3ffe::/16", "reserved"),
        ("3fff::/20", "documentation"),
        ("fc00::/7", "unique-local"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
    )
)
# The well-known prefix: a translator turns the last 32 bits into the IPv4 address that it connects to.
_NAT64 = IPv6Network("64:ff9b::/96")
# The first half of an ISATAP interface id (RFC 5214, 6.1); the second is an IPv4 address.
_ISATAP = frozenset({0x0000_5EFE, 0x0200_5EFE})


def plain(address: Address) -> Address:
    """Return the IPv4 address of an IPv4-mapped one (::ffff:192.0.2.1), any other as it is."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def translated(address: Address) -> Address:
    """Return the IPv4 address to which a translator leads from a NAT64 address, any other address as it is."""
    is_nat64 = isinstance(address, IPv6Address) and address in _NAT64
    return IPv4Address(int(address) & 0xFFFF_FFFF) if is_nat64 else address


def special_kind(address: Address) -> str:
    """Return what is special about an address, such as "loopback"; empty: it is public."""
    address = translated(plain(address))
    if isinstance(address, IPv4Address):
        return next((kind for network, kind in _IPV4 if address in network), "")
    if address.scope_id is not None:
        return "link-local"
    if kind := next((kind for network, kind in _IPV6 if address in network), ""):
        return kind
    if address not in _GLOBAL_UNICAST:
        return "reserved"
    return "ISATAP" if int(address) >> 32 & 0xFFFF_FFFF in _ISATAP else ""
