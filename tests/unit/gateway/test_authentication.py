"""Keys: asked for once, remembered for seconds, never believed longer."""

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from clarion.ingest.v1 import ingest_pb2
from gateway import authentication
from gateway.addresses import FailedAttempts, Proxies
from gateway.authentication import TTL_S, CachedAuthenticator
from runtime.errors import ClarionError, Code
from tests.waiting import eventually


class Ingest:
    """What ingest would say, and how often it was asked."""

    def __init__(self) -> None:
        self.tenants = {"good": "tenant-1"}
        self.kind = ""  # as the previous version answers
        self.scopes: list[str] = []
        self.expires_at_us = 0
        self.disabled = False
        self.asked: list[str] = []
        self.fault: ClarionError | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, key: str) -> ingest_pb2.AuthenticateResponse:
        """Answer, once the gate is open."""
        self.asked.append(key)
        await self.gate.wait()
        if self.fault is not None:
            raise self.fault
        if key not in self.tenants:
            raise ClarionError(Code.UNAUTHENTICATED, "no")
        return ingest_pb2.AuthenticateResponse(
            tenant_id=self.tenants[key],
            tenant_name="Acorn",
            kind=self.kind,
            scopes=self.scopes,
            expires_at_us=self.expires_at_us,
            key_id="key-1",
            disabled=self.disabled,
            endpoint_ids=["e1"],
            max_payload_bytes=2000,
        )


class Clock:
    """A time that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return it."""
        return self.now


def request(address: str = "203.0.113.7") -> web.Request:
    """Return a request from an address."""
    made: web.Request = make_mocked_request("POST", "/").clone(remote=address)
    return made


def unlimited() -> FailedAttempts:
    """Return a count without a limit."""
    return FailedAttempts(0, Proxies())


async def refused(authenticator: CachedAuthenticator, key: str) -> Code:
    """Return why a key is not taken."""
    with pytest.raises(ClarionError) as caught:
        await authenticator.tenant(request(), key)
    return caught.value.code


async def test_the_kind_of_a_key_is_known_without_taking_it() -> None:
    """For a path that keys of several kinds open: whoever is meant takes the key, and counts what fails."""
    ingest, attempts = Ingest(), FailedAttempts(1, Proxies())
    ingest.kind = "other"
    authenticator = CachedAuthenticator(ingest, attempts, now=Clock())
    assert await authenticator.kind_of(request(), "good") == "other"
    assert [await authenticator.kind_of(request(), key) for key in ("wrong", "", "two words")] == ["", "", ""]
    ingest.fault = ClarionError(Code.UNAVAILABLE, "away")
    assert await authenticator.kind_of(request(), "another") == ""
    assert not attempts.is_spent(request())
    assert ingest.asked == ["good", "wrong", "another"]


async def test_a_key_is_asked_for_once_in_a_while() -> None:
    """Within the time to live the answer comes from memory, afterwards from ingest."""
    ingest, clock = Ingest(), Clock()
    authenticator = CachedAuthenticator(ingest, unlimited(), now=clock)
    assert (await authenticator.tenant(request(), "good")).id == "tenant-1"
    assert (await authenticator.tenant(request(), "good")).name == "Acorn"
    assert len(ingest.asked) == 1
    clock.now += TTL_S
    await authenticator.tenant(request(), "good")
    assert len(ingest.asked) == 2


async def test_a_revoked_key_ends_within_the_time_to_live() -> None:
    """What ingest no longer knows is refused after the memory of it ends."""
    ingest, clock = Ingest(), Clock()
    authenticator = CachedAuthenticator(ingest, unlimited(), now=clock)
    await authenticator.tenant(request(), "good")
    del ingest.tenants["good"]
    clock.now += TTL_S
    assert await refused(authenticator, "good") is Code.UNAUTHENTICATED


async def test_an_unknown_key_is_remembered_too() -> None:
    """Guessing costs ingest one question a key and a while."""
    ingest = Ingest()
    authenticator = CachedAuthenticator(ingest, unlimited(), now=Clock())
    for _ in range(3):
        assert await refused(authenticator, "wrong") is Code.UNAUTHENTICATED
    assert ingest.asked == ["wrong"]


async def test_a_fault_is_not_remembered() -> None:
    """Ingest being away says nothing about a key."""
    ingest = Ingest()
    authenticator = CachedAuthenticator(ingest, unlimited(), now=Clock())
    ingest.fault = ClarionError(Code.UNAVAILABLE, "away")
    assert await refused(authenticator, "good") is Code.UNAVAILABLE
    ingest.fault = None
    assert (await authenticator.tenant(request(), "good")).id == "tenant-1"


async def test_many_at_once_ask_once() -> None:
    """A burst with a fresh key is one question; a caller that leaves does not take the answer with it."""
    ingest = Ingest()
    ingest.gate.clear()
    authenticator = CachedAuthenticator(ingest, unlimited(), now=Clock())
    waiting = [asyncio.create_task(authenticator.tenant(request(), "good")) for _ in range(100)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    ingest.gate.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert all(isinstance(tenant, authentication.AuthenticatedTenant) for tenant in results[1:])
    assert ingest.asked == ["good"]


@pytest.mark.parametrize("key", ["", " ", "a b", "k" * 257, "schlüssel", "a\n"])
async def test_what_cannot_be_a_key_is_not_asked_for(key: str) -> None:
    """Missing and malformed keys cost nothing."""
    ingest = Ingest()
    assert await refused(CachedAuthenticator(ingest, unlimited()), key) is Code.UNAUTHENTICATED
    assert ingest.asked == []


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of guesses neither grows the memory nor pushes out known keys."""
    monkeypatch.setattr(authentication, "MAX_REMEMBERED", 10)
    ingest = Ingest()
    authenticator = CachedAuthenticator(ingest, unlimited(), now=Clock())
    await authenticator.tenant(request(), "good")
    for number in range(50):
        await refused(authenticator, f"guess-{number}")
    await authenticator.tenant(request(), "good")
    assert ingest.asked.count("good") == 1
    assert len(authenticator._unknown) == 10


async def test_a_changed_tenant_is_asked_for_anew() -> None:
    """After a change through this gateway, no old answer stands."""
    ingest = Ingest()
    authenticator = CachedAuthenticator(ingest, unlimited(), now=Clock())
    await authenticator.tenant(request(), "good")
    await refused(authenticator, "revived")
    ingest.tenants = {"revived": "tenant-1"}
    authenticator.forget("tenant-1")
    assert await refused(authenticator, "good") is Code.UNAUTHENTICATED
    assert (await authenticator.tenant(request(), "revived")).id == "tenant-1"


async def test_keys_are_kept_nowhere() -> None:
    """Memory holds digests."""
    authenticator = CachedAuthenticator(Ingest(), unlimited(), now=Clock())
    await authenticator.tenant(request(), "good")
    assert "good" not in repr(vars(authenticator))


async def test_a_valid_key_is_always_let_in() -> None:
    """After any number of bad keys from its address; only the bad ones are answered with LIMITED."""
    ingest, clock = Ingest(), Clock()
    authenticator = CachedAuthenticator(ingest, FailedAttempts(3, Proxies(), now=clock), now=clock)
    codes = [await refused(authenticator, f"guess-{number}") for number in range(5)]
    assert codes == [Code.UNAUTHENTICATED] * 3 + [Code.LIMITED] * 2
    assert (await authenticator.tenant(request(), "good")).id == "tenant-1"
    ingest.tenants["new"] = "tenant-2"
    assert (await authenticator.tenant(request(), "new")).id == "tenant-2"
    assert await refused(authenticator, "guess-5") is Code.LIMITED
    clock.now += 60
    assert await refused(authenticator, "guess-6") is Code.UNAUTHENTICATED


async def test_guesses_stand_behind_the_others() -> None:
    """Of an address that is past its limit few keys are asked for at a time; the others' never wait for them."""
    ingest = Ingest()
    authenticator = CachedAuthenticator(ingest, FailedAttempts(1, Proxies()), now=Clock())
    await refused(authenticator, "guess")
    ingest.gate.clear()
    guesses = [asyncio.create_task(refused(authenticator, f"guess-{number}")) for number in range(100)]
    await asyncio.sleep(0)
    valid = asyncio.create_task(authenticator.tenant(request("198.51.100.1"), "good"))
    await eventually(lambda: "good" in ingest.asked)
    assert len(ingest.asked) == 1 + authentication.MAX_GUESSES + 1
    ingest.gate.set()
    assert (await valid).id == "tenant-1"
    assert await asyncio.gather(*guesses) == [Code.LIMITED] * 100


async def test_a_key_that_was_revoked_is_like_any_other() -> None:
    """It was good before, but is no more: its failures count."""
    ingest, clock = Ingest(), Clock()
    authenticator = CachedAuthenticator(ingest, FailedAttempts(1, Proxies(), now=clock), now=clock)
    await authenticator.tenant(request(), "good")
    ingest.tenants.clear()
    clock.now += TTL_S
    assert await refused(authenticator, "good") is Code.UNAUTHENTICATED
    assert await refused(authenticator, "good") is Code.LIMITED


async def test_a_key_is_not_believed_past_its_end() -> None:
    """Neither for the rest of the time to live, nor once more."""
    ingest, clock = Ingest(), Clock()
    ingest.expires_at_us = 1_000_500_000
    authenticator = CachedAuthenticator(
        ingest, unlimited(), now=clock, wall_clock=lambda: 1_000_000_000 + round((clock.now - 100) * 1_000_000)
    )
    await authenticator.tenant(request(), "good")
    clock.now += 0.4
    await authenticator.tenant(request(), "good")
    assert len(ingest.asked) == 1
    ingest.tenants.clear()  # as ingest says from the key's end on
    clock.now += 0.1
    assert await refused(authenticator, "good") is Code.UNAUTHENTICATED


async def test_a_key_that_never_ends_is_believed_for_the_time_to_live() -> None:
    """As is one that ends later."""
    for expires_at_us in (0, 2**62):
        ingest, clock = Ingest(), Clock()
        ingest.expires_at_us = expires_at_us
        authenticator = CachedAuthenticator(ingest, unlimited(), now=clock, wall_clock=lambda: 1_000_000_000)
        for _ in range(2):
            await authenticator.tenant(request(), "good")
            clock.now += TTL_S - 0.1
        assert len(ingest.asked) == 1


async def test_a_key_of_another_kind_is_unknown() -> None:
    """An API takes the keys of its kind; a refusal does not say that the key is another API's."""
    ingest = Ingest()
    ingest.kind, ingest.scopes = "inbox", ["live"]
    authenticator = CachedAuthenticator(ingest, unlimited(), now=Clock())
    assert await refused(authenticator, "good") is Code.UNAUTHENTICATED
    tenant = await authenticator.tenant(request(), "good", "inbox")
    assert (tenant.kind, tenant.scopes) == ("inbox", ("live",))
    assert ingest.asked == ["good"]


async def test_what_a_dialect_learns_of_a_key() -> None:
    """Its id, its endpoints, and how much an event may carry."""
    authenticator = CachedAuthenticator(Ingest(), unlimited(), now=Clock())
    tenant = await authenticator.tenant(request(), "good")
    assert (tenant.key_id, tenant.endpoint_ids, tenant.max_payload_bytes) == ("key-1", ("e1",), 2000)
    assert not tenant.disabled


async def test_a_disabled_key_is_refused_unless_its_caller_asks_for_it() -> None:
    """From memory, too. Some APIs tell it apart from an unknown key, and the others do not."""
    ingest = Ingest()
    ingest.disabled = True
    authenticator = CachedAuthenticator(ingest, unlimited(), now=Clock())
    assert await refused(authenticator, "good") is Code.UNAUTHENTICATED
    assert (await authenticator.tenant(request(), "good", disabled_too=True)).disabled
    assert await refused(authenticator, "good") is Code.UNAUTHENTICATED
    assert ingest.asked == ["good"]
