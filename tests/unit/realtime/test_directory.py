"""Epochs are remembered within bounds, and never longer than they are true."""

import asyncio
from collections.abc import Sequence

from services.domain import topology
from services.realtime.directory import EpochDirectory
from services.realtime.principal import Epoch, Principals
from tests.keyed import KEYED
from tests.waiting import eventually

_PRINCIPALS = Principals("a-secret-of-thirty-two-bytes-or-so")


class _Store:
    """The epochs, and how they were asked for."""

    def __init__(self) -> None:
        self.epochs: dict[tuple[str, str], Epoch] = {}
        self.asked: list[list[tuple[str, str]]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    def set_epoch(self, tenant_id: str, user_id: str, epoch: Epoch) -> None:
        self.epochs[tenant_id, KEYED.revocation(tenant_id, user_id)] = epoch

    async def find(self, users: Sequence[tuple[str, str]]) -> list[Epoch]:
        self.asked.append(list(users))
        found = [self.epochs.get(user, Epoch()) for user in users]
        await self.gate.wait()
        return found


def _key(tenant_id: str, user_id: str) -> str:
    return topology.revocation_key(tenant_id, KEYED.revocation(tenant_id, user_id))


def _name(tenant_id: str, user_id: str, epoch: Epoch) -> str:
    return _PRINCIPALS.of(tenant_id, user_id, epoch)


async def test_many_users_are_looked_up_with_few_questions_and_then_remembered() -> None:
    """The first goes alone, the rest wait for it and go together; the second time nobody is asked."""
    store = _Store()
    directory = EpochDirectory(_PRINCIPALS, store.find, KEYED)
    for _ in range(2):
        await asyncio.gather(*[directory.principal("t1", f"u{number}") for number in range(100)])
    assert len(store.asked) <= 2
    assert sum(len(users) for users in store.asked) == 100


async def test_a_raised_epoch_changes_the_name_of_its_user_alone() -> None:
    """The neighbour is still remembered."""
    store = _Store()
    directory = EpochDirectory(_PRINCIPALS, store.find, KEYED)
    before = await directory.principal("t1", "a#b,c")
    await directory.principal("t1", "other")
    store.set_epoch("t1", "a#b,c", Epoch(0, 1))
    directory.forget(_key("t1", "a#b,c"))
    after = await directory.principal("t1", "a#b,c")
    await directory.principal("t1", "other")
    assert (before, after) == (_name("t1", "a#b,c", Epoch()), _name("t1", "a#b,c", Epoch(0, 1)))
    assert store.asked.count([("t1", KEYED.revocation("t1", "other"))]) == 1


async def test_a_tenants_raised_epoch_is_all_its_users() -> None:
    """And no user of a tenant whose id begins alike."""
    store = _Store()
    directory = EpochDirectory(_PRINCIPALS, store.find, KEYED)
    for tenant_id in ("t1", "t11"):
        await directory.principal(tenant_id, "u1")
        store.set_epoch(tenant_id, "u1", Epoch(1, 0))
    directory.forget(topology.revocation_key("t1"))
    assert await directory.principal("t1", "u1") == _name("t1", "u1", Epoch(1, 0))
    assert await directory.principal("t11", "u1") == _name("t11", "u1", Epoch())


async def test_an_answer_older_than_the_announcement_is_not_remembered() -> None:
    """The epoch is raised while it is being looked up: the next one asks again."""
    store = _Store()
    directory = EpochDirectory(_PRINCIPALS, store.find, KEYED)
    store.gate.clear()
    early = asyncio.create_task(directory.principal("t1", "u1"))
    await eventually(lambda: store.asked)
    store.set_epoch("t1", "u1", Epoch(0, 1))
    directory.forget(_key("t1", "u1"))
    store.gate.set()
    await early
    assert await directory.principal("t1", "u1") == _name("t1", "u1", Epoch(0, 1))


async def test_memory_is_bounded_and_the_least_used_goes_first() -> None:
    """A tenant with millions of users costs a bounded memory."""
    store = _Store()
    directory = EpochDirectory(_PRINCIPALS, store.find, KEYED, size=2)
    for user_id in ("a", "b", "a", "c", "a", "b"):
        await directory.principal("t1", user_id)
    asked = [KEYED.revocation("t1", user_id) for user_id in ("a", "b", "c", "b")]
    assert [users[0][1] for users in store.asked] == asked


async def test_without_an_announcement_an_epoch_is_looked_up_again_in_time() -> None:
    """NATS may be away when it is raised elsewhere."""
    store, clock = _Store(), [0.0]
    directory = EpochDirectory(_PRINCIPALS, store.find, KEYED, max_age_s=60, now=lambda: clock[0])
    await directory.principal("t1", "u1")
    store.set_epoch("t1", "u1", Epoch(0, 1))
    clock[0] = 59.9
    assert await directory.principal("t1", "u1") == _name("t1", "u1", Epoch())
    clock[0] = 60.0
    assert await directory.principal("t1", "u1") == _name("t1", "u1", Epoch(0, 1))


async def test_a_token_of_a_raised_epoch_keeps_it() -> None:
    """By a keyed digest; nobody else's row is touched, and a push touches none."""
    store, used = _Store(), []
    directory = EpochDirectory(
        _PRINCIPALS, store.find, KEYED, note_use=lambda tenant_id, recipient: used.append((tenant_id, recipient))
    )
    store.set_epoch("t1", "revoked", Epoch(0, 7))
    store.set_epoch("t1", "tenant-only", Epoch(3, 0))
    await directory.principal("t1", "revoked")
    assert used == []
    for user_id in ("revoked", "tenant-only", "new"):
        issued = await directory.principal_of_token("t1", user_id)
        assert issued == await directory.principal("t1", user_id)
    assert used == [("t1", KEYED.revocation("t1", "revoked"))]
