"""The published endpoints, decrypted once, and the question to their owner."""

import asyncio

import pytest

from runtime.encryption import Vault
from runtime.ids import new_id
from runtime.parts import PartAway
from services.domain import topology
from services.domain.endpoints import POLLED, Endpoint
from services.senders.webhooks.ports import NotPublished
from tests.unit.senders.builders import TENANT, encryption_key
from tests.unit.senders.webhooks import builders
from tests.unit.senders.webhooks.builders import Published
from tests.waiting import eventually


class _CountingVault(Vault):
    decrypted = 0

    def decrypt(self, ciphertext: bytes, *, context: str) -> bytes:
        self.decrypted += 1
        return super().decrypt(ciphertext, context=context)


async def test_an_endpoint_is_decrypted_once_for_each_published_value() -> None:
    """Secret, headers and password, at the first use."""
    vault = _CountingVault(encryption_key())
    published = Published(vault)
    one = builders.endpoint(vault, headers={"x-a": "b"}, auth="ada:secret")
    published.put(one)
    assert vault.decrypted == 0
    for _ in range(3):
        opened = await published.directory.endpoint(TENANT, one.id)
        assert opened is not None
        assert opened.keys[0].key == b"n" * 24
        assert b"x-a: b\r\n" in opened.head
    assert vault.decrypted == 3
    published.put(builders.endpoint(vault, "https://other.example/", id=one.id))
    opened = await published.directory.endpoint(TENANT, one.id)
    assert opened is not None
    assert opened.address is not None
    assert opened.address.host == "other.example"
    assert vault.decrypted == 4
    assert published.owner.asked == []


async def test_another_tenant_does_not_have_it() -> None:
    """Not even if it knows the id."""
    published = Published()
    id_ = published.put(builders.endpoint(published.vault))
    other = new_id()
    assert await published.directory.endpoint(other, id_) is None
    assert published.owner.asked == [(other, id_)]


async def test_one_that_is_gone_is_asked_for_once() -> None:
    """Many deliveries may be under way to it."""
    published = Published()
    one = builders.endpoint(published.vault)
    published.put(one)
    published.delete(one.id)
    assert [await published.directory.endpoint(TENANT, one.id) for _ in range(3)] == [None] * 3
    assert published.owner.asked == [(TENANT, one.id)]


async def test_one_that_was_created_a_moment_ago_is_waited_for() -> None:
    """The owner has it, and what it publishes is on its way."""
    published = Published()
    one = builders.endpoint(published.vault)
    published.owner.endpoints.add((TENANT, one.id))
    found = [asyncio.create_task(published.directory.endpoint(TENANT, one.id)) for _ in range(3)]
    await eventually(lambda: len(published.owner.asked) == 3)
    published.put(one)
    assert all([await task for task in found])


async def test_it_may_be_published_while_the_owner_is_asked() -> None:
    """That is not missed."""
    published = Published()
    one = builders.endpoint(published.vault)
    published.owner.endpoints.add((TENANT, one.id))

    async def publish() -> None:
        published.put(one)

    published.owner.on_question = publish
    assert await published.directory.endpoint(TENANT, one.id) is not None


async def test_one_that_is_not_published_in_time() -> None:
    """The delivery waits; later the endpoint is asked for once more."""
    published = Published(arrival_s=0.001)
    id_ = new_id()
    published.owner.endpoints.add((TENANT, id_))
    for _ in range(2):
        with pytest.raises(NotPublished):
            await published.directory.endpoint(TENANT, id_)
    assert len(published.owner.asked) == 2
    assert published.directory._arrivals == {}


async def test_the_owner_is_away() -> None:
    """Then nothing is taken for gone."""
    published = Published()
    published.owner.away = True
    with pytest.raises(PartAway):
        await published.directory.endpoint(TENANT, new_id())
    assert published.directory._arrivals == {}


async def test_what_cannot_be_read() -> None:
    """A form of a later version is waited for; what no key decrypts is told, and says nothing of the rest."""
    published = Published()
    id_ = new_id()
    published.watch.put(topology.endpoint_key(TENANT, id_), b'{"id": 7}')
    with pytest.raises(NotPublished):
        await published.directory.endpoint(TENANT, id_)
    other = Vault(encryption_key())
    old = published.put(builders.endpoint(published.vault, secrets=(builders.sealed(other, builders.SECRET, "x"),)))
    opened = await published.directory.endpoint(TENANT, old)
    assert opened is not None
    assert (opened.is_readable, [key.key for key in opened.keys]) == (True, [None])
    opened = await published.directory.endpoint(TENANT, published.put(builders.endpoint(other, auth="a:b")))
    assert opened is not None
    assert (opened.is_readable, opened.address, opened.head) == (False, None, b"")


async def test_addresses() -> None:
    """One that cannot be called has a sentence; one that is polled has none."""
    published = Published()
    opened = await published.directory.endpoint(
        TENANT, published.put(builders.endpoint(published.vault, "ftp://a.example/"))
    )
    assert opened is not None
    assert (opened.address, opened.refusal[:25]) == (None, "This is not a web address")
    polled: Endpoint = builders.endpoint(published.vault, "", mode=POLLED)
    opened = await published.directory.endpoint(TENANT, published.put(polled))
    assert opened is not None
    assert (opened.address, opened.refusal) == (None, "")


async def test_hidden_values_are_those_that_are_secret() -> None:
    """The longest first, so that none hides a part of another one; short ones would hide any text."""
    published = Published()
    one = builders.endpoint(published.vault, headers={"a": "abcdefgh", "b": "abcdef", "c": "abc"}, auth="ada:secret")
    opened = await published.directory.endpoint(TENANT, published.put(one))
    assert opened is not None
    assert opened.hidden == ("YWRhOnNlY3JldA==", "abcdefgh", "abcdef", "secret")
