"""templates.TemplateStore, sources.VersionStore, platform_templates.FirstVersions: versions as they were made."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.render.frames import EMAIL, SMS, TemplateSource
from services.render.parts import LAYOUT, NewPart
from services.render.templates import (
    ActiveTemplate,
    NewerVersionError,
    NewTemplate,
    PinnedPart,
    TemplateLanguage,
    TemplateVersion,
)
from tests.contract.ports.render.conftest import Subject

_NEW = NewTemplate("t1", "order.confirmed", SMS, "", "Hi {{name}}")
_FILTERS: dict[str, Any] = {
    "tenant_ids": [],
    "event_type": "",
    "channel": 0,
    "locale": None,
    "active_only": False,
    "limit": 100,
    "cursor": "",
}


async def _create(subject: Subject, new: NewTemplate = _NEW, *part_ids: str) -> TemplateVersion:
    source = TemplateSource(new.channel, new.subject, new.body)
    return await subject.templates.create(new_id(), new, source, list(part_ids))


async def _page(subject: Subject, **filters: Any) -> list[str]:
    return [one.id for one in await subject.templates.page(**{**_FILTERS, **filters})]


async def test_a_version_is_kept_as_it_was_made(subject: Subject) -> None:
    """Inactive, numbered within its tenant, event type and channel, with the parts that it is made of."""
    layout = await subject.parts.create(new_id(), NewPart("t1", LAYOUT, "frame", "{{{content}}}"))
    new = NewTemplate("t1", "order.confirmed", EMAIL, "S", "B", "orders", "pt-BR", "P", "frame", subscribed=True)
    first, second = await _create(subject, new, layout.id), await _create(subject, replace(new, locale="en"))
    other = await _create(subject, _NEW)
    assert [one.version for one in (first, second, other)] == [1, 2, 1]
    assert first.template == new
    assert first.parts == (PinnedPart(layout.id, LAYOUT, "frame", 1),)
    assert (first.active, first.activated_at_us, first.created_at_us > 0) == (False, 0, True)
    assert await subject.templates.get(first.id) == first
    assert await subject.templates.active(["t1"], "order.confirmed") == []


async def test_one_version_of_a_kind_is_active(subject: Subject) -> None:
    """A kind is a tenant's event type, channel and locale; another one's stays active."""
    first, second = await _create(subject), await _create(subject)
    portuguese = await _create(subject, replace(_NEW, locale="pt"))
    foreign = await _create(subject, replace(_NEW, tenant_id="t2"))
    for one in (first, portuguese, foreign, second):
        changed = await subject.templates.set_active(one.id, active=True)
        assert (changed.active, changed.activated_at_us > 0) == (True, True)
    found = await subject.templates.active(["t1", "t3"], "order.confirmed")
    assert found == [("t1", ActiveTemplate(SMS, second.id, "")), ("t1", ActiveTemplate(SMS, portuguese.id, "", "pt"))]
    assert [len(await subject.templates.active(["t2"], name)) for name in ("order.confirmed", "no.such")] == [1, 0]
    assert not (await subject.templates.get(first.id)).active
    again = await subject.templates.set_active(second.id, active=True)
    assert again.activated_at_us == (await subject.templates.get(second.id)).activated_at_us
    off = await subject.templates.set_active(second.id, active=False)
    assert (off.active, off.activated_at_us) == (False, again.activated_at_us)


async def test_pages_of_some_tenants(subject: Subject) -> None:
    """They hold the versions of these owners; an empty one is the platform."""
    mine, platforms, foreign = [
        (await _create(subject, replace(_NEW, tenant_id=tenant_id))).id for tenant_id in ("t1", "", "t2")
    ]
    assert await _page(subject, tenant_ids=["t1", ""]) == [platforms, mine]
    assert await _page(subject, tenant_ids=["t1", "t2", ""]) == [foreign, platforms, mine]
    assert await _page(subject, tenant_ids=["t1"]) == [mine]


async def test_a_version_is_superseded_only_while_it_is_active(subject: Subject) -> None:
    """Somebody may have activated another one meanwhile: that one stays."""
    old, new, third = [await _create(subject) for _ in range(3)]
    await subject.templates.set_active(old.id, active=True)
    assert (await subject.templates.supersede(old.id, new.id)).active
    await subject.templates.set_active(third.id, active=True)
    assert not (await subject.templates.supersede(old.id, new.id)).active
    assert (await subject.templates.get(third.id)).active


async def test_the_first_of_a_kind_is_made_once(subject: Subject) -> None:
    """Active at once; by several at the same moment, and where the tenant has an inactive one, not again."""
    new = replace(_NEW, tenant_id="", event_type="global.info")
    made = await asyncio.gather(*[subject.templates.create_first(new_id(), new) for _ in range(5)])
    assert sorted(made) == [False] * 4 + [True]
    [(tenant_id, _)] = await subject.templates.active([""], "global.info")
    assert tenant_id == ""
    await _create(subject)
    assert not await subject.templates.create_first(new_id(), _NEW)


async def test_pages_are_newest_first(subject: Subject) -> None:
    """By each filter, and behind the cursor."""
    news = [_NEW, replace(_NEW, channel=EMAIL), replace(_NEW, locale="pt"), replace(_NEW, tenant_id="t2")]
    news.append(replace(_NEW, event_type="order.shipped"))
    ids = [(await _create(subject, new)).id for new in news]
    await subject.templates.set_active(ids[2], active=True)
    assert await _page(subject) == ids[::-1]
    assert await _page(subject, limit=2) == [ids[4], ids[3]]
    assert await _page(subject, limit=2, cursor=ids[3]) == [ids[2], ids[1]]
    assert await _page(subject, tenant_ids=["t2"]) == [ids[3]]
    assert await _page(subject, event_type="order.shipped") == [ids[4]]
    assert await _page(subject, channel=EMAIL) == [ids[1]]
    assert await _page(subject, locale="pt") == await _page(subject, active_only=True) == [ids[2]]
    assert await _page(subject, locale="", tenant_ids=["t1"], event_type="order.confirmed") == [ids[1], ids[0]]


async def test_a_version_of_somebody_else_is_not_overlooked(subject: Subject) -> None:
    """Who started from an older version of the language is told the newer one; nothing is stored."""
    first = await _create(subject)
    newer = await _create_on(subject, first.id)
    with pytest.raises(NewerVersionError) as refused:
        await _create_on(subject, first.id)
    assert refused.value.newer == newer.id
    assert await _page(subject) == [newer.id, first.id]
    # Another language of it is written from any version, until somebody has written it meanwhile.
    portuguese = await _create_on(subject, first.id, replace(_NEW, locale="pt"))
    with pytest.raises(NewerVersionError) as refused:
        await _create_on(subject, newer.id, replace(_NEW, locale="pt"))
    assert refused.value.newer == portuguese.id
    assert (await _create_on(subject, newer.id)).version == 4
    for other in (replace(_NEW, tenant_id="t2"), replace(_NEW, event_type="x"), replace(_NEW, channel=EMAIL)):
        with pytest.raises(ClarionError) as invalid:
            await _create_on(subject, first.id, other)
        assert (invalid.value.code, invalid.value.fields[0][0]) == (Code.INVALID, "based_on")


async def _create_on(subject: Subject, based_on: str, new: NewTemplate = _NEW) -> TemplateVersion:
    source = TemplateSource(new.channel, new.subject, new.body)
    return await subject.templates.create(new_id(), new, source, [], based_on=based_on)


async def test_languages_have_their_newest_and_their_active_version(subject: Subject) -> None:
    """One entry each, in order, by each filter and behind the cursor."""
    older = await _create(subject, replace(_NEW, subject="old"))
    newest = await _create(subject, replace(_NEW, subject="new"))
    portuguese = await _create(subject, replace(_NEW, locale="pt"))
    mail = await _create(subject, replace(_NEW, channel=EMAIL, event_type="Invoice.Sent"))
    platform = await _create(subject, replace(_NEW, tenant_id="", event_type="global.info"))
    active = await subject.templates.set_active(older.id, active=True)
    await subject.templates.set_active((await _create(subject, replace(_NEW, tenant_id="t2"))).id, active=True)
    found = await _languages(subject, tenant_ids=["t1", ""])
    assert [one.newest_id for one in found] == [platform.id, mail.id, newest.id, portuguese.id]
    assert found[2] == TemplateLanguage(
        *("t1", "order.confirmed", SMS, "", newest.id, 2, "new", newest.created_at_us),
        *(older.id, 1, active.activated_at_us),
    )
    assert (found[3].active_id, found[3].active_version, found[3].activated_at_us) == ("", 0, 0)
    ordered = await _languages(subject, search="ORDER", tenant_ids=["t1"], active_only=True)
    assert [one.newest_id for one in ordered] == [newest.id]
    assert [one.newest_id for one in await _languages(subject, channel=EMAIL)] == [mail.id]
    assert len(await _languages(subject)) == 5
    assert [one.newest_id for one in await _languages(subject, limit=2, cursor=platform.id)] == [mail.id, newest.id]
    assert [one.newest_id for one in await _languages(subject, limit=1, cursor=older.id)] == [portuguese.id]


async def _languages(subject: Subject, **filters: Any) -> list[TemplateLanguage]:
    every: dict[str, Any] = {
        "tenant_ids": [],
        "search": "",
        "channel": 0,
        "active_only": False,
        "limit": 100,
        "cursor": "",
        **filters,
    }
    return await subject.templates.languages(**every)


async def test_sources_are_those_that_exist(subject: Subject) -> None:
    """As the versions were made."""
    version = await _create(subject)
    assert dict(await subject.templates.sources([version.id, "none"])) == {
        version.id: TemplateSource(SMS, "", "Hi {{name}}")
    }
    assert dict(await subject.templates.sources([])) == {}


async def test_a_default_locale_is_its_tenants(subject: Subject) -> None:
    """Empty where it has none."""
    await subject.set_locale("t1", "pt")
    assert [await subject.templates.default_locale(tenant_id) for tenant_id in ("t1", "t2")] == ["pt", ""]


async def test_what_is_not_there(subject: Subject) -> None:
    """NOT_FOUND, of all that is asked about one version."""
    there = (await _create(subject)).id
    for call in (
        subject.templates.get("none"),
        subject.templates.set_active("none", active=True),
        subject.templates.supersede("none", there),
        subject.templates.supersede(there, "none"),
    ):
        with pytest.raises(ClarionError) as refused:
            await call
        assert refused.value.code is Code.NOT_FOUND


_CALLS: list[Callable[[Subject], Awaitable[Any]]] = [
    _create,
    lambda subject: subject.templates.create_first(new_id(), _NEW),
    lambda subject: subject.templates.set_active("v", active=True),
    lambda subject: subject.templates.supersede("v", "w"),
    lambda subject: subject.templates.get("v"),
    _page,
    _languages,
    lambda subject: subject.templates.active(["t1"], "order.confirmed"),
    lambda subject: subject.templates.sources(["v"]),
    lambda subject: subject.templates.default_locale("t1"),
]


async def test_a_database_that_is_away(subject: Subject) -> None:
    """UNAVAILABLE, whatever is asked."""
    subject.go_away()
    for call in _CALLS:
        with pytest.raises(ClarionError) as away:
            await call(subject)
        assert away.value.code is Code.UNAVAILABLE
