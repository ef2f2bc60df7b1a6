"""The table of roles: complete, published, and read as it is written."""

from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from gateway.access import reference
from gateway.access.asker import Asker, Membership, operator
from gateway.access.enforce import Enforcer, check_limited, scope
from gateway.access.owners import Owners
from gateway.access.roles import Role
from gateway.access.rules import Needs, Owned, Place, rule
from gateway.access.table import GROUPS, RULES, rule_of
from gateway.openapi.document import operations
from runtime.errors import ClarionError, Code

_BASE = "/api/v1/admin"
MINE, OTHER = "tenant-1", "tenant-2"


class _Owners(Owners):
    """Every object is of the tenant that its id names; empty: the platform's; "none": there is no such object."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def find(self, kind: Any, object_id: str) -> str:
        """Return the tenant."""
        self.asked.append(object_id)
        if object_id == "none":
            raise ClarionError(Code.NOT_FOUND, "There is no such thing.")
        return object_id.partition("/")[2]


def _person(role: Role = Role.OPERATOR) -> Asker:
    return Asker("Ada", (Membership(None, MINE, role),), user_id="u", session_id="s", tenants={MINE: role})


def _request(query: str = "", **match_info: str) -> Any:
    return make_mocked_request("GET", f"/x?{query}", match_info=match_info)


async def _refused(asker: Asker, asked: Any, request: Any) -> ClarionError:
    with pytest.raises(ClarionError) as refused:
        await Enforcer(_Owners()).check(request, asked, asker)
    return refused.value


def test_every_route_of_the_admin_api_has_a_rule() -> None:
    """And no other has one. A route without a rule would be for owners of the installation alone."""
    served = {(one.method, one.path.removeprefix(_BASE)) for one in operations() if one.path.startswith(_BASE + "/")}
    assert served == RULES.keys()
    assert sum(map(len, GROUPS.values())) == len(RULES)


def test_what_has_no_rule_is_for_owners_of_the_installation() -> None:
    """Until somebody has thought about it."""
    assert rule_of("GET", "/new") == rule(Role.OWNER, Place.INSTALLATION)


@pytest.mark.parametrize(("route", "asked"), RULES.items(), ids=[" ".join(route) for route in RULES])
def test_a_path_of_a_tenant_needs_a_role_there(route: tuple[str, str], asked: Any) -> None:
    """No route below /tenants/{id} forgets it; and who writes is more than a viewer."""
    if route[1].startswith("/tenants/{id}"):
        assert asked.places == (Place.PATH,)
    if route[0] != "GET" and Place.ANYBODY not in asked.places and Place.PERSON not in asked.places:
        assert asked.role > Role.VIEWER
    if any(isinstance(place, Owned) and place.name == "id" for place in asked.places):
        assert "{id}" in route[1]


def test_the_page_is_what_the_table_says() -> None:
    """`make gen` writes it."""
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page()


async def test_a_role_in_the_installation_suffices_at_once() -> None:
    """No service is asked whose an object is."""
    owners = _Owners()
    await Enforcer(owners).check(
        _request(id="x/" + OTHER), rule(Role.OPERATOR, Owned("event")), operator("ci", Role.OPERATOR)
    )
    assert owners.asked == []


@pytest.mark.parametrize(
    ("place", "request_"),
    [
        (Place.PATH, _request(id=OTHER)),
        (Place.QUERY, _request(f"tenant_id={OTHER}")),
        (Place.LIST, _request(f"tenant_id={OTHER}")),
        (Owned("event"), _request(id=f"e/{OTHER}")),
        (Owned("event"), _request(id="none")),
        (Owned("template", "against", platform=True), _request(f"against=t/{OTHER}")),
    ],
)
async def test_what_a_person_may_not_see_does_not_exist(place: Any, request_: Any) -> None:
    """With one text for all of it."""
    refusal = await _refused(_person(), rule(Role.VIEWER, place), request_)
    assert (refusal.code, refusal.detail) == (Code.NOT_FOUND, "There is nothing with this id, or you may not see it.")


async def test_a_role_that_is_too_low_is_named() -> None:
    """The needed one, where it is needed, and the person's own."""
    refusal = await _refused(_person(Role.VIEWER), rule(Role.DEVELOPER, Place.PATH), _request(id=MINE))
    assert refusal.code is Code.FORBIDDEN
    assert refusal.detail == "This needs the role developer in this tenant. Yours is viewer. Ask an owner for it."
    refusal = await _refused(_person(), rule(Role.OPERATOR, Owned("part")), _request(id="p/"))
    assert "in the whole installation, because this belongs to all tenants. You have none there" in refusal.detail


async def test_a_list_is_limited_to_where_the_role_is() -> None:
    """And fails if its handler forgets that."""
    person = Asker("Ada", (), user_id="u", tenants={"a": Role.VIEWER, "b": Role.OWNER, "c": Role.OPERATOR})
    request = _request()
    await Enforcer(_Owners()).check(request, rule(Role.OPERATOR, Place.LIST), person)
    with pytest.raises(ClarionError):
        check_limited(request)
    assert scope(request) == {"tenant_id": "", "tenant_ids": ["b", "c"]}
    check_limited(request)
    refusal = await _refused(_person(), rule(Role.OWNER, Place.LIST), _request())
    assert refusal.code is Code.FORBIDDEN


async def test_a_missing_parameter_is_named() -> None:
    """Of a path that is for one tenant; without it everybody's things would be read."""
    refusal = await _refused(_person(), rule(Role.VIEWER, Place.QUERY), _request())
    assert (refusal.code, list(refusal.fields)) == (Code.INVALID, [("tenant_id", "is required")])


async def test_a_token_is_no_person() -> None:
    """Also one that may do everything."""
    refusal = await _refused(operator("admin", Role.OWNER), rule(Role.VIEWER, Place.PERSON), _request())
    assert refusal.code is Code.FORBIDDEN


def test_roles_rise() -> None:
    """The greatest of the memberships counts, and that of the installation everywhere."""
    places = (
        Membership(None, None, Role.VIEWER),
        Membership("acc", None, Role.OPERATOR),
        Membership(None, MINE, Role.OWNER),
    )
    person = Asker("Ada", places, user_id="u", tenants={MINE: Role.OWNER, OTHER: Role.OPERATOR})
    assert (person.everywhere, person.highest) == (Role.VIEWER, Role.OWNER)
    assert [person.in_tenant(one) for one in (MINE, OTHER, "third")] == [Role.OWNER, Role.OPERATOR, Role.VIEWER]
    assert [person.in_account(one) for one in ("acc", "else")] == [Role.OPERATOR, Role.VIEWER]
    assert person.tenants_with(Role.VIEWER) is None
    assert person.tenants_with(Role.OWNER) == [MINE]
    assert Needs(Role.OWNER) == Needs(Role.OWNER, everywhere=False)


def test_payloads_have_one_rule() -> None:
    """Whoever may read a message may read what it was made of, in each of its forms."""
    paths = ("/events/{id}/body", "/template-samples/last", "/deliveries/{id}/content", "/deliveries/{id}/content.eml")
    assert {rule_of("GET", path).role for path in paths} == {Role.VIEWER}
