"""An event's endpoints: which they are, their deliveries, and the reasons for skipping some."""

import pytest

from clarion.common.v1 import event_pb2, trace_pb2
from services.domain import delivery_ids
from services.domain.reasons import Reason
from services.router.definitions import Definition
from services.router.messages import MAX_INLINE_BODIES, MAX_INLINE_BODY, MAX_PLANNED, records
from tests.unit.router.planning import (
    EMAIL,
    EVENT_ID,
    PUSH,
    SMS,
    an_event,
    by_id,
    decisions,
    definition,
    everything,
    for_audience,
    planned,
    stored,
    subscriber,
)

WEBHOOK = event_pb2.CHANNEL_WEBHOOK
_TWO = [subscriber("e1"), subscriber("e2", "test")]
_PAID = '{"==":[{"var":"payload.status"},"paid"]}'


def _only_endpoints(*ids: str, **fields: object) -> event_pb2.Event:
    """An event for these endpoints and no people."""
    event = an_event(endpoints=event_pb2.EndpointSet(endpoint_ids=ids), **fields)
    event.ClearField("recipient")
    return event


def _endpoints(plan: object) -> list[tuple[str, str]]:
    """Return the endpoints of a plan, each with its reason."""
    return [(one.endpoint_id, one.reason) for one in plan.planned if one.channel == WEBHOOK]  # type: ignore[attr-defined]


def test_subscribers_get_an_event_beside_its_recipient() -> None:
    """Each once, on a channel of their own, with the body and without the person."""
    event = an_event(variables=b'{"a":1}', payload_extra=b'{"b":2}', trace_id="t", accepted_at_us=3)
    plan = planned(event, definition(subscribers=_TWO), now_us=5)
    assert decisions(plan) == {EMAIL: "", SMS: "", PUSH: "", WEBHOOK: ""}
    assert _endpoints(plan) == [("e1", ""), ("e2", "")]
    one, other = plan.deliveries[-2:]
    assert one == event_pb2.Delivery(
        id=one.id,
        event_id=event.id,
        tenant_id=event.tenant_id,
        event_type=event.event_type,
        channel=WEBHOOK,
        variables=event.variables,
        trace_id="t",
        accepted_at_us=3,
        planned_at_us=5,
        attempt=1,
        webhook=event_pb2.Webhook(endpoint_id="e1", user_id="u"),
    )
    assert (other.webhook.endpoint_id, other.variables) == ("e2", event.variables)
    assert plan.planned[-1] == trace_pb2.PlannedDelivery(
        delivery_id=other.id, channel=WEBHOOK, status=trace_pb2.DELIVERY_STATUS_QUEUED, endpoint_id="e2"
    )
    assert not plan.reason


def test_ids_are_those_that_ingest_answers() -> None:
    """They never change, and are the same whether the endpoint was named or subscribes."""
    named = planned(_only_endpoints("e1"), definition()).deliveries[0].id
    subscribed = planned(an_event(), definition(subscribers=_TWO)).deliveries[-2].id
    assert named == subscribed == "01938b1c-7d5a-8bec-a3ea-2fe4a8d5ebfe"
    assert named == delivery_ids.delivery_id(_only_endpoints(), WEBHOOK, "e1", step="webhook")
    assert named[:13] == EVENT_ID[:13]


def test_an_event_of_an_environment() -> None:
    """Only endpoints of its scope get it; an event without one is for all."""
    assert _endpoints(planned(an_event(scope="test"), definition(subscribers=_TWO))) == [("e2", "")]
    assert _endpoints(planned(an_event(scope="none"), definition(subscribers=_TWO))) == []
    assert len(_endpoints(planned(an_event(), definition(subscribers=_TWO)))) == 2


def test_an_event_for_the_endpoints_that_were_answered() -> None:
    """Exactly these, each once, whoever subscribes now; people have no part in it."""
    plan = planned(_only_endpoints("e9", "e1", "e9"), definition(subscribers=_TWO))
    assert [(one.channel, one.endpoint_id, one.reason) for one in plan.planned] == [
        (WEBHOOK, "e9", ""),
        (WEBHOOK, "e1", ""),
    ]
    assert plan.reason == ""


@pytest.mark.parametrize("templates", [[], None], ids=["no templates", "templates"])
def test_an_event_for_no_endpoint(templates: list[object] | None) -> None:
    """The record says that nobody subscribes, whatever templates there are."""
    meaning = definition(subscribers=_TWO) if templates is None else definition([], subscribers=_TWO)
    plan = planned(_only_endpoints(), meaning)
    assert (list(plan.deliveries), list(plan.planned), plan.reason) == ([], [], Reason.NO_SUBSCRIBER)


def test_a_type_without_templates() -> None:
    """Its subscribers get it, and the record still says why no message was sent."""
    plan = planned(an_event(), definition([], subscribers=_TWO))
    assert _endpoints(plan) == [("e1", ""), ("e2", "")]
    assert plan.reason == "no_active_template"
    assert records(an_event(), plan)[-1].routed.reason == "no_active_template"


def test_an_event_that_names_nobody() -> None:
    """Subscribers are somebody; without them it is for nobody."""
    nobody = an_event()
    nobody.ClearField("recipient")
    assert planned(nobody, definition(subscribers=_TWO)).reason == ""
    assert planned(nobody, definition()).reason == "no_recipient"
    excluded = planned(for_audience(by_id("ada"), excluded=["ada"]), definition(subscribers=_TWO))
    assert (excluded.reason, len(excluded.deliveries)) == ("no_recipient", 2)


def test_endpoints_are_planned_once_for_an_event() -> None:
    """And not for each of its recipients; no single person is the one whom its body is about."""
    plan = planned(for_audience(by_id("ada"), by_id("bob")), definition(subscribers=_TWO), stored("ada", "bob"))
    assert len(_endpoints(plan)) == 2
    assert {one.webhook.user_id for one in plan.deliveries} == {""}


def test_a_test_of_a_template_reaches_no_endpoint() -> None:
    """Its definition has no subscribers; the event names none."""
    event = an_event(pinned=event_pb2.PinnedTemplate(channel=EMAIL, template_version_id="v"))
    assert not _endpoints(planned(event, definition()))


def test_a_request_that_names_channels() -> None:
    """Endpoints that subscribe get it only if WEBHOOK is named; those that the caller was told of get it anyway."""
    meaning = definition(subscribers=_TWO)
    assert _endpoints(planned(an_event(channels=[EMAIL]), meaning)) == [
        ("e1", "not_requested"),
        ("e2", "not_requested"),
    ]
    only = planned(an_event(channels=[WEBHOOK]), meaning)
    assert decisions(only) == {EMAIL: "not_requested", SMS: "not_requested", PUSH: "not_requested", WEBHOOK: ""}
    assert _endpoints(planned(_only_endpoints("e1", channels=[EMAIL]), meaning)) == [("e1", "")]


def test_a_request_for_webhooks_that_nobody_subscribes_to() -> None:
    """No delivery stands for them, but the record says so."""
    plan = planned(an_event(channels=[WEBHOOK, EMAIL]), definition())
    assert decisions(plan) == {EMAIL: "", SMS: "not_requested", PUSH: "not_requested"}
    assert plan.reason == "no_subscriber"
    assert planned(an_event(channels=[EMAIL]), definition()).reason == ""


def test_a_tenant_that_sends_no_webhooks() -> None:
    """By its list of channels."""
    for event in (an_event(), _only_endpoints("e1", "e2")):
        plan = planned(event, definition(subscribers=_TWO, allowed=[EMAIL]))
        assert {reason for _, reason in _endpoints(plan)} == {"tenant_policy"}
    assert {
        reason for _, reason in _endpoints(planned(an_event(), definition(subscribers=_TWO, allowed=[WEBHOOK])))
    } == {""}


def test_an_unknown_tenant() -> None:
    """Nothing is sent, whatever endpoints the event names."""
    plan = planned(_only_endpoints("e1"), Definition(reason=Reason.TENANT_UNKNOWN))
    assert (list(plan.deliveries), list(plan.planned), plan.reason) == ([], [], "tenant_unknown")


def test_filters() -> None:
    """An endpoint whose filter does not match is skipped, its siblings are not; also where the endpoints are named."""
    some = [subscriber("e1", rule=_PAID), subscriber("e2"), subscriber("e3", rule='{"+":["x",1]}')]
    for event in (an_event, lambda **fields: _only_endpoints("e1", "e2", "e3", **fields)):
        paid = planned(event(variables=b'{"status":"paid"}'), definition(subscribers=some))
        assert _endpoints(paid) == [("e1", ""), ("e2", ""), ("e3", "not_matched")]
        other = planned(event(variables=b'{"status":"open"}'), definition(subscribers=some))
        assert _endpoints(other) == [("e1", "not_matched"), ("e2", ""), ("e3", "not_matched")]


def test_a_canceled_event() -> None:
    """Nothing is sent."""
    plan = planned(an_event(), definition(subscribers=_TWO), asked=everything(canceled=True))
    assert {one.reason for one in plan.planned} == {"canceled"}


def test_an_erased_recipient() -> None:
    """The body is about them, so endpoints do not get it; what is for others, or for nobody, they get."""
    erased, meaning = everything(erased="recipient_erased"), definition(subscribers=_TWO)
    alone = planned(an_event(), meaning, asked=erased)
    assert {one.reason for one in alone.planned} == {"recipient_erased"}
    all_of_them = for_audience(by_id("ada"), by_id("bob"))
    assert {reason for _, reason in _endpoints(planned(all_of_them, meaning, asked=erased))} == {"recipient_erased"}
    with_a_group = for_audience(by_id("ada"), event_pb2.Target(group="vip"))
    assert {reason for _, reason in _endpoints(planned(with_a_group, meaning, asked=erased))} == {""}
    assert _endpoints(planned(_only_endpoints("e1"), meaning, asked=erased)) == [("e1", "")]
    named = event_pb2.Contact(recipient=event_pb2.Recipient(user_id="ada"))
    contact = for_audience(event_pb2.Target(contact=named))
    assert {reason for _, reason in _endpoints(planned(contact, meaning, asked=erased))} == {"recipient_erased"}


def test_several_reasons() -> None:
    """The first of the order is recorded."""
    unmatched = [subscriber("e1", rule='{"==":[1,2]}')]
    event, meaning = an_event(channels=[EMAIL]), definition(subscribers=unmatched, allowed=[EMAIL])
    found = [
        _endpoints(planned(event, meaning, asked=everything(erased="recipient_erased", canceled=True))),
        _endpoints(planned(event, meaning, asked=everything(erased="recipient_erased"))),
        _endpoints(planned(event, meaning)),
        _endpoints(planned(event, definition(subscribers=unmatched))),
        _endpoints(planned(an_event(), definition(subscribers=unmatched))),
    ]
    assert [reason for ((_, reason),) in found] == [
        "canceled",
        "recipient_erased",
        "tenant_policy",
        "not_requested",
        "not_matched",
    ]


def test_many_endpoints() -> None:
    """At most so many decisions a record; together they are the plan."""
    event = an_event()
    plan = planned(event, definition(subscribers=[subscriber(f"e{n}") for n in range(1_201)]))
    written = records(event, plan)
    assert [len(one.routed.deliveries) for one in written] == [MAX_PLANNED, MAX_PLANNED, 1_204 - 2 * MAX_PLANNED]
    assert [one.routed.continues for one in written] == [True, True, False]
    assert written[-1].routed.total == 1_204 == len({one.delivery_id for one in plan.planned})


def test_the_body_of_an_event_to_many() -> None:
    """It is stored once, where copies of it would take more than all of a stream's share."""
    many = [subscriber(f"e{n}") for n in range(300)]
    small = planned(an_event(variables=b"v" * (MAX_INLINE_BODIES // 300)), definition(subscribers=many), sequence=7)
    assert not any(one.HasField("body_reference") for one in small.deliveries)
    large = planned(an_event(variables=b"v" * (MAX_INLINE_BODIES // 300 + 1)), definition(subscribers=many), sequence=7)
    assert {(one.body_reference.sequence, one.variables) for one in large.deliveries} == {(7, b"")}
    alone = planned(an_event(variables=b"v" * MAX_INLINE_BODY), definition(subscribers=_TWO), sequence=7)
    assert not any(one.HasField("body_reference") for one in alone.deliveries)
