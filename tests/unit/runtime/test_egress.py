"""Which addresses the egress guard considers public, how hosts are parsed, and the operator's lists."""

import asyncio
import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.egress import AddressNotAllowed, EgressGuard, EgressPolicy, Ports
from runtime.egress.addresses import plain, special_kind, translated
from runtime.egress.lookup import LookupShares, SystemLookup

_MAIL = Ports(frozenset({25, 587}), "CLARION_EGRESS_SMTP_PORTS")


def _refusal(address: str, port: int = 25, *, allow: tuple[str, ...] = (), deny: tuple[str, ...] = ()) -> str:
    return EgressPolicy(allow, deny).refusal(ipaddress.ip_address(address), port, _MAIL)


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "168.63.129.15",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.0.3.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2000::1",
        "2001:200::1",
        "2001:db7:ffff::1",
        "2001:db9::1",
        "2001:4860:4860::8888",
        "2003::1",
        "2620:fe::fe",
        "3ffd:ffff::1",
    ],
)
def test_public_addresses(address: str) -> None:
    """Also the neighbours of each special network: no network is treated as larger than it is."""
    assert _refusal(address) == ""


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_addresses_that_python_considers_special_are_refused(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    """If the standard library says that an address is not global, it is refused."""
    address = translated(plain(address))
    if not address.is_global or address.is_multicast or address.is_reserved:
        assert special_kind(address)


@given(st.ip_addresses(v=4))
def test_an_embedded_ipv4_address_decides(address: ipaddress.IPv4Address) -> None:
    """Mapped and translated addresses are judged by the IPv4 address that they lead to."""
    for text in (f"::ffff:{address}", f"64:ff9b::{address}"):
        assert special_kind(ipaddress.ip_address(text)) == special_kind(address)


def test_the_allow_list() -> None:
    """By network and port; without a port, on the usual ports."""
    assert _refusal("10.1.2.3", allow=("10.1.0.0/16",)) == ""
    assert _refusal("10.1.2.3", 26, allow=("10.1.0.0/16",)) == "private"
    assert _refusal("10.1.2.3", 26, allow=("10.1.0.0/16:26", "10.1.0.0/16")) == ""
    assert _refusal("10.1.2.3", 27, allow=("10.1.0.0/16:20-26",)) == "private"
    assert _refusal("10.1.2.3", 26, allow=("10.1.0.0/16:20-26",)) == ""
    assert _refusal("10.1.2.3", 9, allow=("10.1.0.0/16:*",)) == ""
    assert _refusal("10.2.2.3", allow=("10.1.0.0/16",)) == "private"
    assert _refusal("8.8.8.8", 2526, allow=("8.8.8.8:2526",)) == ""
    assert _refusal("fd00::1", allow=("[fd00::/8]:25",)) == ""
    assert _refusal("fd00::1", 587, allow=("[fd00::/8]:25",)) == "unique-local"
    assert _refusal("fd00::1", allow=("fd00::/8",)) == ""
    assert _refusal("::ffff:10.1.2.3", allow=("10.1.0.0/16",)) == ""
    assert _refusal("64:ff9b::10.1.2.3", allow=("10.1.0.0/16",)) == "private"


def test_the_deny_list() -> None:
    """It takes precedence, also for addresses that lead there through a translator."""
    deny = ("198.18.0.0/15", "8.8.8.0/24", "2620:fe::/48")
    assert _refusal("8.8.8.8", deny=deny) == "denied"
    assert _refusal("::ffff:8.8.8.8", deny=deny) == "denied"
    assert _refusal("64:ff9b::8.8.8.8", deny=deny) == "denied"
    assert _refusal("2620:fe::fe", deny=deny) == "denied"
    assert _refusal("8.8.8.8", deny=deny, allow=("8.8.8.8:*",)) == "denied"
    assert _refusal("8.8.4.4", deny=deny) == ""


def test_ports() -> None:
    """Only the usual ports of a public address are allowed."""
    assert _refusal("8.8.8.8", 6379) == "port"
    assert _refusal("8.8.8.8", 587) == ""


@pytest.mark.parametrize(
    "entry",
    ["", "a", "10.1.2.3/16", "10.1.0.0/16:", "10.1.0.0/16:0", "10.1.0.0/16:65536", "10.1.0.0/16:a", "10.1.0.0/16:1-",
     "10.1.0.0/16:-1", "[fd00::/8", "[fd00::/8]25", "127.1:25", "0x7f.0.0.1", "localhost:25", "10.1.0.0/16:25:26"],
)  # fmt: skip
def test_invalid_entries_are_refused(entry: str) -> None:
    """The process does not start."""
    with pytest.raises(ValueError, match=r"network|port|form"):
        EgressPolicy(allow=[entry])


def test_a_refusal_says_what_to_do() -> None:
    """For an address, its kind; for a name, not the address that it resolves to."""
    guard = EgressGuard(EgressPolicy(), _MAIL)
    with pytest.raises(AddressNotAllowed) as caught:
        guard.check_host("127.0.0.1", 25)
    assert str(caught.value) == (
        "'127.0.0.1' is not a public address (loopback), so Clarion does not connect to it. An operator can allow it"
        " in the environment, and start Clarion again, such as CLARION_EGRESS_ALLOW=127.0.0.1:25 make run."
    )
    with pytest.raises(AddressNotAllowed) as caught:
        guard.check(ipaddress.ip_address("10.1.2.3"), 25, "mail.example.org")
    assert "10.1.2.3" not in str(caught.value)
    with pytest.raises(AddressNotAllowed) as caught:
        guard.check_host("mail.example.org", 2526)
    assert str(caught.value).startswith("Port 2526 is none of 25, 587.")


def test_a_port_of_the_allow_list_may_be_saved_with_a_name() -> None:
    """The name's address is known only at the connection."""
    EgressGuard(EgressPolicy(["10.1.0.0/16:2526"]), _MAIL).check_host("mail.internal", 2526)


async def test_a_name_is_looked_up_once_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Concurrent callers share the answer, or the failure; the next caller looks it up again."""
    asked: list[str] = []

    def answer(name: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        asked.append(name)
        if name == "unknown.example.org":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    lookup = SystemLookup()
    found = await asyncio.gather(*(lookup("mail.example.org") for _ in range(20)))
    assert found == [["192.0.2.1"]] * 20
    assert asked == ["mail.example.org"]
    await lookup("mail.example.org")
    assert len(asked) == 2
    failed = await asyncio.gather(*(lookup("unknown.example.org") for _ in range(3)), return_exceptions=True)
    assert [type(error) for error in failed] == [socket.gaierror] * 3
    assert len(asked) == 3


async def test_names_that_hang_leave_lookups_for_other_owners() -> None:
    """A lookup counts until it has ended, though nobody waits for it any more."""
    asked: list[str] = []
    gate = asyncio.Event()

    async def lookup(name: str) -> list[str]:
        asked.append(name)
        if name.startswith("hangs"):
            await gate.wait()
        return ["8.8.8.8"]

    shares = LookupShares(lookup, share=2)
    hung = [asyncio.ensure_future(shares.of("a")(f"hangs{number}")) for number in range(5)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert asked == ["hangs0", "hangs1"]
    for task in hung[:3]:  # two that are under way, and one that waits
        task.cancel()
    await asyncio.wait(hung[:3])
    assert await shares.of("b")("well") == ["8.8.8.8"]
    assert asked == ["hangs0", "hangs1", "well"]
    gate.set()
    assert await asyncio.gather(*hung[3:]) == [["8.8.8.8"]] * 2
    assert asked == ["hangs0", "hangs1", "well", "hangs3", "hangs4"]
    assert shares._owners == {}


async def test_an_owners_lookup_that_fails_makes_room() -> None:
    """The next one waits no longer, and the failure is its caller's."""

    async def lookup(name: str) -> list[str]:
        if name == "unknown":
            raise OSError("no such name")
        return ["8.8.8.8"]

    shares = LookupShares(lookup, share=1)
    found = await asyncio.gather(*(shares.of("a")(name) for name in ("unknown", "b", "c")), return_exceptions=True)
    assert [type(one) for one in found] == [OSError, list, list]
    assert shares._owners == {}
