"""Sessions of console users: their ends, and how sign-ins are refused."""

import asyncio

import pytest

from clarion.ingest.v1 import console_users_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.ingest.console_users.person import Client
from services.ingest.console_users.sessions.store import MAX_FAILURES, MAX_FAILURES_OF_PAIR, MAX_SESSIONS, SessionStore
from services.ingest.console_users.store import ConsoleUserStore
from tests.integration.ingest.people import PASSWORD, VIEWER, People, Pool, client, everywhere


@pytest.fixture
async def people(pool: Pool) -> People:
    """The service, with Ada, the owner."""
    made = People(pool)
    await made.first_owner()
    return made


async def _refusal(people: People, name: str, /, **fields: object) -> ClarionError:
    with pytest.raises(ClarionError) as refused:
        await people.call(name, **fields)
    return refused.value


async def _fail(people: People, email: str = "ada@example.com", address: str = "192.0.2.1") -> ClarionError:
    return await _refusal(people, "SignIn", email=email, password="wrong password", client=client(address))


@pytest.mark.parametrize(
    "change", ["last_seen_at = now() - interval '24 hours'", "ends_at = now()"], ids=["unused", "old"]
)
async def test_a_session_ends(people: People, change: str) -> None:
    """When it was not used for a day, and after a while however much it is used."""
    token = await people.sign_in("ada@example.com")
    assert (await people.session(token)).user.email == "ada@example.com"
    await people.pool.execute(f"UPDATE ingest.console_sessions SET {change}")
    assert (await _refusal(people, "GetConsoleSession", token=token)).code is Code.UNAUTHENTICATED
    ada = (await people.call("ListConsoleUsers")).users[0].id
    assert not (await people.call("ListConsoleSessions", user_id=ada)).sessions


async def test_a_session_that_is_used_goes_on(people: People) -> None:
    """Its use is noted, but not with every call."""
    token = await people.sign_in("ada@example.com")
    await people.pool.execute("UPDATE ingest.console_sessions SET last_seen_at = now() - interval '23 hours'")
    first = (await people.session(token)).session
    second = (await people.session(token)).session
    third = (await people.session(token)).session
    assert first.expires_at_us < second.expires_at_us == third.expires_at_us <= second.ends_at_us


async def test_an_unattended_page_does_not_keep_a_session(people: People) -> None:
    """It learns whether the session goes on, and that is no use of it."""
    token = await people.sign_in("ada@example.com")
    await people.pool.execute("UPDATE ingest.console_sessions SET last_seen_at = now() - interval '23 hours'")
    asked = [(await people.call("GetConsoleSession", token=token, unattended=True)).session for _ in range(3)]
    assert len({one.expires_at_us for one in asked}) == 1
    await people.session(token)
    assert (await people.session(token)).session.expires_at_us > asked[0].expires_at_us


async def test_sessions_are_listed_and_revoked(people: People) -> None:
    """One by one, or all of a user; nobody else's."""
    bob = await people.joined("bob@example.com", everywhere(VIEWER))
    tokens = [await people.sign_in("bob@example.com", address=f"192.0.2.{n}") for n in range(3)]
    listed = (await people.call("ListConsoleSessions", user_id=bob.id)).sessions
    assert {one.address for one in listed} >= {"192.0.2.0", "192.0.2.2"}
    assert listed[0].user_agent == "a browser"
    first = (await people.session(tokens[0])).session
    ada = await people.session(await people.sign_in("ada@example.com"))
    foreign = {"user_id": ada.user.id, "session_id": first.id}
    assert (await _refusal(people, "RevokeConsoleSessions", **foreign)).code is Code.NOT_FOUND
    await people.call("RevokeConsoleSessions", user_id=bob.id, session_id=first.id)
    assert (await _refusal(people, "GetConsoleSession", token=tokens[0])).code is Code.UNAUTHENTICATED
    await people.call("EndConsoleSession", token=tokens[1])
    await people.call("EndConsoleSession", token=tokens[1])
    await people.call("RevokeConsoleSessions", user_id=bob.id)
    assert (await _refusal(people, "GetConsoleSession", token=tokens[2])).code is Code.UNAUTHENTICATED
    assert not (await people.call("ListConsoleSessions", user_id=bob.id)).sessions


async def test_a_user_has_a_bounded_number_of_sessions(people: People) -> None:
    """The one that was unused for the longest time ends."""
    oldest = await people.sign_in("ada@example.com")
    await people.pool.execute("UPDATE ingest.console_sessions SET last_seen_at = now() - interval '1 hour'")
    for _ in range(MAX_SESSIONS):
        newest = await people.sign_in("ada@example.com")
    assert await people.session(newest)
    assert (await _refusal(people, "GetConsoleSession", token=oldest)).code is Code.UNAUTHENTICATED
    assert await people.pool.fetchval("SELECT count(*) FROM ingest.console_sessions") == MAX_SESSIONS


async def test_a_refusal_says_nothing_of_who_exists(people: People) -> None:
    """An unknown address, a wrong password, a user without one and a disabled user are answered alike."""
    await people.invited("invited@example.com")
    gone = await people.joined("gone@example.com")
    await people.call("UpdateConsoleUser", user_id=gone.id, disabled=True)
    refusals = [
        await _refusal(people, "SignIn", email=email, password=PASSWORD, client=client())
        for email in ("nobody@example.com", "invited@example.com", "gone@example.com")
    ]
    refusals.append(await _fail(people))
    assert {(one.code, one.detail) for one in refusals} == {(Code.UNAUTHENTICATED, refusals[0].detail)}


@pytest.mark.parametrize("email", ["ada@example.com", "nobody@example.com"])
async def test_guesses_from_one_address_are_bounded(people: People, email: str) -> None:
    """Also of an address that nobody has. From elsewhere the person signs in, and after a while from here."""
    for _ in range(MAX_FAILURES_OF_PAIR):
        assert (await _fail(people, email)).code is Code.UNAUTHENTICATED
    limited = await _refusal(people, "SignIn", email=email.upper(), password=PASSWORD, client=client())
    assert (limited.code, limited.retry_after > 0) == (Code.LIMITED, True)
    assert await people.sign_in("ada@example.com", address="198.51.100.7")
    await people.pool.execute("UPDATE ingest.console_failures SET began_at = now() - interval '15 minutes'")
    assert (await _fail(people, email)).code is Code.UNAUTHENTICATED
    assert await people.sign_in("ada@example.com")


async def test_guesses_at_the_same_time_are_bounded(people: People) -> None:
    """Each counts before it is made."""
    failures = await asyncio.gather(*(_fail(people) for _ in range(MAX_FAILURES_OF_PAIR + 5)))
    codes = [one.code for one in failures]
    assert (codes.count(Code.UNAUTHENTICATED), codes.count(Code.LIMITED)) == (MAX_FAILURES_OF_PAIR, 5)


async def test_guesses_from_many_addresses_are_bounded(people: People) -> None:
    """They do not lock a person out where they have a session."""
    await people.sign_in("ada@example.com", address="203.0.113.9")
    for number in range(MAX_FAILURES):
        assert (await _fail(people, address=f"198.51.100.{number}")).code is Code.UNAUTHENTICATED
    assert (await _fail(people, address="198.51.100.200")).code is Code.LIMITED
    assert await people.sign_in("ada@example.com", address="203.0.113.9")
    assert (await _fail(people, address="198.51.100.201")).code is Code.LIMITED


async def test_a_password_is_changed_by_who_knows_it(people: People) -> None:
    """The other sessions end, and so do reset links; wrong guesses are bounded as sign-ins are."""
    token, other = await people.sign_in("ada@example.com"), await people.sign_in("ada@example.com")
    link = await people.call("CreateOwnerLink", email="ada@example.com")
    wrong = await _refusal(people, "ChangePassword", token=token, current="wrong", password="another good password")
    assert [field for field, _ in wrong.fields] == ["current"]
    weak = await _refusal(people, "ChangePassword", token=token, current=PASSWORD, password="aaaaaaaaaaaaa")
    assert [field for field, _ in weak.fields] == ["password"]
    await people.call("ChangePassword", token=token, current=PASSWORD, password="another good password")
    assert await people.session(token)
    assert (await _refusal(people, "GetConsoleSession", token=other)).code is Code.UNAUTHENTICATED
    assert (await _refusal(people, "OpenConsoleLink", code=link.code)).code is Code.UNAUTHENTICATED
    for _ in range(MAX_FAILURES_OF_PAIR):
        failed = await _refusal(people, "ChangePassword", token=token, current="wrong", password=PASSWORD)
    assert failed.code is Code.INVALID
    failed = await _refusal(people, "ChangePassword", token=token, current="another good password", password=PASSWORD)
    assert failed.code is Code.LIMITED


async def test_an_identity_provider_signs_in_whom_we_know(people: People) -> None:
    """By the e-mail address the first time, afterwards by issuer and subject; somebody else is refused."""
    bob = await people.joined("bob@example.com", everywhere(VIEWER))
    ours = {"issuer": "https://id.example", "subject": "42", "email": "Bob@example.com", "client": client()}
    first = await people.call("SignInByProvider", **ours)
    assert (await people.session(first.token)).user.id == bob.id
    await people.call("UpdateConsoleUser", user_id=bob.id, email="robert@example.com")
    # Whoever had the former address may be somebody else.
    assert (await _refusal(people, "SignInByProvider", **ours)).code is Code.FORBIDDEN
    ours["email"] = "robert@example.com"
    again = await people.call("SignInByProvider", **ours)
    assert (await people.session(again.token)).user.email == "robert@example.com"
    for foreign in ({"subject": "43", "email": "robert@example.com"}, {"subject": "44", "email": "new@example.com"}):
        assert (await _refusal(people, "SignInByProvider", **{**ours, **foreign})).code is Code.FORBIDDEN
    viewer = console_users_pb2.CONSOLE_ROLE_VIEWER
    made = await people.call(
        "SignInByProvider", **{**ours, "subject": "44", "email": "new@example.com", "default_role": viewer}
    )
    session = await people.session(made.token)
    assert [(one.role, one.tenant_id) for one in session.user.memberships] == [(viewer, "")]
    await people.call("UpdateConsoleUser", user_id=bob.id, disabled=True)
    assert (await _refusal(people, "SignInByProvider", **ours)).code is Code.FORBIDDEN


@pytest.mark.parametrize("is_invited", [True, False], ids=["invited", "new"])
async def test_somebody_signs_in_twice_at_once(people: People, *, is_invited: bool) -> None:
    """With several pages, the first time: each of them signs in, as the same person."""
    if is_invited:
        await people.invited("eve@example.com", everywhere(VIEWER))
    ours = {"issuer": "https://id.example", "subject": "7", "email": "eve@example.com", "client": client()}
    calls = [people.call("SignInByProvider", **ours, default_role=VIEWER) for _ in range(4)]
    users = [(await people.session(made.token)).user for made in await asyncio.gather(*calls)]
    assert len({user.id for user in users}) == 1
    assert (await _refusal(people, "SignInByProvider", **{**ours, "subject": "8"})).code is Code.FORBIDDEN


async def test_a_sign_in_does_not_outlive_a_reset(people: People) -> None:
    """Its password was right when it was compared, and another one was set before the session began."""
    bob = await people.joined("bob@example.com", everywhere(VIEWER))
    compared = await ConsoleUserStore(people.pool).credentials("bob@example.com")
    assert compared is not None
    reset = await people.call("CreateConsoleLink", user_id=bob.id)
    renewed = await people.accept(reset.code, password="another good password")
    with pytest.raises(ClarionError) as refused:
        await SessionStore(people.pool).begin(bob.id, Client("a browser", "192.0.2.1"), password=compared.password)
    assert refused.value.code is Code.UNAUTHENTICATED
    sessions = (await people.call("ListConsoleSessions", user_id=bob.id)).sessions
    assert [one.id for one in sessions] == [(await people.session(renewed.token)).session.id]


async def test_sessions_of_nobody(people: People) -> None:
    """Are not found."""
    for name, fields in (
        ("ListConsoleSessions", {"user_id": new_id()}),
        ("RevokeConsoleSessions", {"user_id": new_id()}),
    ):
        assert (await _refusal(people, name, **fields)).code is Code.NOT_FOUND
