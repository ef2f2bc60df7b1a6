"""Templates and their layouts and partials over stores in memory: what is pinned, made again, chosen, refused."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from runtime.errors import ClarionError, Code
from services.render.frames import EMAIL, PUSH, SMS, Fault, TemplateSource
from services.render.parts import LAYOUT, MAX_PARTIALS, PARTIAL, NewPart, PartLibrary, UnsavedParts
from services.render.platform_templates import ensure
from services.render.platform_templates import templates as platform_templates
from services.render.templates import NewTemplate, TemplateLibrary
from tests.fakes.render import MemoryTemplates

_MAIL = NewTemplate("t1", "order.confirmed", EMAIL, "{{> greeting}}", "{{> row}}", layout="frame")
_SMS = NewTemplate("t1", "order.confirmed", SMS, "", "Hi {{name}}")


@dataclass
class Workshop:
    """Finds the faults that it was told of, and remembers what it was given."""

    faults: list[Fault] = field(default_factory=list)
    checked: list[TemplateSource] = field(default_factory=list)

    async def check(self, source: TemplateSource, budget: float) -> list[Fault]:
        """Return the faults."""
        self.checked.append(source)
        return self.faults

    async def diff(self, before: Mapping[str, str], after: Mapping[str, str], budget: float) -> str:
        """Return the names of what is compared."""
        return "\n".join([*before, *after])


class Desk:
    """The verbs over stores in memory."""

    def __init__(self) -> None:
        self.store = MemoryTemplates()
        self.workshop = Workshop()
        self.parts = PartLibrary(self.store.parts, self.workshop)
        self.templates = TemplateLibrary(self.store, self.workshop, self.parts)

    async def part(self, body: str, kind: int = PARTIAL, name: str = "row", tenant_id: str = "t1") -> str:
        """Save a layout or partial; return its id."""
        return (await self.parts.create(NewPart(tenant_id, kind, name, body), 1.0)).id

    async def refused(self, new: NewTemplate) -> ClarionError:
        """Return why a template is not saved."""
        with pytest.raises(ClarionError) as refused:
            await self.templates.create(new, 1.0)
        return refused.value


async def test_a_version_is_made_of_the_parts_of_its_day() -> None:
    """Those that it calls, those that these call, and the layout; what is saved later changes it no more."""
    desk = Desk()
    ids = [
        await desk.part("{{{content}}}{{> footer}}", LAYOUT, "frame"),
        await desk.part("{{> cell}}", name="row"),
        await desk.part("Hi", name="greeting"),
        await desk.part("c", name="cell"),
        await desk.part("f", name="footer", tenant_id=""),
    ]
    await desk.part("unused", name="unused")
    version = await desk.templates.create(_MAIL, 1.0)
    assert {part.id for part in version.parts} == set(ids)
    made = desk.store.made_of[version.id]
    assert made.layout == "{{{content}}}{{> footer}}"
    assert made.partials == {"row": "{{> cell}}", "greeting": "Hi", "cell": "c", "footer": "f"}
    await desk.part("new", name="cell")
    assert desk.store.made_of[version.id] == made


async def test_a_version_is_refreshed_with_the_parts_of_today() -> None:
    """Active where the old one was; CONFLICT where nothing is new."""
    desk = Desk()
    await desk.part("{{{content}}}", LAYOUT, "frame")
    await desk.part("old")
    await desk.part("Hi", name="greeting")
    old = await desk.templates.create(_MAIL, 1.0)
    with pytest.raises(ClarionError) as refused:
        await desk.templates.refresh(old.id, 1.0)
    assert refused.value.code is Code.CONFLICT
    await desk.part("new")
    assert not (await desk.templates.refresh(old.id, 1.0)).active
    await desk.store.set_active(old.id, active=True)
    new = await desk.templates.refresh(old.id, 1.0)
    assert (new.active, desk.store.made_of[new.id].partials["row"]) == (True, "new")
    assert not (await desk.store.get(old.id)).active


async def test_what_is_wrong_is_not_saved() -> None:
    """Neither what anyone can see, nor what only the workshop finds, nor a layout that there is not."""
    desk = Desk()
    assert (await desk.refused(replace(_SMS, body=""))).code is Code.INVALID
    assert desk.workshop.checked == []
    missing = await desk.refused(replace(_MAIL, body="b", subject="s"))
    assert missing.fields[0][0] == "layout"
    desk.workshop.faults = [Fault("body", 3, "there is no partial 'row'")]
    found = await desk.refused(_SMS)
    assert (found.code, found.fields[0][0]) == (Code.INVALID, "body")
    assert desk.store.versions == {}


async def test_partials_are_bounded() -> None:
    """However they call each other."""
    desk = Desk()
    for number in range(MAX_PARTIALS + 1):
        await desk.store.parts.create(f"v{number}", NewPart("t1", PARTIAL, f"p{number}", f"{{{{> p{number + 1}}}}}"))
    refused = await desk.refused(replace(_SMS, body="{{> p0}}"))
    assert refused.fields == (("body", f"must call at most {MAX_PARTIALS} partials"),)


async def test_drafts_come_before_what_is_saved() -> None:
    """And need not be there: nothing of them is pinned."""
    desk = Desk()
    await desk.part("saved")
    source, part_ids = await desk.templates.assemble(
        _MAIL, UnsavedParts("{{{content}}}", {"row": "draft", "greeting": "d"})
    )
    assert (source.layout, source.partials, part_ids) == ("{{{content}}}", {"row": "draft", "greeting": "d"}, [])


async def test_global_types_fall_back_to_the_platforms_versions() -> None:
    """For each channel and locale where the tenant has none; other types have the tenant's only."""
    desk = Desk()

    async def active(tenant_id: str, event_type: str, channel: int, locale: str = "") -> str:
        new = replace(_SMS, tenant_id=tenant_id, event_type=event_type, channel=channel, locale=locale)
        version = await desk.store.create(
            f"{tenant_id}/{event_type}/{channel}/{locale}", new, TemplateSource(SMS, "", "b"), []
        )
        return (await desk.store.set_active(version.id, active=True)).id

    for event_type in ("global.info", "order.confirmed"):
        for channel in (SMS, PUSH):
            await active("", event_type, channel)
    own = await active("t1", "global.info", SMS)
    portuguese = await active("t1", "global.info", SMS, "pt")
    found = [one.version_id for one in await desk.templates.resolve("t1", "global.info")]
    assert found == [own, portuguese, f"/global.info/{PUSH}/"]
    assert await desk.templates.resolve("t1", "order.confirmed") == []


async def test_two_versions_are_compared_by_what_differs() -> None:
    """Of one kind only; equal ones need no workshop."""
    desk = Desk()
    first, second = [await desk.templates.create(replace(_SMS, body=body), 1.0) for body in ("a", "b")]
    different = await desk.templates.diff(first.id, second.id, 1.0)
    assert (different.changed, different.unified) == (["body"], "body v1\nbody v2")
    assert (await desk.templates.diff(first.id, first.id, 1.0)).changed == []
    other = await desk.templates.create(replace(_SMS, event_type="order.shipped"), 1.0)
    for against, code in ((other.id, Code.INVALID), ("none", Code.NOT_FOUND)):
        with pytest.raises(ClarionError) as refused:
            await desk.templates.diff(first.id, against, 1.0)
        assert refused.value.code is code


async def test_the_platforms_templates_are_made_where_there_are_none() -> None:
    """Once, however often a process starts; what an operator has changed stays."""
    store = MemoryTemplates()
    for _ in range(2):
        await ensure(store)
    assert len(store.versions) == len(platform_templates())
    assert all(version.active for version in store.versions.values())
