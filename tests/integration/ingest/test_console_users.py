"""Console users: how they join, what stays true of owners, and what memberships reach."""

import asyncio

import pytest

from clarion.ingest.v1 import console_users_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from tests.integration.ingest import builders
from tests.integration.ingest.people import OWNER, PASSWORD, VIEWER, People, Pool, everywhere


@pytest.fixture
def people(pool: Pool) -> People:
    """The service."""
    return People(pool)


async def _refused(code: Code, people: People, name: str, /, **fields: object) -> ClarionError:
    with pytest.raises(ClarionError) as refused:
        await people.call(name, **fields)
    assert refused.value.code is code
    return refused.value


async def test_the_first_owner_joins_by_a_link(people: People) -> None:
    """It can be used once, and only while there is no owner; then no other one is made."""
    assert not (await people.call("GetConsoleState")).owner_exists
    earlier = await people.call("CreateOwnerLink")
    link = await people.call("CreateOwnerLink")
    await _refused(Code.UNAUTHENTICATED, people, "OpenConsoleLink", code=earlier.code)
    opened = await people.call("OpenConsoleLink", code=link.code)
    assert (opened.kind, opened.email) == (console_users_pb2.CONSOLE_LINK_KIND_FIRST_OWNER, "")
    accepted = await people.accept(link.code, email="Ada@Example.com", name="Ada")
    assert [(one.role, one.account_id, one.tenant_id) for one in accepted.user.memberships] == [(OWNER, "", "")]
    assert (await people.session(accepted.token)).user == accepted.user
    for name in ("OpenConsoleLink", "AcceptConsoleLink"):
        await _refused(Code.UNAUTHENTICATED, people, name, code=link.code)
    assert (await people.call("GetConsoleState")).owner_exists
    refusal = await _refused(Code.CONFLICT, people, "CreateOwnerLink")
    assert "--reset" in refusal.detail
    assert await people.sign_in("ada@example.COM")


async def test_two_links_make_one_first_owner(people: People) -> None:
    """Of two calls at once with one link, and of one with an older link afterwards, one succeeds."""
    link = await people.call("CreateOwnerLink")
    both = await asyncio.gather(
        *(people.accept(link.code, email=f"{name}@example.com") for name in "ab"), return_exceptions=True
    )
    failed = [one for one in both if isinstance(one, ClarionError)]
    assert [one.code for one in failed] == [Code.UNAUTHENTICATED]
    assert len((await people.call("ListConsoleUsers")).users) == 1


async def test_a_link_survives_what_is_typed_wrong(people: People) -> None:
    """Each fault is named at its field, and the link can be used afterwards."""
    link = await people.call("CreateOwnerLink")
    refusal = await _refused(
        Code.INVALID, people, "AcceptConsoleLink", code=link.code, email="nobody", password="short", name="\n\0"
    )
    assert [field for field, _ in refusal.fields] == ["email", "name", "password"]
    assert await people.accept(link.code, email="ada@example.com")


async def test_an_invited_person_sets_a_password(people: People) -> None:
    """They cannot sign in before, and a further link ends the one before it."""
    await people.first_owner()
    created = await people.invited("bob@example.com", everywhere(VIEWER))
    assert (created.user.has_password, created.user.link_expires_at_us) == (False, created.expires_at_us)
    await _refused(Code.UNAUTHENTICATED, people, "SignIn", email="bob@example.com", password=PASSWORD)
    again = await people.call("CreateConsoleLink", user_id=created.user.id)
    assert again.kind == console_users_pb2.CONSOLE_LINK_KIND_INVITATION
    await _refused(Code.UNAUTHENTICATED, people, "OpenConsoleLink", code=created.code)
    opened = await people.call("OpenConsoleLink", code=again.code)
    assert (opened.email, opened.kind) == ("bob@example.com", again.kind)
    accepted = await people.accept(again.code, name="Bob", email="somebody@else.example")
    assert (accepted.user.email, accepted.user.name, accepted.user.has_password) == ("bob@example.com", "Bob", True)
    reset = await people.call("CreateConsoleLink", user_id=created.user.id)
    assert reset.kind == console_users_pb2.CONSOLE_LINK_KIND_PASSWORD_RESET
    await people.accept(reset.code, password="another good password")
    await _refused(Code.UNAUTHENTICATED, people, "SignIn", email="bob@example.com", password=PASSWORD)
    await _refused(Code.UNAUTHENTICATED, people, "GetConsoleSession", token=accepted.token)
    assert await people.sign_in("bob@example.com", "another good password")


async def test_a_link_ends(people: People) -> None:
    """When its time is over."""
    link = await people.call("CreateOwnerLink")
    await people.pool.execute("UPDATE ingest.console_links SET expires_at = now()")
    for name in ("OpenConsoleLink", "AcceptConsoleLink"):
        await _refused(Code.UNAUTHENTICATED, people, name, code=link.code)


async def test_codes_and_tokens_are_stored_as_hashes(people: People) -> None:
    """Nobody who reads the tables can use a link, a session or a password."""
    owner = await people.first_owner()
    link = await people.call("CreateOwnerLink", email="ada@example.com")
    for table in ("console_users", "console_sessions", "console_links", "console_failures"):
        rows = str([tuple(row) for row in await people.pool.fetch(f"SELECT * FROM ingest.{table}")])
        assert rows == "[]" or not any(secret in rows for secret in (PASSWORD, owner.token, link.code))
    assert (await people.pool.fetchval("SELECT password FROM ingest.console_users")).startswith("$argon2id$")


async def test_the_last_owner_stays(people: People) -> None:
    """Not deleted, disabled or demoted, as long as nobody else is an owner who can sign in."""
    owner = (await people.first_owner()).user
    await people.invited("bob@example.com", everywhere())  # who cannot sign in yet
    await people.joined("eve@example.com", everywhere(VIEWER))
    demoted = console_users_pb2.MembershipList(memberships=[everywhere(VIEWER)])
    changes: tuple[tuple[str, dict[str, object]], ...] = (
        ("DeleteConsoleUser", {}),
        ("UpdateConsoleUser", {"disabled": True}),
        ("UpdateConsoleUser", {"memberships": demoted}),
        ("UpdateConsoleUser", {"memberships": console_users_pb2.MembershipList()}),
    )
    for name, change in changes:
        await _refused(Code.CONFLICT, people, name, user_id=owner.id, **change)
    assert await people.sign_in("ada@example.com")
    await people.joined("zoe@example.com", everywhere())
    await people.call("DeleteConsoleUser", user_id=owner.id)


async def test_two_owners_cannot_remove_each_other_at_once(people: People) -> None:
    """One of the two calls is refused."""
    first = (await people.first_owner()).user
    second = await people.joined("bob@example.com", everywhere())
    calls = (people.call("DeleteConsoleUser", user_id=one.id) for one in (first, second))
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [one.code for one in results if isinstance(one, ClarionError)] == [Code.CONFLICT]
    assert (await people.call("GetConsoleState")).owner_exists


async def test_a_disabled_user_is_out_at_once(people: People) -> None:
    """Sessions and links end, and no new ones are made until they are enabled."""
    await people.first_owner()
    bob = await people.joined("bob@example.com", everywhere(VIEWER))
    token = await people.sign_in("bob@example.com")
    reset = await people.call("CreateOwnerLink", email="bob@example.com")
    await people.call("UpdateConsoleUser", user_id=bob.id, disabled=True)
    await _refused(Code.UNAUTHENTICATED, people, "GetConsoleSession", token=token)
    await _refused(Code.UNAUTHENTICATED, people, "SignIn", email="bob@example.com", password=PASSWORD)
    await _refused(Code.UNAUTHENTICATED, people, "AcceptConsoleLink", code=reset.code, password=PASSWORD)
    await _refused(Code.CONFLICT, people, "CreateConsoleLink", user_id=bob.id)
    await _refused(Code.CONFLICT, people, "CreateOwnerLink", email="bob@example.com")
    await people.call("UpdateConsoleUser", user_id=bob.id, disabled=False)
    assert await people.sign_in("bob@example.com")


async def test_what_memberships_reach(people: People) -> None:
    """The tenants of accounts, also later ones, and single tenants; of two roles in a tenant the greater one."""
    await people.first_owner()
    mine, other, foreign = new_id(), new_id(), new_id()
    for tenant_id in (mine, other, foreign):
        await builders.insert_tenant(people.pool, tenant_id, unfinished=0)
    account = str(await people.pool.fetchval("SELECT account_id FROM ingest.tenants WHERE id = $1", mine))
    places = [
        console_users_pb2.Membership(account_id=account, role=VIEWER),
        console_users_pb2.Membership(tenant_id=mine, role=console_users_pb2.CONSOLE_ROLE_OPERATOR),
        console_users_pb2.Membership(tenant_id=other, role=console_users_pb2.CONSOLE_ROLE_DEVELOPER),
    ]
    await people.joined("bob@example.com", *places)
    later = new_id()
    await builders.insert_tenant(people.pool, later, unfinished=0)
    await people.pool.execute("UPDATE ingest.tenants SET account_id = $1 WHERE id = $2", account, later)
    session = await people.session(await people.sign_in("bob@example.com"))
    assert {one.tenant_id: one.role for one in session.tenants} == {mine: 3, other: 2, later: 1}
    unknown = console_users_pb2.Membership(tenant_id=new_id(), role=VIEWER)
    refusal = await _refused(Code.INVALID, people, "CreateConsoleUser", email="eve@example.com", memberships=[unknown])
    assert list(refusal.fields) == [("memberships", "name a tenant that does not exist")]


async def test_users_are_found_and_listed(people: People) -> None:
    """Newest first, page by page, by a part of the address or name; an address belongs to one user."""
    await people.first_owner()
    for name in ("bob", "Bobby", "eve"):
        await people.call("CreateConsoleUser", email=f"{name}@example.com", name=name.title())
    first = await people.call("ListConsoleUsers", limit=3)
    assert [one.email for one in first.users] == ["eve@example.com", "Bobby@example.com", "bob@example.com"]
    last = await people.call("ListConsoleUsers", limit=3, cursor=first.next_cursor)
    assert ([one.email for one in last.users], last.next_cursor) == (["ada@example.com"], "")
    found = await people.call("ListConsoleUsers", search="BOB")
    assert [one.name for one in found.users] == ["Bobby", "Bob"]
    assert not (await people.call("ListConsoleUsers", search="%")).users
    await _refused(Code.CONFLICT, people, "CreateConsoleUser", email="BOB@example.com")
    await _refused(Code.NOT_FOUND, people, "GetConsoleUser", user_id=new_id())
