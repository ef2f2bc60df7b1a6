"""Whom an event for endpoints is for: those that subscribe, the one that is named, and what is wrong with each."""

import asyncio
from dataclasses import dataclass, field

import pytest

from runtime.encryption import Vault
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.domain import topology
from services.domain.endpoints import SLACK, State
from services.ingest.endpoints.directory import Failure
from services.ingest.endpoints.ports import OwnedEndpoint
from services.ingest.memo import Memo
from services.ingest.published import MAX_GIVEN_UP, PATIENCE_S
from tests.unit.ingest.endpoints_published import MARKER, TYPE, Published
from tests.unit.senders.builders import encryption_key

FULL = State(full=True)


async def reasons(published: Published) -> dict[str, str]:
    """Return the endpoints that fail, with the reason of each."""
    found = await published.directory.subscribers(published.tenant_id, TYPE, "")
    assert all(failure.detail for failure in found.failures)
    return {failure.endpoint_id: failure.reason for failure in found.failures}


async def refused(published: Published, endpoint_id: str, scope: str = "") -> Code:
    """Return why nothing can be sent to a named endpoint."""
    with pytest.raises(ClarionError) as caught:
        await published.directory.check_named(published.tenant_id, endpoint_id, scope)
    return caught.value.code


async def test_those_that_subscribe_get_it_in_their_order() -> None:
    """Without a scope in all scopes; of another type, or another tenant, nobody."""
    published = Published()
    ids = [published.endpoint() for _ in range(3)]
    published.subscribe(*reversed(ids))
    found = await published.directory.subscribers(published.tenant_id, TYPE, "")
    assert (found.endpoint_ids, found.failures) == (ids[::-1], ())
    for tenant_id, event_type in ((published.tenant_id, "other"), (new_id(), TYPE)):
        assert await published.directory.subscribers(tenant_id, event_type, "") == ([], ())


async def test_a_scope_has_its_own_endpoints() -> None:
    """Those of other scopes neither get it nor fail."""
    published = Published()
    endpoint_id = published.endpoint(published.test)
    published.state(endpoint_id, FULL)
    published.subscribe(endpoint_id, scope=published.test)
    assert await published.directory.subscribers(published.tenant_id, TYPE, published.live) == ([], ())
    found = await published.directory.subscribers(published.tenant_id, TYPE, published.test)
    assert [failure.endpoint_id for failure in found.failures] == [endpoint_id]


async def test_each_failure_is_one_endpoints() -> None:
    """A full backlog, a secret of another key, and values that cannot be read: the others get the event."""
    published = Published()
    good, slack, full, sealed, unsigned, broken, stateless = [published.endpoint() for _ in range(7)]
    published.state(full, FULL)
    published.endpoint(endpoint_id=sealed, vault=Vault(encryption_key()))
    published.endpoint(endpoint_id=slack, kind=SLACK, secrets=())
    published.endpoint(endpoint_id=unsigned, secrets=())
    published.copy.put(topology.endpoint_key(published.tenant_id, broken), b"{")
    published.state(stateless, b"[]")
    published.subscribe(good, slack, full, sealed, unsigned, broken, stateless)
    expected = {
        full: "endpoint_backlog_full",
        sealed: "secret_unreadable",
        unsigned: "secret_unreadable",
        broken: "internal_error",
        stateless: "internal_error",
    }
    assert await reasons(published) == expected
    found = await published.directory.subscribers(published.tenant_id, TYPE, "")
    assert found.endpoint_ids == [good, slack]
    assert isinstance(found.failures[0], Failure)


async def test_an_endpoint_that_recovers_gets_events_again() -> None:
    """Its state goes, and its secret is made anew."""
    published = Published()
    full, sealed = published.endpoint(), published.endpoint(vault=Vault(encryption_key()))
    published.state(full, FULL)
    published.subscribe(full, sealed)
    assert set(await reasons(published)) == {full, sealed}
    published.state(full, None)
    published.endpoint(endpoint_id=sealed)
    assert await reasons(published) == {}


async def test_a_secret_is_opened_once_for_each_value() -> None:
    """Not for each event."""
    published = Published()
    published.subscribe(published.endpoint(), published.endpoint())
    opened: list[str] = []
    decrypt = published.vault.decrypt

    def noted(ciphertext: bytes, *, context: str) -> bytes:
        opened.append(context)
        return decrypt(ciphertext, context=context)

    published.vault.decrypt = noted  # type: ignore[method-assign]
    for _ in range(3):
        assert await reasons(published) == {}
    assert len(opened) == 2


async def test_an_endpoint_that_the_copy_does_not_have_yet_gets_its_events() -> None:
    """Whoever sends knows whether it still exists."""
    published = Published()
    endpoint_id = new_id()
    published.subscribe(endpoint_id)
    assert (await published.directory.subscribers(published.tenant_id, TYPE, "")).endpoint_ids == [endpoint_id]


async def test_nobody_subscribes_only_when_that_is_known() -> None:
    """While the bucket is made again: UNAVAILABLE. A list that cannot be read: INTERNAL."""
    published = Published()
    published.copy.put(MARKER, None)
    with pytest.raises(ClarionError) as caught:
        await published.directory.subscribers(published.tenant_id, TYPE, "")
    assert caught.value.code is Code.UNAVAILABLE
    published.subscribe(published.endpoint())
    assert (await published.directory.subscribers(published.tenant_id, TYPE, "")).endpoint_ids
    published.copy.put(topology.subscribers_key(published.tenant_id, TYPE), b"{}")
    with pytest.raises(ClarionError) as caught:
        await published.directory.subscribers(published.tenant_id, TYPE, "")
    assert caught.value.code is Code.INTERNAL


async def test_a_named_endpoint_must_take_the_event() -> None:
    """Its scope, whether it is active, its backlog, its secret."""
    published = Published()
    good = published.endpoint()
    for scope in ("", published.live):
        await published.directory.check_named(published.tenant_id, good, scope)
    assert await refused(published, good, published.test) is Code.NOT_FOUND
    assert await refused(published, published.endpoint(active=False)) is Code.CONFLICT
    assert await refused(published, published.endpoint(vault=Vault(encryption_key()))) is Code.INTERNAL
    broken = published.endpoint()
    published.copy.put(topology.endpoint_key(published.tenant_id, broken), b"{}")
    assert await refused(published, broken) is Code.INTERNAL
    published.state(good, FULL)
    assert await refused(published, good) is Code.LIMITED
    assert published.owner.asked == []


async def test_an_unknown_endpoint_is_asked_for() -> None:
    """What its owner says counts; while that is away nobody can tell."""
    published = Published()
    key = (published.tenant_id, new_id())
    assert await refused(published, key[1]) is Code.NOT_FOUND
    published.owner.known[key] = OwnedEndpoint(published.live, active=True)
    await published.directory.check_named(*key, published.live)
    assert await refused(published, key[1], published.test) is Code.NOT_FOUND
    published.owner.known[key] = OwnedEndpoint(published.live, active=False)
    assert await refused(published, key[1]) is Code.CONFLICT
    published.owner.away = True
    assert await refused(published, key[1]) is Code.UNAVAILABLE
    known = published.endpoint()
    await published.directory.check_named(published.tenant_id, known, "")


async def test_an_event_waits_for_the_revision_that_its_caller_knows() -> None:
    """What is published meanwhile counts."""
    published = Published()
    published.subscribe()
    published.copy.put("others", b"")
    new = published.copy.revision + 2  # an endpoint, and who subscribes
    asked = asyncio.create_task(published.directory.subscribers(published.tenant_id, TYPE, "", new))
    await asyncio.sleep(0)
    endpoint_id = published.endpoint()
    assert not asked.done()
    published.subscribe(endpoint_id)
    assert (await asked).endpoint_ids == [endpoint_id]


@dataclass
class NeverReached:
    """Stands for a copy that no revision reaches. waited: the revisions that were asked for, with their deadlines."""

    waited: list[tuple[int, float]] = field(default_factory=list)

    async def reached(self, revision: int, deadline_s: float) -> bool:
        """Return False after the deadline."""
        self.waited.append((revision, deadline_s))
        await asyncio.sleep(deadline_s)
        return False


async def test_a_revision_that_never_comes_is_waited_for_once() -> None:
    """The first event waits its moment; those after it do not. A smaller one of another tenant is waited for, too."""
    published, copy = Published(), NeverReached()
    published.copy.reached = copy.reached  # type: ignore[method-assign]
    for revision in (0, 1000, 1000, 999, 1001, 999):
        await published.directory.subscribers(published.tenant_id, TYPE, "", revision)
    assert [revision for revision, _ in copy.waited] == [1000, 999, 1001]
    assert all(deadline_s == PATIENCE_S for _, deadline_s in copy.waited)


async def test_a_bucket_that_was_made_again_is_waited_for() -> None:
    """The revisions of a new bucket start at 1: an old, higher one that never comes must not hide them."""
    published, copy = Published(), NeverReached()
    waits, published.copy.reached = published.copy.reached, copy.reached  # type: ignore[method-assign]
    await published.directory.subscribers(published.tenant_id, TYPE, "", 1_000_000)
    published.copy.reached = waits  # type: ignore[method-assign]
    asked = asyncio.create_task(
        published.directory.subscribers(published.tenant_id, TYPE, "", published.copy.revision + 2)
    )
    await asyncio.sleep(0)
    endpoint_id = published.endpoint()
    published.subscribe(endpoint_id)
    assert (await asked).endpoint_ids == [endpoint_id]


async def test_the_revisions_that_are_remembered_are_bounded() -> None:
    """The oldest one goes, and is waited for again."""
    published, copy = Published(), NeverReached()
    published.copy.reached = copy.reached  # type: ignore[method-assign]
    revisions = range(1, MAX_GIVEN_UP + 2)
    await asyncio.gather(
        *[published.directory.subscribers(published.tenant_id, TYPE, "", revision) for revision in revisions]
    )
    for revision in (2, 1):
        await published.directory.subscribers(published.tenant_id, TYPE, "", revision)
    assert [revision for revision, _ in copy.waited] == [*revisions, 1]


def test_a_memo_is_bounded() -> None:
    """It computes once for each value, and forgets everything when it holds too much."""
    asked: list[str] = []

    def compute(key: str, raw: bytes) -> bytes:
        asked.append(key)
        return raw

    memo: Memo[bytes] = Memo(compute, most=10, weight=len)
    small, other, large = b"1234", b"123456", bytes(11)
    for _ in range(2):
        assert memo.of("small", small) is small
        assert memo.of("other", other) is other
    assert asked == ["small", "other"]
    assert memo.of("small", bytes(bytearray(b"12345"))) == b"12345"
    assert asked == ["small", "other", "small"]
    memo.of("other", other)
    assert asked == ["small", "other", "small", "other"]
    memo.of("large", large)
    memo.of("large", large)
    assert asked[4:] == ["large", "large"]
