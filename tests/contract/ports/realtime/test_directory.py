"""ports.PrincipalDirectory: a user's name at the hub, which changes when it is revoked."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from nats.aio.client import Client

from runtime.errors import ClarionError, Code
from services.domain import topology
from services.realtime.directory import EpochDirectory
from services.realtime.ports import PrincipalDirectory
from services.realtime.principal import Principals
from services.realtime.store import EpochStore
from tests.contract.ports.conftest import Pool
from tests.fakes.realtime import MemoryDirectory
from tests.integration.outboxes import PatientOutbox
from tests.keyed import KEYED

_USERS = [("t1", "u1"), ("t1", "u2"), ("t2", "u1"), ("t1", "u1,t2"), ("t1,u1", "t2"), ("t1", "a#b"), ("t1", "ü")]


@dataclass
class Subject:
    """An implementation, and the world around it."""

    directory: PrincipalDirectory
    # Revokes a user's name, or (no user) those of a whole tenant.
    revoke: Callable[[str, str], Awaitable[None]]
    go_away: Callable[[], None]

    async def names(self) -> dict[tuple[str, str], str]:
        """Return everybody's."""
        return {user: await self.directory.principal(*user) for user in _USERS}


def _fake() -> Subject:
    directory = MemoryDirectory()

    async def revoke(tenant_id: str, user_id: str) -> None:
        directory.revoke(tenant_id, user_id)

    def go_away() -> None:
        directory.away = True

    return Subject(directory, revoke, go_away)


def _real(pool: Pool, connection: Client) -> Subject:
    store = EpochStore(pool, PatientOutbox(pool, "realtime", connection))
    directory = EpochDirectory(Principals("a-secret-of-thirty-two-bytes-or-so"), store.find, KEYED)

    async def revoke(tenant_id: str, user_id: str) -> None:
        recipient = KEYED.revocation(tenant_id, user_id) if user_id else ""
        await store.raise_epoch(tenant_id, recipient)
        directory.forget(topology.revocation_key(tenant_id, recipient))  # as the configuration's watch announces it

    return Subject(directory, revoke, pool.terminate)


@pytest.fixture(params=["fake", "real"])
def subject(request: pytest.FixtureRequest) -> Subject:
    """Each implementation."""
    if request.param == "fake":
        return _fake()
    return _real(request.getfixturevalue("pool"), request.getfixturevalue("connection"))


async def test_each_user_of_each_tenant_has_a_name_of_their_own(subject: Subject) -> None:
    """The same whenever it is asked for, whatever their ids spell together."""
    names = await subject.names()
    assert len(set(names.values())) == len(_USERS)
    assert await subject.names() == names


async def test_a_revoked_user_has_a_new_name(subject: Subject) -> None:
    """Each time; nobody else's changes."""
    before = await subject.names()
    await subject.revoke("t1", "u1")
    after = await subject.names()
    assert {user for user in _USERS if before[user] != after[user]} == {("t1", "u1")}
    await subject.revoke("t1", "u1")
    assert (await subject.names())["t1", "u1"] not in {before["t1", "u1"], after["t1", "u1"]}


async def test_a_revoked_tenants_users_have_new_names(subject: Subject) -> None:
    """All of its own, and no other's."""
    before = await subject.names()
    await subject.revoke("t1", "")
    after = await subject.names()
    assert {user for user in _USERS if before[user] != after[user]} == {user for user in _USERS if user[0] == "t1"}


async def test_a_store_that_is_away(subject: Subject) -> None:
    """UNAVAILABLE: a name that may be revoked is not used."""
    subject.go_away()
    with pytest.raises(ClarionError) as away:
        await subject.directory.principal("t1", "u1")
    assert away.value.code is Code.UNAVAILABLE
