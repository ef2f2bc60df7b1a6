"""An owner of an account manages its people over HTTP: nobody else's, and no role outside it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import pytest

from runtime.ids import new_id
from stack.client import Running
from tests.integration.gateway.console_visitor import PASSWORD, Visitor, joined, owner, visitor

# The routes of one person, with a body that would be accepted.
_OF_A_PERSON: tuple[tuple[str, str, Any], ...] = (
    ("GET", "", None),
    ("PATCH", "", {"memberships": []}),
    ("PATCH", "", {"email": "taken-over@example.com"}),
    ("PATCH", "", {"name": "Mallory"}),
    ("PATCH", "", {"disabled": True}),
    ("POST", "/invitation", None),
    ("GET", "/sessions", None),
    ("DELETE", "/sessions", None),
    ("DELETE", f"/sessions/{new_id()}", None),
    ("DELETE", "", None),
)


class Scene(NamedTuple):
    """An account with two tenants and its owner, another account, and the installation's owner."""

    account: str
    tenants: tuple[str, str]
    foreign_account: str
    foreign_tenant: str
    ada: Visitor
    ada_id: str
    boss: Visitor
    stack: Running

    async def invited(self, by: Visitor, *memberships: dict[str, Any]) -> dict[str, Any]:
        """Let somebody be invited; return the person."""
        body = {"email": _email(), "name": "Bob", "memberships": list(memberships)}
        status, person = await by.call("POST", "/users", body)
        assert status == 201, person
        found: dict[str, Any] = person
        return found


def _email() -> str:
    return f"{new_id()}@example.com"


def _in_account(account: str, role: str = "viewer") -> dict[str, Any]:
    return {"account_id": account, "tenant_id": None, "role": role}


def _in_tenant(tenant: str, role: str = "viewer") -> dict[str, Any]:
    return {"account_id": None, "tenant_id": tenant, "role": role}


@pytest.fixture
async def scene(local_stack: Running) -> AsyncIterator[Scene]:
    """Make the accounts, and sign everybody in."""
    async with AsyncExitStack() as stack:
        boss = await stack.enter_async_context(owner(local_stack))
        ada = await stack.enter_async_context(visitor(local_stack))
        first, foreign = [(await boss.call("POST", "/tenants", {"name": name}))[1] for name in ("One", "Foreign")]
        account = first["account_id"]
        _, second = await boss.call("POST", "/tenants", {"name": "Two", "account_id": account})
        ada_id = await joined(local_stack, boss, ada, _email(), _in_account(account, "owner"))
        tenants = (first["id"], second["id"])
        yield Scene(account, tenants, foreign["account_id"], foreign["id"], ada, ada_id, boss, local_stack)


async def test_people_of_the_account(scene: Scene) -> None:
    """They are invited, join, get other roles, a reset link, and are deleted: all of it by the account's owner."""
    one, two = scene.tenants
    person = await scene.invited(scene.ada, _in_tenant(one, "developer"))
    assert person["account_id"] == scene.account
    path = f"/users/{person['id']}"
    async with visitor(scene.stack) as bob:
        await bob.accept(person["invitation"]["url"].rpartition("#")[2])
        assert (await bob.call("GET", f"/tenants/{one}"))[0] == 200
        assert (await bob.call("GET", f"/tenants/{two}"))[0] == 404
        changed = {"memberships": [_in_tenant(two), _in_account(scene.account, "operator")], "name": "Robert"}
        status, shown = await scene.ada.call("PATCH", path, changed)
        assert (status, shown["name"]) == (200, "Robert")
        assert (await bob.call("GET", f"/tenants/{two}"))[0] == 200
        assert len((await scene.ada.call("GET", f"{path}/sessions"))[1]["data"]) == 1
        status, link = await scene.ada.call("POST", f"{path}/invitation")
        assert (status, link["kind"]) == (201, "password_reset")
        assert (await scene.ada.call("DELETE", f"{path}/sessions"))[0] == 204
        assert (await bob.call("GET", "/session"))[0] == 401
    assert (await scene.ada.call("PATCH", path, {"disabled": True}))[0] == 200
    assert (await scene.ada.call("DELETE", path))[0] == 204
    assert (await scene.ada.call("GET", path))[0] == 404


async def test_no_role_outside_the_account(scene: Scene) -> None:
    """Neither by an invitation nor by a change; what exists elsewhere is as unknown as what exists nowhere."""
    person = await scene.invited(scene.ada, _in_account(scene.account))
    for outside, status in (
        ({"account_id": None, "tenant_id": None, "role": "viewer"}, 403),
        (_in_account(scene.foreign_account), 422),
        (_in_tenant(scene.foreign_tenant), 422),
    ):
        for memberships in ([outside], [_in_tenant(scene.tenants[0]), outside]):
            refused = await scene.ada.call("POST", "/users", {"email": _email(), "memberships": memberships})
            assert refused[0] == status, refused
            refused = await scene.ada.call("PATCH", f"/users/{person['id']}", {"memberships": memberships})
            assert refused[0] == status, refused
            own = await scene.ada.call("PATCH", f"/users/{scene.ada_id}", {"memberships": memberships})
            assert own[0] == status, own
    unknown = await scene.ada.call("POST", "/users", {"email": _email(), "memberships": [_in_tenant(new_id())]})
    foreign = await scene.ada.call(
        "POST", "/users", {"email": _email(), "memberships": [_in_tenant(scene.foreign_tenant)]}
    )
    assert unknown == foreign
    assert (await scene.ada.call("POST", "/users", {"email": _email(), "memberships": []}))[0] == 422
    # Nor by an owner of the installation, who did not invite the person: their password may be somebody else's.
    for place in ({"role": "viewer"}, _in_tenant(scene.foreign_tenant)):
        refused = await scene.boss.call("PATCH", f"/users/{person['id']}", {"memberships": [place]})
        assert refused[0] == 409, refused
    assert (await scene.boss.call("GET", f"/users/{person['id']}"))[1]["memberships"] == [_in_account(scene.account)]


async def test_people_of_other_places(scene: Scene) -> None:
    """They do not exist for the account's owner, whatever is asked of them."""
    others = [
        await scene.invited(scene.boss, *memberships)
        for memberships in ([], [{"role": "viewer"}], [_in_account(scene.foreign_account, "owner")])
    ]
    for person in others:
        for method, rest, body in _OF_A_PERSON:
            status, answer = await scene.ada.call(method, f"/users/{person['id']}{rest}", body)
            assert status == 404, (method, rest, answer)
            assert (status, answer) == await scene.ada.call(method, f"/users/{new_id()}{rest}", body)
    status, page = await scene.ada.call("GET", "/users")
    assert status == 200
    assert {one["id"] for one in page["data"]} == {scene.ada_id}
    for person in others:
        assert (await scene.ada.call("GET", f"/users?search={person['email']}"))[1]["data"] == []
        assert (await scene.boss.call("GET", f"/users/{person['id']}"))[1]["name"] == "Bob"
    taken = {"email": others[0]["email"], "memberships": [_in_account(scene.account)]}
    assert (await scene.ada.call("POST", "/users", taken))[0] == 409


async def test_people_of_this_place_and_others(scene: Scene) -> None:
    """Only their roles within the account are seen, changed and ended; nothing else of them."""
    one, two = scene.tenants
    elsewhere = _in_tenant(scene.foreign_tenant, "operator")
    person = await scene.invited(scene.boss, elsewhere, _in_tenant(one))
    path = f"/users/{person['id']}"
    seen = (await scene.ada.call("GET", path))[1]
    assert (seen["memberships"], seen["account_id"]) == ([_in_tenant(one)], None)
    assert seen["invitation_expires_at"] is seen["last_sign_in_at"] is None
    listed = (await scene.ada.call("GET", "/users"))[1]["data"]
    assert next(one for one in listed if one["id"] == person["id"]) == seen
    for method, rest, body in _OF_A_PERSON[2:]:
        status, answer = await scene.ada.call(method, path + rest, body)
        assert status == 403, (method, rest, answer)
        assert "installation" in answer["detail"]
    mixed = {"memberships": [], "name": "Mallory"}
    assert (await scene.ada.call("PATCH", path, mixed))[0] == 403
    changed = await scene.ada.call("PATCH", path, {"memberships": [_in_tenant(two, "developer")]})
    assert (changed[0], changed[1]["memberships"]) == (200, [_in_tenant(two, "developer")])
    kept = (await scene.boss.call("GET", path))[1]["memberships"]
    assert sorted(kept, key=str) == sorted([elsewhere, _in_tenant(two, "developer")], key=str)
    ended = await scene.ada.call("PATCH", path, {"memberships": []})
    assert (ended[0], ended[1]["memberships"]) == (200, [])
    assert (await scene.ada.call("GET", path))[0] == 404
    assert (await scene.boss.call("GET", path))[1]["memberships"] == [elsewhere]


@pytest.mark.parametrize("place", ["tenant_owner", "account_operator"])
async def test_nobody_below_an_owner_of_the_account(scene: Scene, place: str) -> None:
    """An owner of a tenant manages no users, nor does an operator of the account."""
    places = {
        "tenant_owner": _in_tenant(scene.tenants[0], "owner"),
        "account_operator": _in_account(scene.account, "operator"),
    }
    async with visitor(scene.stack) as person:
        person_id = await joined(scene.stack, scene.boss, person, _email(), places[place])
        promotion = {"memberships": [_in_account(scene.account, "owner")]}
        for method, path, body in (
            ("GET", "/users", None),
            ("POST", "/users", {"email": _email(), **promotion}),
            *((method, f"/users/{person_id}{rest}", body or promotion) for method, rest, body in _OF_A_PERSON),
        ):
            status, answer = await person.call(method, path, body)
            assert (status, "in an account" in answer["detail"]) == (403, True), (method, path, answer)


async def test_a_role_that_is_taken_away(scene: Scene) -> None:
    """Whoever is no owner of the account any more manages nobody, and the people stay."""
    person = await scene.invited(scene.ada, _in_account(scene.account, "owner"))
    async with visitor(scene.stack) as bob:
        await bob.accept(person["invitation"]["url"].rpartition("#")[2])
        assert (await bob.call("PATCH", f"/users/{scene.ada_id}", {"memberships": []}))[0] == 200
        assert (await scene.ada.call("GET", "/users"))[0] == 403
        assert (await scene.ada.call("DELETE", f"/users/{person['id']}"))[0] == 403
        await bob.sign_in(person["email"], PASSWORD)
