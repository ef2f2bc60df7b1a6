"""Who called, and how often an address may fail."""

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from gateway import addresses
from gateway.addresses import WINDOW_S, FailedAttempts, Proxies
from runtime.errors import ClarionError, Code

REFUSAL = ClarionError(Code.UNAUTHENTICATED, "no")


class Clock:
    """A time that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        """Return it."""
        return self.now


def request(remote: str, *forwarded: str) -> web.Request:
    """Return a request from an address, with X-Forwarded-For headers."""
    headers = [("X-Forwarded-For", value) for value in forwarded]
    made: web.Request = make_mocked_request("GET", "/", headers=headers).clone(remote=remote)
    return made


@pytest.mark.parametrize(
    ("remote", "forwarded", "client"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),
        ("10.0.0.2", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.2", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.2", ["1.1.1.1", "198.51.100.1, 10.9.9.9"], "198.51.100.1"),
        ("10.0.0.2", ["10.0.0.3"], "10.0.0.3"),
        ("10.0.0.2", ["198.51.100.1, nonsense"], "10.0.0.2"),
        ("10.0.0.2", [""], "10.0.0.2"),
        ("10.0.0.2", [], "10.0.0.2"),
        ("::ffff:203.0.113.7", [], "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", [], "2001:db8:1:2::/64"),
        ("fd00::1", ["2001:db8::1"], "2001:db8::/64"),
        ("", ["198.51.100.1"], ""),
    ],
)
def test_the_client_behind_the_proxies(remote: str, forwarded: list[str], client: str) -> None:
    """X-Forwarded-For counts from its end, and only as far as trusted proxies wrote it."""
    assert Proxies(["10.0.0.0/8", "fd00::1"]).client_of(request(remote, *forwarded)) == client


def test_nobody_is_trusted_by_default() -> None:
    """A caller cannot choose its address."""
    assert Proxies().client_of(request("127.0.0.1", "198.51.100.1")) == "127.0.0.1"


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("10.0.0.2", ""),
        ("::ffff:10.0.0.2", ""),
        ("", ""),
    ],
)
def test_a_connection_counts_for_its_address(peer: str, address: str) -> None:
    """A trusted proxy's connections are those of many callers, so they count for no address."""
    assert Proxies(["10.0.0.0/8"]).address_of(peer) == address


def test_a_forwarding_stranger_is_a_warning() -> None:
    """A proxy that is not named is noticed by its header; a named one, and a caller without the header, are not."""
    warnings: set[str] = set()
    proxies = Proxies(["10.0.0.0/8"], warnings=warnings)
    proxies.notice(request("10.0.0.2", "198.51.100.1"))
    proxies.notice(request("203.0.113.7"))
    assert not warnings
    proxies.notice(request("172.18.0.5", "198.51.100.1"))
    assert warnings == {addresses.FORWARDED_FOR_IGNORED}


def test_the_minute_slides() -> None:
    """Never more than the limit in any minute; what is answered with 429 does not count."""
    clock = Clock()
    attempts = FailedAttempts(2, Proxies(), now=clock)

    def fail() -> ClarionError:
        return attempts.refusal(request("203.0.113.7"), REFUSAL)

    assert fail() is REFUSAL
    clock.now += WINDOW_S / 2
    assert fail() is REFUSAL
    assert (fail().code, fail().retry_after) == (Code.LIMITED, 31)
    clock.now += WINDOW_S / 2
    assert fail() is REFUSAL
    assert fail().code is Code.LIMITED
    assert attempts.is_spent(request("203.0.113.7"))
    assert not attempts.is_spent(request("203.0.113.8"))


def test_other_faults_do_not_count() -> None:
    """A service that is away is no failed attempt."""
    attempts = FailedAttempts(1, Proxies())
    away = ClarionError(Code.UNAVAILABLE, "away")
    for _ in range(3):
        assert attempts.refusal(request("203.0.113.7"), away) is away
    assert not attempts.is_spent(request("203.0.113.7"))


def test_no_limit() -> None:
    """0 switches it off, and remembers nothing."""
    attempts = FailedAttempts(0, Proxies())
    assert all(attempts.refusal(request("203.0.113.7"), REFUSAL) is REFUSAL for _ in range(1000))
    assert not attempts._failed


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many addresses those that failed last are remembered."""
    monkeypatch.setattr(addresses, "MAX_ADDRESSES", 10)
    attempts = FailedAttempts(1, Proxies())
    for number in range(100):
        attempts.refusal(request(f"203.0.113.{number}"), REFUSAL)
    assert len(attempts._failed) == 10
    assert attempts.refusal(request("203.0.113.99"), REFUSAL).code is Code.LIMITED
    assert attempts.refusal(request("203.0.113.0"), REFUSAL) is REFUSAL
