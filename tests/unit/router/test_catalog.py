"""What the router knows: from the watched copy, else from the owners, asked once and shared."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from clarion.common.v1 import event_pb2
from clarion.render.v1 import templates_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from runtime.parts import INGEST, RENDER, SENDERS, PartAway
from services.domain import topology
from services.domain.reasons import Reason
from services.router.definitions import Definition, Step, Template, Workflow
from tests.unit.router.catalog_desk import INGEST_SERVICE, RENDER_SERVICE, SENDERS_SERVICE, TENANT, TYPE, Desk
from tests.waiting import eventually

EMAIL, SMS, PUSH = event_pb2.CHANNEL_EMAIL, event_pb2.CHANNEL_SMS, event_pb2.CHANNEL_PUSH


def _meaning(*steps: Step) -> list[Workflow]:
    return [Workflow(list(steps))]


def _templates(found: Definition) -> list[tuple[str, str]]:
    """Return the steps' names with their templates' versions."""
    return [
        (step.name, template.version_id)
        for workflow in found.workflows
        for step in workflow.steps
        for template in step.templates
    ]


def _template(channel: str, version: str, **fields: Any) -> dict[str, Any]:
    return {"channel": channel, "template_version_id": version, **fields}


_BRINGS: list[Callable[[Desk], None]] = [
    lambda desk: desk.tenant("SMS"),
    lambda desk: desk.templates(_template("SMS", "v1", locale="pt", subscribed=True)),
    lambda desk: desk.providers(p1="SMS", p2="SMS", p3="EMAIL"),
    lambda desk: desk.watch.put(topology.locale_key(TENANT), b"en"),
]
_WHOLE = Definition(
    _meaning(Step("sms", SMS, [Template("v1", "pt", subscribed=True)])), frozenset({SMS}), {SMS: ["p1", "p2"]}, "en"
)


@pytest.mark.parametrize("order", list(itertools.permutations(range(len(_BRINGS)))))
async def test_the_watch_may_bring_things_in_any_order(order: tuple[int, ...]) -> None:
    """Once the last one is there all of it is known, and no owner is asked."""
    desk = Desk()
    for place in order[:-1]:
        _BRINGS[place](desk)
        known = desk.catalog.from_memory(TENANT, TYPE)  # what it makes of this now must not be kept
        assert known is None or known != _WHOLE
    _BRINGS[order[-1]](desk)
    assert desk.catalog.from_memory(TENANT, TYPE) == await desk.ask() == _WHOLE
    assert desk.caller.asked == []


async def test_what_changes_is_known_at_once() -> None:
    """Of each kind; what did not change is made once."""
    desk = Desk()
    for bring in _BRINGS:
        bring(desk)
    first = desk.catalog.from_memory(TENANT, TYPE)
    assert desk.catalog.from_memory(TENANT, TYPE) is first
    desk.tenant()
    assert (await desk.ask()).allowed == frozenset()
    desk.templates(_template("SMS", "v2"))
    assert _templates(await desk.ask()) == [("sms", "v2")]
    desk.providers(p9="SMS")
    assert (await desk.ask()).providers == {SMS: ["p9"]}
    desk.watch.put(topology.locale_key(TENANT), None)
    assert (await desk.ask()).default_locale == ""
    assert desk.caller.asked == []


def test_a_tenant_is_inactive_if_the_copy_says_so() -> None:
    """One that is not in the copy, or of which a version before wrote nothing, is not."""
    desk = Desk()
    assert not desk.catalog.is_inactive(TENANT)
    desk.tenant()
    assert not desk.catalog.is_inactive(TENANT)
    desk.watch.put(topology.tenant_key(TENANT), {"id": TENANT, "active": False})
    assert desk.catalog.is_inactive(TENANT)
    assert not desk.catalog.is_inactive(new_id())
    desk.watch.put(topology.tenant_key(TENANT), {"id": TENANT, "active": True})
    assert not desk.catalog.is_inactive(TENANT)


async def test_another_tenants_things_are_not_known() -> None:
    """Each tenant has its own."""
    desk = Desk()
    for bring in _BRINGS:
        bring(desk)
    assert desk.catalog.from_memory(new_id(), TYPE) is None
    assert desk.catalog.from_memory(TENANT, "another.type") is None


async def test_a_template_that_is_not_there_is_asked_of_its_owner_once() -> None:
    """Only its owner can say for an event that there is none; no provider and no tenant is asked for it."""
    desk = Desk()
    desk.tenant()
    assert await desk.ask() == Definition()
    assert desk.caller.asked == ["ResolveTemplates"]


async def test_create_then_trigger_works_before_the_watch_brings_it() -> None:
    """Each part that the copy lacks is asked of its own owner, and what is asked is the whole answer."""
    desk = Desk()
    desk.owners.tenants.add(TENANT)
    desk.owners.policies[TENANT] = [SMS, PUSH]
    desk.owners.locales[TENANT] = "en"
    desk.owners.templates[TENANT, TYPE] = [
        templates_pb2.ActiveTemplate(channel=SMS, template_version_id="v1", locale="pt", subscribed=True),
        templates_pb2.ActiveTemplate(channel=PUSH, template_version_id="v2", push_namespace="orders"),
    ]
    desk.owners.providers[TENANT, SMS] = ["p1"]
    found = await desk.ask()
    assert found == Definition(
        _meaning(
            Step("sms", SMS, [Template("v1", "pt", subscribed=True)]),
            Step("push", PUSH, [Template("v2", push_namespace="orders")]),
        ),
        frozenset({SMS, PUSH}),
        {SMS: ["p1"]},
        "en",
    )
    assert desk.caller.asked == ["ResolveTemplates", "GetTenant", "ResolveProviders"]


async def test_only_what_the_copy_lacks_is_asked() -> None:
    """A provider that was made just now, for a template that is known."""
    desk = Desk()
    desk.tenant()
    desk.templates(_template("SMS", "v1"), _template("EMAIL", "v2"), _template("PUSH", "v3"))
    desk.providers(p1="SMS")
    desk.owners.providers[TENANT, EMAIL] = ["p2"]
    assert (await desk.ask()).providers == {SMS: ["p1"], EMAIL: ["p2"]}
    assert desk.caller.asked == ["ResolveProviders"]


async def test_push_needs_no_provider() -> None:
    """A tenant without any is known from memory alone."""
    desk = Desk()
    desk.tenant()
    desk.templates(_template("PUSH", "v1", push_namespace="orders"))
    known = desk.catalog.from_memory(TENANT, TYPE)
    assert known is not None
    assert (known.providers, desk.caller.asked) == ({}, [])


async def test_what_is_deleted_is_asked_of_its_owner_again() -> None:
    """The copy may be ahead of the owner's other processes: only the owner says that there is none."""
    desk = Desk()
    for bring in _BRINGS:
        bring(desk)
    await desk.ask()
    desk.templates()
    assert await desk.ask() == Definition()
    desk.templates(_template("SMS", "v1"))
    desk.providers()
    assert (await desk.ask()).providers == {SMS: []}
    assert desk.caller.asked == ["ResolveTemplates", "ResolveProviders"]


async def test_a_templates_version_is_asked_for_once() -> None:
    """It never changes; but one that does not exist yet may exist later."""
    desk = Desk()
    ask = desk.catalog.template_version
    assert await ask(TENANT, TYPE, SMS, 3) is None
    desk.owners.templates[TENANT, TYPE] = [
        templates_pb2.ActiveTemplate(channel=SMS, template_version_id="v3", locale="de", subscribed=True)
    ]
    for _ in range(3):
        assert await ask(TENANT, TYPE, SMS, 3) == Template("v3", "de", subscribed=True)
    assert desk.owners.asked == ["ResolveTemplates"] * 2
    assert [await ask(TENANT, TYPE, *other) for other in ((EMAIL, 3), (SMS, 4))] == [None, None]


async def test_askers_at_once_share_one_question() -> None:
    """A flood of events of an unknown type is one question of each kind; another type's is another one."""
    desk = Desk()
    desk.tenant()
    desk.owners.templates[TENANT, TYPE] = [templates_pb2.ActiveTemplate(channel=SMS, template_version_id="v1")]
    answers = await asyncio.gather(*[desk.ask() for _ in range(200)], desk.ask("another.type"))
    assert desk.caller.asked.count("ResolveTemplates") == 2
    assert desk.caller.asked.count("ResolveProviders") == 1
    assert [len(answer.workflows) for answer in answers] == [1] * 200 + [0]


async def test_an_asker_that_gives_up_leaves_the_answer_to_the_others() -> None:
    """The question goes on."""
    desk = Desk()
    desk.owners.gate.clear()
    first, second = (asyncio.create_task(desk.ask()) for _ in range(2))
    await eventually(lambda: desk.caller.asked)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    desk.owners.gate.set()
    assert await second == Definition()
    assert desk.caller.asked == ["ResolveTemplates"]


@pytest.mark.parametrize(
    ("service", "part"), [(INGEST_SERVICE, INGEST), (RENDER_SERVICE, RENDER), (SENDERS_SERVICE, SENDERS)]
)
async def test_an_owner_that_is_away_is_no_word_that_there_is_none(service: str, part: str) -> None:
    """Its name is told, so that the event waits for it; when it is back it is asked again."""
    desk = Desk()
    desk.owners.tenants.add(TENANT)
    desk.owners.templates[TENANT, TYPE] = [templates_pb2.ActiveTemplate(channel=SMS, template_version_id="v1")]
    desk.owners.providers[TENANT, SMS] = ["p1"]
    desk.caller.away.add(service)
    with pytest.raises(PartAway) as away:
        await desk.ask()
    assert away.value.part == part
    desk.caller.away.clear()
    found = await desk.own.until_answered(desk.ask)
    assert (_templates(found), found.providers) == ([("sms", "v1")], {SMS: ["p1"]})


async def test_a_tenant_that_its_owner_does_not_know() -> None:
    """NOT_FOUND, which is no outage: the event is skipped for it."""
    desk = Desk()
    desk.templates(_template("PUSH", "v1"))
    with pytest.raises(ClarionError) as refused:
        await desk.ask()
    assert refused.value.code is Code.NOT_FOUND
    assert not desk.own.is_away(INGEST)
    event = event_pb2.Event(id=new_id(), tenant_id=TENANT, event_type=TYPE)
    assert await desk.catalog.of_event(event) == Definition(reason=Reason.TENANT_UNKNOWN)


async def test_an_outage_does_not_reach_what_is_known() -> None:
    """With all owners away, events of known types are routed from memory."""
    desk = Desk()
    for bring in _BRINGS:
        bring(desk)
    desk.caller.away |= {INGEST_SERVICE, RENDER_SERVICE, SENDERS_SERVICE}
    assert await desk.ask() == _WHOLE
    assert desk.caller.asked == []


async def test_the_platforms_templates_are_used_where_the_tenant_has_none() -> None:
    """Channel by channel and locale by locale. Which types it offers is up to its owner; the router takes them all."""
    desk = Desk()
    desk.tenant()
    desk.providers(p1="SMS", p2="EMAIL")
    for event_type in ("offered", "another"):
        desk.templates(_template("SMS", "theirs"), _template("EMAIL", "theirs"), event_type=event_type, tenant_id="")
    desk.templates(_template("SMS", "own"), _template("SMS", "own-pt", locale="pt"), event_type="offered")
    assert _templates(await desk.ask("offered")) == [("email", "theirs"), ("sms", "own"), ("sms", "own-pt")]
    assert _templates(await desk.ask("another")) == [("email", "theirs"), ("sms", "theirs")]
    assert desk.caller.asked == []
    assert await desk.ask(TYPE) == Definition()


async def test_a_test_uses_its_one_template() -> None:
    """Whatever is active; its provider and the tenant's policy are looked up as for any event."""
    desk = Desk()
    desk.tenant("SMS")
    desk.templates(_template("SMS", "active"))
    desk.providers(p1="SMS")
    pin = event_pb2.PinnedTemplate(channel=SMS, template_version_id="draft", locale="pt")
    found = await desk.catalog.of_event(event_pb2.Event(id=new_id(), tenant_id=TENANT, pinned=pin))
    assert found == Definition(
        _meaning(Step("sms", SMS, [Template("draft", "pt")])), frozenset({SMS}), {SMS: ["p1"]}, "pt"
    )
    assert desk.caller.asked == []


async def test_the_memory_of_what_was_made_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenant that triggers ever new types does not fill it."""
    monkeypatch.setattr("services.router.catalog._MAX_MEMOS", 10)
    desk = Desk()
    desk.tenant()
    for number in range(50):
        desk.templates(_template("PUSH", f"v{number}"), event_type=f"type.{number}")
        assert desk.catalog.from_memory(TENANT, f"type.{number}") is not None
    assert len(desk.catalog._memo) <= 10
