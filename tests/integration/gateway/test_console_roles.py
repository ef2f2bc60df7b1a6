"""Roles, routes and foreign ids: each rule of the table is kept by the API.

The table says which requests to make, so that a new route is tested as soon as it stands there.
"""

import base64
import re
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import pytest

from gateway.access.roles import Role
from gateway.access.rules import Owned, Place, Rule
from gateway.access.table import RULES
from gateway.admin.routes import is_recorded
from runtime.ids import new_id
from stack.client import Running
from tests.integration.gateway.console_visitor import ADMIN, Visitor, joined, owner, visitor
from tests.integration.gateway.console_world import Belongings, Maker

_PARAMETER = re.compile(r"\{(\w+)\}")
_IN_BODY = (Place.BODY, Place.BODY_OR_ANY)
_IN_QUERY = (Place.QUERY, Place.QUERY_OR_ANY, Place.QUERY_OR_INSTALLATION)
# Lists of other shapes: their own tests read them as people of one tenant.
_NO_PAGES = ("/overview", "/search", "/dead-letters/count", "/refused-requests/reasons")
Route = tuple[str, str]
_LAST: Route = ("DELETE", "/tenants/{id}")

# Who may do what by their membership in the own tenant alone.
_OF_TENANTS = {
    route: rule
    for route, rule in RULES.items()
    if any(
        isinstance(place, Owned) or place in (Place.PATH, Place.LIST, *_IN_QUERY, *_IN_BODY) for place in rule.places
    )
}
_OF_INSTALLATION = {
    route: rule for route, rule in RULES.items() if {Place.INSTALLATION, Place.ACCOUNTS} & set(rule.places)
}


class Request(NamedTuple):
    """What is sent."""

    method: str
    path: str
    body: Any


_LISTS = [route for route, rule in RULES.items() if rule.is_list and route[1] not in _NO_PAGES]


class World(NamedTuple):
    """What one test has made for those after it. sessions: of the person with each role."""

    own: Belongings
    foreign: Belongings
    sessions: dict[Role, tuple[str, str]]


class Scene(NamedTuple):
    """Two tenants, and one person for each role in the own one."""

    own: Belongings
    foreign: Belongings
    people: dict[Role, Visitor]
    maker: Maker

    def role_of(self, person: Visitor) -> Role:
        """Return the role of one of the people."""
        return next(role for role, one in self.people.items() if one is person)


@pytest.fixture(scope="module")
def worlds() -> list[World]:
    """None at first, then one."""
    return []


@pytest.fixture
async def scene(local_stack: Running, http: Any, admin: dict[str, str], worlds: list[World]) -> AsyncIterator[Scene]:
    """Return the tenants, and people who have signed in."""
    maker = Maker(http, admin)
    if not worlds:
        worlds.append(await _world(local_stack, maker))
    world = worlds[0]
    async with AsyncExitStack() as stack:
        people = {role: await stack.enter_async_context(visitor(local_stack)) for role in Role}
        for role, person in people.items():
            person.resume(world.sessions[role])
        yield Scene(world.own, world.foreign, people, maker)


async def _world(local_stack: Running, maker: Maker) -> World:
    own, foreign = await maker.belongings(), await maker.belongings()
    sessions = {}
    async with owner(local_stack) as boss:
        for role in Role:
            async with visitor(local_stack) as browser:
                place = {"tenant_id": own.tenant_id, "role": role.word}
                await joined(local_stack, boss, browser, f"{role.word}-{new_id()}@example.com", place)
                sessions[role] = browser.signed_in
    return World(own, foreign, sessions)


def _request(route: Route, rule: Rule, of: Belongings, objects: dict[Any, str] | None = None) -> Request:
    """Return the request by which a route's rule is applied to what belongs to a tenant."""
    method, path = route
    known = {**of.objects, **(objects or {})}
    named = {place.name: known[place.kind] for place in rule.places if isinstance(place, Owned)}
    if Place.PATH in rule.places:
        named["id"] = of.tenant_id
    path = _PARAMETER.sub(lambda found: named.get(found[1], new_id()), path)
    query = {name: value for name, value in named.items() if name not in _PARAMETER.findall(route[1]) and name != "id"}
    if rule.is_list or any(place in rule.places for place in _IN_QUERY):
        query["tenant_id"] = of.tenant_id
    if query and route != ("GET", "/tenants"):
        path += "?" + "&".join(f"{name}={value}" for name, value in query.items())
    in_body = any(place in rule.places for place in _IN_BODY)
    body: Any = {"tenant_id": of.tenant_id} if in_body else {}
    return Request(method, path, body if method not in ("GET", "DELETE") else None)


async def test_nothing_of_another_tenant(scene: Scene) -> None:
    """It does not exist for anybody without a membership there: the answer is that for an id that nothing has."""
    nothing = Belongings(new_id(), new_id(), {kind: new_id() for kind in scene.own.objects})
    wrong = []
    for route, rule in _OF_TENANTS.items():
        if route == ("GET", "/tenants"):
            continue
        foreign, unknown = _request(route, rule, scene.foreign), _request(route, rule, nothing)
        for role, person in scene.people.items():
            refused = await person.call(*foreign)
            if refused[0] != 404 or refused != await person.call(*unknown):
                wrong.append((role, route, refused))
    assert not wrong


async def test_a_role_that_is_too_low(scene: Scene) -> None:
    """It is refused with the name of the role that is needed."""
    wrong = []
    for route, rule in _OF_TENANTS.items():
        for role, person in scene.people.items():
            if role >= rule.role:
                continue
            status, body = await person.call(*_request(route, rule, scene.own))
            if status != 403 or f"role {rule.role.word} " not in body["detail"]:
                wrong.append((role, route, status, body))
    assert not wrong


async def test_a_role_that_suffices_reads(scene: Scene) -> None:
    """What belongs to the own tenant is answered, or not found by the service that would have it."""
    wrong = []
    for route, rule in _OF_TENANTS.items():
        if route[0] != "GET":
            continue
        status, body = await scene.people[rule.role].call(*_request(route, rule, scene.own))
        # Made-up ids and a kind without callbacks are not found by a service, a dry run lacks other parameters.
        if status not in (200, 404, 422) or (status == 404 and "may not see it" in body["detail"]):
            wrong.append((route, status, body))
    assert not wrong


async def test_a_role_that_suffices_writes(scene: Scene) -> None:
    """The request reaches its handler, which has more to say of it than who may send it."""
    wrong = []
    for route, rule in _OF_TENANTS.items():
        if route[0] == "GET" or route == ("DELETE", "/tenants/{id}"):
            continue
        # What changes an object is tried on one that is not there: then the rule itself says so.
        made_up = {kind: new_id() for kind in scene.own.objects}
        status, body = await scene.people[rule.role].call(*_request(route, rule, scene.own, made_up))
        is_owned = any(isinstance(place, Owned) for place in rule.places)
        if status == 403 or (status == 404 and not is_owned and "may not see it" in body["detail"]):
            wrong.append((route, status, body))
    assert not wrong


async def test_each_record_of_a_tenant_names_it(scene: Scene) -> None:
    """Whoever wrote: people of the tenant find all that was done to what belongs to it, and what was refused."""
    own = await scene.maker.belongings()
    written = {route: rule for route, rule in _OF_TENANTS.items() if is_recorded(*route)}
    # What is deleted is nobody's any more.
    for route, rule in sorted(written.items(), key=lambda one: (one[0][0] == "DELETE", one[0] == _LAST)):
        await scene.maker.attempt(*_request(route, rule, own))
    found, cursor = set(), ""
    while True:
        page = await scene.maker.call("GET", f"/audit?tenant_id={own.tenant_id}&limit=100{cursor}")
        found |= {(one["method"], one["route"].removeprefix(ADMIN)) for one in page["data"]}
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert found >= written.keys()


async def test_an_owner_of_a_tenant_is_none_of_the_installation(scene: Scene) -> None:
    """Nor is anybody else with a membership in a tenant."""
    wrong = []
    for route, rule in _OF_INSTALLATION.items():
        for role, person in scene.people.items():
            status, body = await person.call(*_request(route, rule, scene.own))
            if status != 403 or "in the whole installation" not in body["detail"]:
                wrong.append((role, route, status, body))
    assert not wrong


@pytest.mark.parametrize("route", _LISTS, ids=" ".join)
async def test_lists_hold_own_tenants_alone(scene: Scene, route: Route) -> None:
    """Without a filter, too, and on every page. Of templates and parts also the platform's."""
    await scene.maker.platform()
    person = scene.people[Role.OWNER]
    seen, cursor = set(), ""
    while True:
        status, page = await person.call("GET", f"{route[1]}?limit=1{cursor}")
        assert status == 200, page
        key = "id" if route[1] == "/tenants" else "tenant_id"
        seen |= {one[key] for one in page["data"]}
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen <= {scene.own.tenant_id, *([None] if route[1].startswith("/template") else [])}
    if route[1] in ("/tenants", "/events", "/templates", "/template-parts", "/suppressions", "/replays", "/runs"):
        assert scene.own.tenant_id in seen


async def test_a_cursor_tells_nothing(scene: Scene) -> None:
    """It may be of a row that the person may not see: it is sealed, and only the list takes it that gave it out."""
    person = scene.people[Role.DEVELOPER]
    own, foreign = f"tenant_id={scene.own.tenant_id}", f"tenant_id={scene.foreign.tenant_id}"
    shown = [one.objects[kind] for one in (scene.own, scene.foreign) for kind in ("event", "run")]
    status, page = await person.call("GET", "/events?recipient=u1&limit=1")
    assert (status, page["data"][0]["tenant_id"]) == (200, scene.own.tenant_id)
    cursor = page["next_cursor"]
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    assert not any(id_.encode() in raw or uuid.UUID(id_).bytes in raw or id_ in cursor for id_ in shown)
    assert (await person.call("GET", f"/events?recipient=u1&limit=1&cursor={cursor}"))[0] == 200
    for list_ in (f"/events?{own}", "/dead-letters?limit=1", f"/template-samples?{own}"):
        status, refused = await person.call("GET", f"{list_}&cursor={cursor}")
        assert (status, refused["errors"][0]["field"]) == (422, "cursor")
    # A list would begin after this one, and so tell its place among the others.
    sample = {"event_type": "a.b", "name": "n", "variables": {}, "tenant_id": scene.foreign.tenant_id}
    made = await scene.maker.post("/template-samples", **sample)
    status, refused = await person.call("GET", f"/template-samples?{own}&cursor={made['id']}")
    assert (status, refused["errors"][0]["field"]) == (422, "cursor")
    await scene.maker.call("DELETE", f"/template-samples/{made['id']}?{foreign}")


async def test_the_platform_is_read_by_all_and_written_by_the_installation(scene: Scene) -> None:
    """A template without a tenant is used by all of them, so none of their people changes it."""
    platform = await scene.maker.platform()
    for role, person in scene.people.items():
        for path in (f"/templates/{platform['template']}", f"/template-parts/{platform['part']}"):
            assert (await person.call("GET", path))[0] == 200
        writes: tuple[tuple[str, str, dict[str, str]], ...] = (
            ("POST", f"/templates/{platform['template']}/activate", {}),
            ("POST", f"/templates/{platform['template']}/refresh", {}),
            ("POST", f"/template-parts/{platform['part']}/apply", {}),
            ("POST", "/templates", {"event_type": "a", "channel": "SMS", "body": "x"}),
            ("POST", "/template-parts", {"kind": "PARTIAL", "name": "n", "body": "x"}),
            ("POST", "/templates", {"event_type": "a", "channel": "SMS", "body": "x", "tenant_id": ""}),
        )
        for request in writes:
            status, body = await person.call(*request)
            assert status == 403, (role, request, body)
    developer = scene.people[Role.DEVELOPER]
    test = {"recipient": {"phone": "+254712345678"}, "tenant_id": scene.own.tenant_id}
    path = f"/templates/{platform['template']}/test"
    assert (await developer.call("POST", path, test))[0] == 202
    assert (await developer.call("POST", path, {**test, "tenant_id": scene.foreign.tenant_id}))[0] == 404
    draft = {"channel": "SMS", "body": "{{x}}"}
    assert (await developer.call("POST", "/templates/preview", draft))[0] == 200
    assert (await developer.call("POST", "/templates/preview", {**draft, "tenant_id": scene.foreign.tenant_id}))[
        0
    ] == 404
    diff = f"/templates/{scene.own.objects['template']}/diff?against={scene.foreign.objects['template']}"
    assert (await scene.people[Role.OWNER].call("GET", diff))[0] == 404


@pytest.mark.parametrize(
    ("role", "body", "status"),
    [
        (Role.OPERATOR, {"name": "Renamed"}, 200),
        (Role.OPERATOR, {"active": True}, 403),
        (Role.OWNER, {"active": True}, 200),
        (Role.OWNER, {"max_unfinished_events": 10**6}, 403),
        (Role.OWNER, {"rates": []}, 403),
        (Role.OWNER, {"daily_cap": None, "name": "x"}, 403),
        (Role.OPERATOR, {"max_sms_segments": 3}, 200),
    ],
)
async def test_fields_of_a_tenant(scene: Scene, role: Role, body: dict[str, Any], status: int) -> None:
    """A tenant's limits protect the other tenants: only people of the installation change them."""
    answer = await scene.people[role].call("PATCH", f"/tenants/{scene.own.tenant_id}", body)
    assert answer[0] == status, answer


async def test_a_body_says_one_thing(scene: Scene) -> None:
    """What the rule reads and what the handler reads is the same, however the body is written."""
    person = scene.people[Role.OPERATOR]
    bodies: tuple[Any, ...] = (None, [], {"tenant_id": None}, {"tenant_id": [scene.own.tenant_id]})
    for raw in bodies:
        status, _ = await person.call("POST", "/suppressions", raw)
        assert status in (403, 415, 422)


async def test_an_account_reaches_its_tenants(local_stack: Running, scene: Scene) -> None:
    """Also those that are created later: an operator of the account creates them, and sees them at once."""
    async with owner(local_stack) as boss, visitor(local_stack) as person:
        place = {"account_id": scene.own.account_id, "role": "operator"}
        await joined(local_stack, boss, person, f"{new_id()}@example.com", place)
        assert (await person.call("GET", f"/tenants/{scene.own.tenant_id}"))[0] == 200
        assert (await person.call("GET", f"/tenants/{scene.foreign.tenant_id}"))[0] == 404
        new = {"name": "Second", "account_id": scene.own.account_id}
        status, made = await person.call("POST", "/tenants", new)
        assert status == 201, made
        assert (await person.call("GET", f"/tenants/{made['id']}"))[0] == 200
        assert {one["id"] for one in (await person.call("GET", "/tenants"))[1]["data"]} == {
            made["id"],
            scene.own.tenant_id,
        }
        for refused, status in (
            ({"name": "Third"}, 403),
            ({"name": "Third", "account_id": scene.foreign.account_id}, 404),
            ({**new, "max_unfinished_events": 10**6}, 403),
        ):
            assert (await person.call("POST", "/tenants", refused))[0] == status


async def test_roles_of_the_installation(local_stack: Running, scene: Scene) -> None:
    """They reach all tenants. Whoever may only read everywhere may write where a membership says so."""
    async with owner(local_stack) as boss, visitor(local_stack) as person:
        places = ({"role": "viewer"}, {"tenant_id": scene.own.tenant_id, "role": "operator"})
        await joined(local_stack, boss, person, f"{new_id()}@example.com", *places)
        for one in (scene.own, scene.foreign):
            assert (await person.call("GET", f"/providers/{one.objects['provider']}"))[0] == 200
        change = {"name": "renamed"}
        assert (await person.call("PATCH", f"/providers/{scene.own.objects['provider']}", change))[0] == 200
        assert (await person.call("PATCH", f"/providers/{scene.foreign.objects['provider']}", change))[0] == 403
        tenants = {one["tenant_id"] for one in (await person.call("GET", "/events"))[1]["data"]}
        assert {scene.own.tenant_id, scene.foreign.tenant_id} <= tenants


async def test_people_without_a_membership(local_stack: Running, scene: Scene) -> None:
    """They see who they are, and nothing else."""
    async with owner(local_stack) as boss, visitor(local_stack) as person:
        await joined(local_stack, boss, person, f"{new_id()}@example.com")
        assert (await person.call("GET", "/session"))[0] == 200
        for route, rule in _OF_TENANTS.items():
            status, body = await person.call(*_request(route, rule, scene.own))
            assert status in (403, 404), (route, body)
