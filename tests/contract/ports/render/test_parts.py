"""parts.PartStore: layouts and partials, their newest versions, and the templates that use older ones."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.render.frames import SMS, TemplateSource
from services.render.parts import LAYOUT, PARTIAL, NewerPartError, NewPart, PartVersion
from services.render.templates import NewTemplate
from tests.contract.ports.render.conftest import Subject

_FILTERS: dict[str, Any] = {
    "tenant_ids": [],
    "kind": 0,
    "name": "",
    "newest_only": False,
    "limit": 100,
    "cursor": "",
}


async def _create(
    subject: Subject, body: str, tenant_id: str = "t1", kind: int = PARTIAL, name: str = "p"
) -> PartVersion:
    return await subject.parts.create(new_id(), NewPart(tenant_id, kind, name, body))


async def _page(subject: Subject, **filters: Any) -> list[str]:
    return [one.part.body for one in await subject.parts.page(**{**_FILTERS, **filters})]


async def _used(subject: Subject, part: PartVersion, tenant_id: str = "t1", *, active: bool = True) -> str:
    """Make a template that is made of a part; return its id."""
    new = NewTemplate(tenant_id, new_id(), SMS, "", "{{> p}}")
    version = await subject.templates.create(new_id(), new, TemplateSource(SMS, "", new.body), [part.id])
    await subject.templates.set_active(version.id, active=active)
    return version.id


async def test_versions_are_numbered_by_their_name(subject: Subject) -> None:
    """Of one tenant and kind; each is kept as it was made."""
    first, second = await _create(subject, "1"), await _create(subject, "2")
    others = [
        await _create(subject, "3", tenant_id="t2"),
        await _create(subject, "4", kind=LAYOUT),
        await _create(subject, "5", name="q"),
    ]
    assert [one.version for one in (first, second, *others)] == [1, 2, 1, 1, 1]
    assert await subject.parts.get(first.id) == first
    assert (first.part, first.created_at_us > 0) == (NewPart("t1", PARTIAL, "p", "1"), True)


async def test_the_newest_is_the_tenants_own_else_the_platforms(subject: Subject) -> None:
    """Of each name that there is; a layout is no partial."""
    for body, tenant_id, name in (("platform", "", "p"), ("theirs", "", "q"), ("old", "t1", "p"), ("own", "t1", "p")):
        await _create(subject, body, tenant_id=tenant_id, name=name)
    await _create(subject, "layout", kind=LAYOUT, name="r")
    found = await subject.parts.newest("t1", PARTIAL, ["q", "p", "r", "none"])
    assert [one.part.body for one in found] == ["own", "theirs"]
    assert [one.part.body for one in await subject.parts.newest("t2", PARTIAL, ["p"])] == ["platform"]
    assert await subject.parts.newest("t1", PARTIAL, []) == []


async def test_pages_are_newest_first(subject: Subject) -> None:
    """By each filter, and behind the cursor."""
    made = [await _create(subject, "1"), await _create(subject, "2")]
    await _create(subject, "3", tenant_id="t2")
    await _create(subject, "4", kind=LAYOUT, name="q")
    assert await _page(subject) == ["4", "3", "2", "1"]
    assert await _page(subject, limit=2) == ["4", "3"]
    assert await _page(subject, cursor=made[1].id) == ["1"]
    assert await _page(subject, newest_only=True) == ["4", "3", "2"]
    assert await _page(subject, tenant_ids=["t1"], kind=PARTIAL) == ["2", "1"]
    assert await _page(subject, name="q") == ["4"]


async def test_pages_of_some_tenants(subject: Subject) -> None:
    """They hold the parts of these tenants and of the platform."""
    for body, tenant_id in (("1", "t1"), ("2", "t2"), ("platform", ""), ("3", "t3")):
        await _create(subject, body, tenant_id=tenant_id)
    assert await _page(subject, tenant_ids=["t1", "t3", ""]) == ["3", "platform", "1"]
    assert await _page(subject, tenant_ids=["t1", "t3"]) == ["3", "1"]
    assert await _page(subject, tenant_ids=["t1", "t3"], limit=1) == ["3"]


async def test_users_are_active_templates_with_an_older_version(subject: Subject) -> None:
    """Or with the platform's where the tenant has one of its own now; by id, behind the one after which is asked."""
    platform = await _create(subject, "platform", tenant_id="")
    of_platform, foreign = await _used(subject, platform), await _used(subject, platform, "t2")
    old = await _create(subject, "old")
    users = [of_platform, await _used(subject, old), await _used(subject, old)]
    await _used(subject, old, active=False)
    new = await _create(subject, "new")
    await _used(subject, new)
    assert await subject.parts.users(new, "", 100) == users
    assert await subject.parts.users(new, "", 2) == users[:2]
    assert await subject.parts.users(new, users[1], 100) == users[2:]
    newer = await _create(subject, "newer", tenant_id="")
    assert await subject.parts.users(newer, "", 100) == [of_platform, foreign]


async def test_all_users_of_a_part(subject: Subject) -> None:
    """Each with the version that it uses, and whether that is the newest of its own tenant."""
    platform = await _create(subject, "platform", tenant_id="")
    of_platform = await _used(subject, platform)
    foreign = await _used(subject, platform, "t2")
    old = await _create(subject, "old")
    of_old = await _used(subject, old)
    new = await _create(subject, "new")
    of_new = await _used(subject, new)
    await _used(subject, new, active=False)
    found = await subject.parts.all_users(old, "", 100)
    assert [(one.version_id, one.part_version, one.is_current) for one in found] == [
        (of_platform, 1, False),
        (of_old, 1, False),
        (of_new, 2, True),
    ]
    assert (found[2].tenant_id, found[2].channel, found[2].locale, found[2].version) == ("t1", SMS, "", 1)
    assert [one.version_id for one in await subject.parts.all_users(new, of_platform, 1)] == [of_old]
    of_the_platforms = await subject.parts.all_users(platform, "", 100)
    assert [(one.version_id, one.is_current) for one in of_the_platforms] == [(of_platform, True), (foreign, True)]


async def test_a_version_of_somebody_else_is_not_overlooked(subject: Subject) -> None:
    """Who started from an older version is told the newer one; nothing is stored."""
    first = await _create(subject, "1")
    part = NewPart("t1", PARTIAL, "p", "2")
    second = await subject.parts.create(new_id(), part, based_on=first.id)
    with pytest.raises(NewerPartError) as refused:
        await subject.parts.create(new_id(), part, based_on=first.id)
    assert refused.value.newer == second
    assert await _page(subject) == ["2", "1"]
    for other in (NewPart("t2", PARTIAL, "p", "3"), NewPart("t1", LAYOUT, "p", "3"), NewPart("t1", PARTIAL, "q", "3")):
        with pytest.raises(ClarionError) as invalid:
            await subject.parts.create(new_id(), other, based_on=second.id)
        assert (invalid.value.code, invalid.value.fields[0][0]) == (Code.INVALID, "based_on")


async def test_what_is_not_there(subject: Subject) -> None:
    """NOT_FOUND."""
    with pytest.raises(ClarionError) as refused:
        await subject.parts.get("none")
    assert refused.value.code is Code.NOT_FOUND


_PART = PartVersion("v", 1, NewPart("t1", PARTIAL, "p", "b"), 1)
_CALLS: list[Callable[[Subject], Awaitable[Any]]] = [
    lambda subject: _create(subject, "b"),
    lambda subject: subject.parts.get("v"),
    _page,
    lambda subject: subject.parts.newest("t1", PARTIAL, ["p"]),
    lambda subject: subject.parts.users(_PART, "", 1),
    lambda subject: subject.parts.all_users(_PART, "", 1),
]


async def test_a_database_that_is_away(subject: Subject) -> None:
    """UNAVAILABLE, whatever is asked."""
    subject.go_away()
    for call in _CALLS:
        with pytest.raises(ClarionError) as away:
            await call(subject)
        assert away.value.code is Code.UNAVAILABLE
