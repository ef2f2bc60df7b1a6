"""What the router knows of the endpoints that subscribe to a type."""

from typing import Any

import pytest

from clarion.common.v1 import event_pb2
from runtime.ids import new_id
from services.domain import topology
from services.domain.endpoints import Subscriber
from services.domain.reasons import Reason
from services.router.definitions import Definition
from tests.unit.router.catalog_desk import TENANT, TYPE, Desk
from tests.unit.router.planning import an_event

SMS, WEBHOOK = event_pb2.CHANNEL_SMS, event_pb2.CHANNEL_WEBHOOK
_PUSH = {"channel": "PUSH", "template_version_id": "v1"}
_FIRST, _SECOND = Subscriber("e1", "live"), Subscriber("e2", "test", '{"==":[1,1]}')


def _event(*endpoint_ids: str, **fields: Any) -> event_pb2.Event:
    """An event for these endpoints and no people."""
    named = event_pb2.EndpointSet(endpoint_ids=endpoint_ids)
    event = event_pb2.Event(id=new_id(), tenant_id=TENANT, event_type=TYPE, endpoints=named)
    event.MergeFrom(event_pb2.Event(**fields))
    return event


def _known(desk: Desk) -> Definition:
    """Return what is known of the type from memory."""
    found = desk.catalog.from_memory(TENANT, TYPE)
    assert found is not None
    return found


async def test_subscribers_are_part_of_the_meaning() -> None:
    """As the copy has them at this moment, with their compiled filters; nobody is asked."""
    desk = Desk()
    desk.tenant()
    desk.templates(_PUSH)
    assert _known(desk).subscribers == ()
    desk.subscribers(_FIRST, _SECOND)
    found = _known(desk)
    assert (found.subscribers, list(found.filters)) == ((_FIRST, _SECOND), ["e2"])
    assert _known(desk) is found
    desk.tenant("PUSH")
    assert (_known(desk).subscribers, _known(desk).filters["e2"]) == (found.subscribers, found.filters["e2"])
    desk.subscribers(_SECOND)
    assert _known(desk).subscribers == (_SECOND,)
    desk.subscribers()
    assert _known(desk).subscribers == ()
    assert desk.caller.asked == []


async def test_a_type_with_subscribers_and_no_templates() -> None:
    """Its owner is asked for templates; then the endpoints get it, if the tenant uses the channel."""
    desk = Desk()
    desk.tenant("WEBHOOK")
    desk.subscribers(_FIRST)
    event = an_event()
    event.tenant_id = TENANT
    found = await desk.catalog.of_event(event)
    assert (found.subscribers, found.allowed) == ((_FIRST,), frozenset({WEBHOOK}))
    assert (found.workflows, found.reason) == ([], Reason.NO_ACTIVE_TEMPLATE)
    assert desk.caller.asked == ["ResolveTemplates"]


async def test_an_event_for_endpoints_alone_asks_nobody() -> None:
    """Templates say nothing about it, so that they are absent is no question."""
    desk = Desk()
    desk.tenant("WEBHOOK", "SMS")
    desk.subscribers(_SECOND)
    for found in (desk.catalog.at_hand(_event("e1")), await desk.catalog.of_event(_event())):
        assert found is not None
        assert (found.subscribers, found.allowed, found.workflows) == ((_SECOND,), frozenset({WEBHOOK, SMS}), ())
    first = desk.catalog.at_hand(_event("e1"))
    assert desk.catalog.at_hand(_event("e2")) is first
    desk.subscribers()
    again = desk.catalog.at_hand(_event("e1"))
    assert again is not None
    assert again.subscribers == ()
    assert desk.caller.asked == []


async def test_an_event_for_endpoints_and_people_needs_templates() -> None:
    """A replay for some of both."""
    desk = Desk()
    desk.tenant()
    event = _event("e1", recipient=event_pb2.Recipient(user_id="u"))
    assert desk.catalog.at_hand(event) is None
    await desk.catalog.of_event(event)
    assert desk.caller.asked == ["ResolveTemplates"]


async def test_a_tenant_that_the_copy_lacks() -> None:
    """Its owner is asked; one that it does not know gets nothing sent, whatever endpoints the event names."""
    desk = Desk()
    assert desk.catalog.at_hand(_event("e1")) is None
    unknown = await desk.catalog.of_event(_event("e1"))
    assert (unknown.is_refused, unknown.reason) == (True, Reason.TENANT_UNKNOWN)
    desk.owners.tenants.add(TENANT)
    desk.owners.policies[TENANT] = [SMS]
    found = await desk.catalog.of_event(_event("e1"))
    assert (found.is_refused, found.allowed) == (False, frozenset({SMS}))
    assert desk.caller.asked == ["GetTenant", "GetTenant"]


async def test_a_test_has_no_subscribers() -> None:
    """It is for its one template."""
    desk = Desk()
    desk.tenant()
    desk.subscribers(_FIRST)
    pin = event_pb2.PinnedTemplate(channel=event_pb2.CHANNEL_PUSH, template_version_id="draft")
    event = event_pb2.Event(id=new_id(), tenant_id=TENANT, event_type=TYPE, pinned=pin)
    assert desk.catalog.at_hand(event) is None
    assert (await desk.catalog.of_event(event)).subscribers == ()


async def test_the_memory_of_subscribers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenant that triggers ever new types does not fill it."""
    monkeypatch.setattr("services.router.catalog._MAX_MEMOS", 10)
    desk = Desk()
    desk.tenant()
    for number in range(50):
        desk.subscribers(_FIRST, event_type=f"type.{number}")
        event = _event("e1")
        event.event_type = f"type.{number}"
        assert desk.catalog.at_hand(event) is not None
    assert len(desk.catalog._endpoints_memo) <= 10
    assert len(desk.catalog._subscribers_memo) <= 10


def test_subscribers_of_another_type_are_not_known() -> None:
    """Nor another tenant's."""
    desk = Desk()
    desk.tenant()
    desk.templates(_PUSH)
    desk.subscribers(_FIRST, event_type="another.type")
    desk.watch.put(topology.subscribers_key(new_id(), TYPE), [_FIRST])
    assert _known(desk).subscribers == ()
