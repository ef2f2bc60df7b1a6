"""The deliveries of an event, and the reasons for skipping others."""

import dataclasses
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.common.v1 import event_pb2, trace_pb2
from services.router.definitions import Definition, Step, Template, Workflow
from services.router.messages import MAX_INLINE_BODY
from services.router.plan import plan
from services.router.ports import Person
from tests.unit.router.planning import (
    ALL,
    EMAIL,
    EVENT_ID,
    PROVIDERS,
    PUSH,
    SMS,
    an_event,
    by_id,
    decisions,
    definition,
    described,
    everything,
    for_audience,
    planned,
    stored,
)


def test_every_active_template_is_dispatched() -> None:
    """All channels, each with its template and best provider."""
    plan = planned(an_event(), definition(), now_us=5)
    assert decisions(plan) == {EMAIL: "", SMS: "", PUSH: ""}
    assert [(d.channel, d.template_version_id, d.provider_id) for d in plan.deliveries] == [
        (EMAIL, "t-email", "mail-1"),
        (SMS, "t-sms", "sms-1"),
        (PUSH, "t-push", ""),
    ]
    assert [delivery.push_namespace for delivery in plan.deliveries] == ["", "", "orders"]
    assert all(delivery.attempt == 1 and delivery.planned_at_us == 5 for delivery in plan.deliveries)
    assert [d.id for d in plan.deliveries] == [one.delivery_id for one in plan.planned]


def test_a_delivery_has_what_its_event_has() -> None:
    """So that it can be sent without the event."""
    event = an_event(variables=b'{"a":1}', payload_extra=b'{"b":2}', trace_id="trace", accepted_at_us=3)
    (delivery,) = planned(event, definition([(EMAIL, Template("v", subscribed=True))]), now_us=5).deliveries
    assert delivery == event_pb2.Delivery(
        id=delivery.id,
        event_id=event.id,
        tenant_id=event.tenant_id,
        event_type=event.event_type,
        channel=EMAIL,
        recipient=event.recipient,
        variables=event.variables,
        payload_extra=event.payload_extra,
        template_version_id="v",
        provider_id="mail-1",
        subscribed=True,
        trace_id="trace",
        accepted_at_us=3,
        planned_at_us=5,
        attempt=1,
    )


def test_a_request_for_a_later_versions_channel() -> None:
    """This version knows nothing to record about it; the others that it names are planned."""
    event = an_event(channels=[99, EMAIL])
    assert decisions(planned(event, definition())) == {EMAIL: "", SMS: "not_requested", PUSH: "not_requested"}


def test_planning_twice_gives_the_same_deliveries() -> None:
    """Whatever the order of the templates; only the time of planning differs."""
    once = planned(an_event(), definition(), now_us=1)
    again = planned(an_event(), definition(ALL[::-1]), now_us=2)
    assert len({d.id for d in once.deliveries}) == 3
    assert _bytes(once.planned) == _bytes(again.planned)
    for delivery in again.deliveries:
        delivery.planned_at_us = 1
    assert _bytes(once.deliveries) == _bytes(again.deliveries)


@pytest.mark.parametrize(
    ("event_id", "user_id", "ids"),
    [
        (
            "01938b1c-0000-7000-8000-000000000001",
            "u1",
            [
                "01d0bd2e-00e2-8057-86c0-6f7f544e996c",
                "b49504a6-5b34-8d1a-883b-74ba2409d2ae",
                "46c3233c-3aaf-8a14-9459-f491454f45bf",
            ],
        ),
        (
            "01938b1c-7d5a-7e11-9c3a-0242ac120002",
            "ana@x|ü",
            [
                "09782d1e-9962-8ae9-8bbf-69bbda28c271",
                "565d9406-4b01-8793-b90c-fe2e986dc69a",
                "50469dee-2221-8224-9a54-160c9d3af2af",
            ],
        ),
    ],
)
def test_an_event_of_an_earlier_version_keeps_its_ids(event_id: str, user_id: str, ids: list[str]) -> None:
    """These were computed by the version that accepted such events: an event that it also planned is not sent again."""
    event = an_event(recipient={"user_id": user_id})
    event.id, event.id_scheme = event_id, 0
    assert [delivery.id for delivery in planned(event, definition()).deliveries] == ids


def test_ids_never_change() -> None:
    """Streams, retries and the ledger know a delivery by its id for months. It begins with its event's time."""
    ids = [delivery.id for delivery in planned(an_event(), definition()).deliveries]
    assert ids == [
        "01938b1c-7d5a-87b7-be22-4b6443fc7c7e",
        "01938b1c-7d5a-8cb5-8337-f201ce7e7166",
        "01938b1c-7d5a-85af-a43d-223196520ab2",
    ]
    assert {id_[:13] for id_ in ids} == {EVENT_ID[:13]}


def test_workflows_that_match_the_same_event() -> None:
    """Steps of the same name and channel are different deliveries."""
    steps = [Step("email", EMAIL, [Template("v1")]), Step("reminder", EMAIL, [Template("v2")])]
    workflows = [Workflow(steps), Workflow(steps, id="w")]
    plan = planned(an_event(), Definition(workflows, frozenset(), PROVIDERS))
    assert len({delivery.id for delivery in plan.deliveries}) == 4
    assert [delivery.step for delivery in plan.deliveries] == ["", "reminder", "", "reminder"]
    assert [one.step for one in plan.planned] == ["", "reminder", "", "reminder"]


def test_no_template() -> None:
    """Accepted, nothing sent, and the record says why."""
    plan = planned(an_event(), definition([]))
    assert plan == ((), (), "no_active_template")


def test_no_recipient() -> None:
    """All of the audience are excluded, or there is none."""
    nobody = an_event()
    nobody.ClearField("recipient")
    for event in (nobody, for_audience(by_id("ada"), excluded=["ada"])):
        plan = planned(event, definition())
        assert plan == ((), (), "no_recipient")


def test_a_channel_asked_for_by_name_without_a_template() -> None:
    """It is skipped with that reason, after the policy; channels that the request does not name are left out."""
    only_push = definition([(PUSH, Template("t-push"))], allowed=[PUSH, SMS])
    plan = planned(an_event(channels=[EMAIL, SMS]), only_push)
    assert decisions(plan) == {EMAIL: "tenant_policy", SMS: "no_active_template", PUSH: "not_requested"}
    assert not plan.deliveries
    assert decisions(planned(an_event(), only_push)) == {PUSH: ""}
    localised = definition([(PUSH, Template("t-push", locale="pt"))], default_locale="pt")
    assert decisions(planned(an_event(channels=[SMS, PUSH]), localised)) == {SMS: "no_active_template", PUSH: ""}


def test_policy_and_override() -> None:
    """The request can only narrow the tenant's policy."""
    plan = planned(an_event(channels=[EMAIL, SMS]), definition(allowed=[EMAIL, PUSH]))
    assert decisions(plan) == {EMAIL: "", SMS: "tenant_policy", PUSH: "not_requested"}
    assert [delivery.channel for delivery in plan.deliveries] == [EMAIL]


def test_addresses() -> None:
    """A missing or malformed address skips its channel only."""
    missing = planned(an_event(recipient={"email": "", "phone": ""}), definition())
    assert decisions(missing) == {EMAIL: "missing_email", SMS: "missing_phone", PUSH: ""}
    malformed = planned(an_event(recipient={"email": "a@b@c\r\nBcc: x", "phone": "0712"}), definition())
    assert decisions(malformed) == {EMAIL: "malformed_email", SMS: "malformed_phone", PUSH: ""}


def test_addresses_as_people_write_them() -> None:
    """An address that senders can use is planned, and stays as the caller wrote it."""
    written = {"email": " ada@example.com ", "phone": "+254 712 345 678"}
    plan = planned(an_event(recipient=written), definition())
    assert decisions(plan) == {EMAIL: "", SMS: "", PUSH: ""}
    assert {(one.recipient.email, one.recipient.phone) for one in plan.deliveries} == {tuple(written.values())}


def test_no_provider() -> None:
    """Push needs no provider; the other channels are skipped."""
    plan = planned(an_event(), definition(providers={}))
    assert decisions(plan) == {EMAIL: "no_provider", SMS: "no_provider", PUSH: ""}
    statuses = [one.status for one in plan.planned]
    assert statuses.count(trace_pb2.DELIVERY_STATUS_SKIPPED) == 2


def test_a_small_body_travels_with_each_delivery() -> None:
    """The bound is for variables and payload together."""
    body = {"variables": b"v" * (MAX_INLINE_BODY - 2), "payload_extra": b"{}"}
    plan = planned(an_event(**body), definition(), sequence=7)
    assert {(d.variables, d.payload_extra) for d in plan.deliveries} == {(body["variables"], b"{}")}
    assert not any(d.HasField("body_reference") for d in plan.deliveries)


def test_a_large_body_is_referred_to() -> None:
    """One byte more, and deliveries carry a reference with its size instead."""
    event = an_event(variables=b"v" * (MAX_INLINE_BODY - 1), payload_extra=b"{}")
    plan = planned(event, definition(), sequence=7)
    assert {(d.variables, d.payload_extra) for d in plan.deliveries} == {(b"", b"")}
    references = {(d.body_reference.sequence, d.body_reference.size) for d in plan.deliveries}
    assert references == {(7, MAX_INLINE_BODY + 1)}


def test_an_event_that_is_kept_without_its_body() -> None:
    """Its deliveries refer to the body; for its size counts what the event weighs, which is more."""
    found = plan(
        an_event(weight=9_000),
        definition(),
        [Person(an_event().recipient, "u")],
        everything(),
        now_us=0,
        sequence=7,
    )
    references = {(d.body_reference.sequence, d.body_reference.size) for d in found.deliveries}
    assert references == {(7, 9_000)}


def test_each_of_an_audience_is_planned() -> None:
    """Each with their own addresses, templates and reasons; the record says whose delivery it is."""
    event = for_audience(described("ada", email="ada@example.com"), by_id("bob"), by_id("nobody"))
    plan = planned(event, definition(), stored("bob", muted=[SMS]))
    assert [(one.recipient.user_id, one.channel, one.reason) for one in plan.planned] == [
        ("ada", EMAIL, ""),
        ("ada", SMS, "missing_phone"),
        ("ada", PUSH, ""),
        ("bob", EMAIL, ""),
        ("bob", SMS, "channel_muted"),
        ("bob", PUSH, ""),
        ("nobody", EMAIL, "recipient_unknown"),
        ("nobody", SMS, "recipient_unknown"),
        ("nobody", PUSH, "recipient_unknown"),
    ]
    assert [(one.recipient.user_id, one.recipient.email) for one in plan.deliveries if one.channel == EMAIL] == [
        ("ada", "ada@example.com"),
        ("bob", "bob@example.com"),
    ]
    assert len({one.delivery_id for one in plan.planned}) == 9


def test_an_only_recipient_is_not_repeated_in_the_record() -> None:
    """The event has it; records of one-recipient events stay as small as they were."""
    assert not any(one.HasField("recipient") for one in planned(an_event(), definition()).planned)


def test_an_address_can_be_corrected() -> None:
    """The delivery stays the same one: it is not sent a second time."""
    one, other = (planned(an_event(recipient={"email": email}), definition()) for email in ("a@x.org", "b@x.org"))
    assert [d.id for d in one.deliveries] == [d.id for d in other.deliveries]


def test_people_without_an_id_are_told_apart_by_their_place() -> None:
    """Two people who are known by their address only; a push reaches nobody without an id."""
    event = for_audience(described(email="a@example.com"), described(email="b@example.com"), described("ada"))
    plan = planned(event, definition())
    assert len({one.delivery_id for one in plan.planned}) == 9
    assert len(plan.deliveries) == 3
    assert {(one.recipient.email, one.recipient.user_id, one.destination) for one in plan.planned} == {
        ("a@example.com", "", "#0"),
        ("b@example.com", "", "#1"),
        ("", "ada", ""),
    }


@given(st.lists(st.integers(0, 30), max_size=20), st.randoms(use_true_random=False))
def test_the_order_of_an_audience_changes_no_id(numbers: list[int], random: Random) -> None:
    """And naming someone twice changes nothing, described or by id."""
    targets = [described(f"u{n}", email=f"{n}@example.com") if n % 3 else by_id(f"u{n}") for n in numbers]
    shuffled = random.sample(targets, len(targets))
    found = stored(*[f"u{n}" for n in range(0, 30, 6)])
    one, other = (
        {d.delivery_id for d in planned(for_audience(*some), definition(), found).planned}
        for some in (targets, shuffled)
    )
    assert one == other
    assert len(one) == 3 * len(set(numbers))


def test_tenants_facts_do_not_change_ids() -> None:
    """A provider or a policy that changes between two plans."""
    once = planned(an_event(), definition())
    again = planned(an_event(), dataclasses.replace(definition(), providers={}, allowed=frozenset({PUSH})))
    assert [one.delivery_id for one in once.planned] == [one.delivery_id for one in again.planned]


def _bytes(found: Sequence[event_pb2.Delivery | trace_pb2.PlannedDelivery]) -> list[bytes]:
    return [one.SerializeToString(deterministic=True) for one in found]
