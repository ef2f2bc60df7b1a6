"""Events, definitions and plans for the planner's tests."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from clarion.common.v1 import event_pb2
from services.domain import delivery_ids
from services.domain.endpoints import Subscriber
from services.router import compiler, fan_out, filters, messages, people, policies
from services.router.compiler import ActiveTemplate
from services.router.definitions import ChannelNumber, Definition, Template
from services.router.messages import Plan
from services.router.plan import plan
from services.router.ports import Person

EMAIL, SMS, PUSH = event_pb2.CHANNEL_EMAIL, event_pb2.CHANNEL_SMS, event_pb2.CHANNEL_PUSH
ALL: Sequence[ActiveTemplate] = (
    (EMAIL, Template("t-email")),
    (SMS, Template("t-sms")),
    (PUSH, Template("t-push", push_namespace="orders")),
)
PROVIDERS: Mapping[ChannelNumber, Sequence[str]] = {EMAIL: ["mail-1", "mail-2"], SMS: ["sms-1"]}
EVENT_ID = "01938b1c-7d5a-7e11-9c3a-0242ac120002"


def an_event(**fields: Any) -> event_pb2.Event:
    """An event to a recipient with all addresses. recipient: the fields to change."""
    recipient: dict[str, Any] = {"user_id": "u", "email": "a@example.com", "phone": "+254712345678"}
    recipient.update(fields.pop("recipient", {}))
    return event_pb2.Event(
        id=EVENT_ID,
        tenant_id="t",
        event_type="order.confirmed",
        recipient=event_pb2.Recipient(**recipient),
        id_scheme=delivery_ids.CURRENT_SCHEME,
        **fields,
    )


def for_audience(*targets: event_pb2.Target, excluded: Iterable[str] = (), **fields: Any) -> event_pb2.Event:
    """An event for several targets. excluded: ids."""
    event = an_event(audience=targets, exclusions=[by_id(one) for one in excluded], **fields)
    event.ClearField("recipient")
    return event


def described(user_id: str = "", **fields: Any) -> event_pb2.Target:
    """A target whom the caller describes."""
    return event_pb2.Target(recipient=event_pb2.Recipient(user_id=user_id, **fields))


def by_id(recipient_id: str) -> event_pb2.Target:
    """A target who is stored."""
    return event_pb2.Target(recipient_id=recipient_id)


def stored(*ids: str, muted: Collection[ChannelNumber] = ()) -> people.Found:
    """Stored recipients with all addresses."""
    return {
        ("t", id_): Person(
            event_pb2.Recipient(user_id=id_, email=f"{id_}@example.com", phone="+254712345678"), id_, frozenset(muted)
        )
        for id_ in ids
    }


def definition(
    templates: Iterable[ActiveTemplate] = ALL,
    providers: Mapping[ChannelNumber, Sequence[str]] = PROVIDERS,
    *,
    allowed: Collection[ChannelNumber] = (),
    default_locale: str = "",
    subscribers: Sequence[Subscriber] = (),
) -> Definition:
    """What a tenant's active templates and subscriptions mean. allowed: its channels; none: all."""
    return Definition(
        compiler.workflows(templates),
        frozenset(allowed),
        providers,
        default_locale,
        subscribers=subscribers,
        filters={one.endpoint_id: filters.compiled(one.filter) for one in subscribers if one.filter},
    )


def subscriber(endpoint_id: str, environment_id: str = "live", rule: str = "") -> Subscriber:
    """An endpoint that subscribes."""
    return Subscriber(endpoint_id, environment_id, rule)


def not_suppressed(*_: Any, **__: Any) -> str:
    """Suppress nobody: see policies.Suppression."""
    return ""


def ordered(
    suppression: policies.Suppression = not_suppressed, *, erased: str = "", canceled: bool = False
) -> Sequence[policies.Policy]:
    """Return all policies of people. erased: the reason where everyone is. canceled: every event is."""
    return policies.ordered(suppression, lambda *_: erased, lambda *_: canceled)


def everything(
    suppression: policies.Suppression = not_suppressed, *, erased: str = "", canceled: bool = False
) -> policies.Policies:
    """Return all policies. erased: the reason where everyone with an id is. canceled: every event is."""
    return policies.of_everything(suppression, lambda _, user_id, __: erased if user_id else "", lambda *_: canceled)


def planned(
    event: event_pb2.Event,
    meaning: Definition,
    found: people.Found | None = None,
    *,
    now_us: int = 0,
    sequence: int = 0,
    asked: policies.Policies | None = None,
) -> Plan:
    """Plan an event. found: the stored recipients. sequence: of the event in EVENTS. asked: the policies."""
    named = people.named_directly(event, found or {})
    endpoint_ids = fan_out.endpoint_ids(event, meaning)
    sequence = messages.body_sequence(event, sequence, len(endpoint_ids))
    seen = filters.outcome(fan_out.filters_of(endpoint_ids, meaning), filters.document_of(event))
    return plan(
        event,
        meaning,
        named,
        asked or everything(),
        now_us=now_us,
        sequence=sequence,
        unmatched=seen.unmatched,
    )


def decisions(found: Plan) -> dict[int, str]:
    """Return the reason of each channel, "" where it is used."""
    return {one.channel: one.reason for one in found.planned}
