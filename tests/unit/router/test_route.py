"""The channels of an event, and the reasons for skipping others."""

from typing import Any

from clarion.common.v1 import event_pb2, trace_pb2
from services.router.route import MAX_INLINE_BODY, Circumstances, Plan, Template, route

EMAIL, SMS, PUSH = event_pb2.CHANNEL_EMAIL, event_pb2.CHANNEL_SMS, event_pb2.CHANNEL_PUSH
ALL = [Template(EMAIL, "t-email"), Template(SMS, "t-sms"), Template(PUSH, "t-push", "orders")]
PROVIDERS = {EMAIL: ["mail-1", "mail-2"], SMS: ["sms-1"]}


def _event(**fields: Any) -> event_pb2.Event:
    recipient = {"user_id": "u", "email": "a@example.com", "phone": "+254712345678"}
    recipient.update(fields.pop("recipient", {}))
    return event_pb2.Event(
        id="e", tenant_id="t", event_type="order.confirmed", recipient=event_pb2.Recipient(**recipient), **fields
    )


def _decisions(plan: Plan) -> dict[int, str]:
    return {planned.channel: planned.reason for planned in plan.routed.deliveries}


def test_every_active_template_is_dispatched() -> None:
    """All channels, each with its template and best provider."""
    plan = route(_event(), Circumstances(templates=ALL, providers=PROVIDERS), 5)
    assert _decisions(plan) == {EMAIL: "", SMS: "", PUSH: ""}
    assert [(d.channel, d.template_version_id, d.provider_id) for d in plan.deliveries] == [
        (EMAIL, "t-email", "mail-1"),
        (SMS, "t-sms", "sms-1"),
        (PUSH, "t-push", ""),
    ]
    assert plan.deliveries[2].push_namespace == "orders"
    assert all(delivery.attempt == 1 and delivery.planned_at_us == 5 for delivery in plan.deliveries)


def test_routing_twice_gives_the_same_deliveries() -> None:
    """Ids depend on event, recipient and channel, and on nothing else."""
    once = route(_event(), Circumstances(templates=ALL, providers=PROVIDERS), 1)
    again = route(_event(), Circumstances(templates=ALL[::-1], providers=PROVIDERS), 2)
    assert [d.id for d in once.deliveries] == [d.id for d in again.deliveries]
    assert len({d.id for d in once.deliveries}) == 3


def test_no_template() -> None:
    """Accepted, nothing sent, and the record says why."""
    plan = route(_event(), Circumstances(), 0)
    assert plan.deliveries == []
    assert plan.routed.reason == "no_active_template"


def test_a_channel_asked_for_by_name_without_a_template() -> None:
    """It is skipped with that reason, after the policy; channels that the request does not name are left out."""
    only_push = Circumstances(frozenset({PUSH, SMS}), [Template(PUSH, "t-push")], PROVIDERS)
    plan = route(_event(channels=[EMAIL, SMS]), only_push, 0)
    assert _decisions(plan) == {EMAIL: "tenant_policy", SMS: "no_active_template", PUSH: "not_requested"}
    assert plan.deliveries == []
    assert _decisions(route(_event(), only_push, 0)) == {PUSH: ""}
    localised = Circumstances(frozenset(), [Template(PUSH, "t-push", locale="pt")], PROVIDERS, "pt", is_localised=True)
    assert _decisions(route(_event(channels=[SMS, PUSH]), localised, 0)) == {SMS: "no_active_template", PUSH: ""}


def test_policy_and_override() -> None:
    """The request can only narrow the tenant's policy."""
    policy = frozenset({EMAIL, PUSH})
    plan = route(_event(channels=[EMAIL, SMS]), Circumstances(policy, ALL, PROVIDERS), 0)
    assert _decisions(plan) == {EMAIL: "", SMS: "tenant_policy", PUSH: "not_requested"}
    assert [delivery.channel for delivery in plan.deliveries] == [EMAIL]


def test_addresses() -> None:
    """A missing or malformed address skips its channel only."""
    missing = route(_event(recipient={"email": "", "phone": ""}), Circumstances(templates=ALL, providers=PROVIDERS), 0)
    assert _decisions(missing) == {EMAIL: "missing_email", SMS: "missing_phone", PUSH: ""}
    malformed = route(
        _event(recipient={"email": "a@b@c\r\nBcc: x", "phone": "0712"}),
        Circumstances(templates=ALL, providers=PROVIDERS),
        0,
    )
    assert _decisions(malformed) == {EMAIL: "malformed_email", SMS: "malformed_phone", PUSH: ""}


def test_addresses_as_people_write_them() -> None:
    """An address that senders can use is routed, and stays as the caller wrote it."""
    written = {"email": " ada@example.com ", "phone": "+254 712 345 678"}
    plan = route(_event(recipient=written), Circumstances(templates=ALL, providers=PROVIDERS), 0)
    assert _decisions(plan) == {EMAIL: "", SMS: "", PUSH: ""}
    assert {(one.recipient.email, one.recipient.phone) for one in plan.deliveries} == {tuple(written.values())}


def test_no_provider() -> None:
    """Push needs no provider; the other channels are skipped."""
    plan = route(_event(), Circumstances(templates=ALL), 0)
    assert _decisions(plan) == {EMAIL: "no_provider", SMS: "no_provider", PUSH: ""}
    statuses = [planned.status for planned in plan.routed.deliveries]
    assert statuses.count(trace_pb2.DELIVERY_STATUS_SKIPPED) == 2


def test_a_small_body_travels_with_each_delivery() -> None:
    """The bound is for variables and payload together."""
    body = {"variables": b"v" * (MAX_INLINE_BODY - 2), "payload_extra": b"{}"}
    plan = route(_event(**body), Circumstances(templates=ALL, providers=PROVIDERS), 0, sequence=7)
    assert {(d.variables, d.payload_extra) for d in plan.deliveries} == {(body["variables"], b"{}")}
    assert not any(d.HasField("body_reference") for d in plan.deliveries)


def test_a_large_body_is_referred_to() -> None:
    """One byte more, and deliveries carry a reference with its size instead."""
    event = _event(variables=b"v" * (MAX_INLINE_BODY - 1), payload_extra=b"{}")
    plan = route(event, Circumstances(templates=ALL, providers=PROVIDERS), 0, sequence=7)
    assert {(d.variables, d.payload_extra) for d in plan.deliveries} == {(b"", b"")}
    references = {(d.body_reference.sequence, d.body_reference.size) for d in plan.deliveries}
    assert references == {(7, MAX_INLINE_BODY + 1)}
