"""Decides which channels an event is sent on, with which template and provider, and why not on others. Pure."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from clarion.common.v1 import event_pb2, trace_pb2
from runtime.ids import derived_id
from services.domain import addresses, channels
from services.domain.reasons import Reason
from services.router import languages

_QUEUED = trace_pb2.DELIVERY_STATUS_QUEUED
_SKIPPED = trace_pb2.DELIVERY_STATUS_SKIPPED

# The largest body, in bytes, that each delivery carries itself; a larger one is referred to.
MAX_INLINE_BODY = 4096


@dataclass(frozen=True, slots=True)
class Template:
    """An active template version."""

    channel: event_pb2.Channel.ValueType
    version_id: str
    push_namespace: str = ""
    # Recipients may unsubscribe from this mail.
    subscribed: bool = False
    # Empty: for recipients whom no other version suits.
    locale: str = ""
    # A stand-in: the request names this channel, and it has no active template.
    is_missing: bool = False


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the router knows of the tenant and the event type.

    policy: the channels that the tenant may use; empty: all. providers: ids by channel, best first. default_locale: of
    the tenant. is_localised: a channel may have several templates, of different locales.
    """

    policy: frozenset[event_pb2.Channel.ValueType] = frozenset()
    templates: Sequence[Template] = ()
    providers: Mapping[event_pb2.Channel.ValueType, Sequence[str]] = field(default_factory=dict)
    default_locale: str = ""
    is_localised: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """The deliveries to send, and the record of all decisions."""

    deliveries: Sequence[event_pb2.Delivery]
    routed: trace_pb2.Routed


# Returns the reason for not sending this template to the event's recipient; empty: it may be sent.
Suppression = Callable[[event_pb2.Event, Template], str]


def _not_suppressed(_event: event_pb2.Event, _template: Template) -> str:
    return ""


def route(
    event: event_pb2.Event,
    circumstances: Circumstances,
    now_us: int,
    suppression: Suppression = _not_suppressed,
    *,
    sequence: int = 0,
) -> Plan:
    """Return the deliveries of an event. Their ids are the same however often it is routed.

    sequence: of the event in EVENTS, for deliveries that refer to its body; 0: it is not there.
    """
    routed = trace_pb2.Routed()
    if not circumstances.templates:
        routed.reason = Reason.NO_ACTIVE_TEMPLATE
        return Plan([], routed)
    deliveries = []
    for template in _chosen(event, circumstances):
        channel = template.channel
        providers = circumstances.providers.get(channel, ())
        reason = _refusal(event, template, circumstances.policy, providers) or suppression(event, template)
        planned = routed.deliveries.add(
            delivery_id=derived_id(event.id, event.recipient.user_id, str(channel)),
            channel=channel,
            status=_SKIPPED if reason else _QUEUED,
            reason=reason,
            template_version_id=template.version_id,
            provider_id=providers[0] if providers and not reason else "",
            locale=template.locale,
        )
        if not reason:
            deliveries.append(_delivery(event, template, planned, now_us, sequence))
    return Plan(deliveries, routed)


def _missing(event: event_pb2.Event, templates: Sequence[Template]) -> list[Template]:
    """Return stand-ins for the requested channels without an active template."""
    present = {template.channel for template in templates}
    return [Template(channel, "", is_missing=True) for channel in sorted(set(event.channels) - present)]


def _chosen(event: event_pb2.Event, circumstances: Circumstances) -> list[Template]:
    """Return one template per channel; without a version id if none suits the recipient or none is active."""
    templates = sorted(circumstances.templates, key=lambda template: template.channel)
    if event.channels:
        templates += _missing(event, templates)
    if not circumstances.is_localised:
        return templates
    wanted = languages.wanted(event)
    chosen = []
    for channel, group in itertools.groupby(templates, key=lambda template: template.channel):
        found = [(template.locale, template) for template in group]
        chosen.append(languages.best(found, wanted, circumstances.default_locale) or Template(channel, ""))
    return chosen


def _refusal(
    event: event_pb2.Event,
    template: Template,
    policy: frozenset[event_pb2.Channel.ValueType],
    providers: Sequence[str],
) -> str:
    """Return the reason for not using this channel; empty: it is used. The request can only narrow the policy."""
    channel = template.channel
    if policy and channel not in policy:
        return Reason.TENANT_POLICY
    if event.channels and channel not in event.channels:
        return Reason.NOT_REQUESTED
    if not template.version_id:
        return Reason.NO_ACTIVE_TEMPLATE if template.is_missing else Reason.NO_TEMPLATE_FOR_LOCALE
    return _fault_of_address(event.recipient, channel) or (
        Reason.NO_PROVIDER if channels.BY_NUMBER[channel].needs_provider and not providers else ""
    )


def _fault_of_address(recipient: event_pb2.Recipient, channel: event_pb2.Channel.ValueType) -> str:
    match channels.BY_NUMBER[channel].address_field:
        case "email":
            return _fault(recipient.email, addresses.parse_email, Reason.MISSING_EMAIL, Reason.MALFORMED_EMAIL)
        case "phone":
            return _fault(recipient.phone, addresses.parse_phone, Reason.MISSING_PHONE, Reason.MALFORMED_PHONE)
    return ""


def _fault(text: str, parse: Callable[[str], str], missing: Reason, malformed: Reason) -> str:
    if not text:
        return missing
    try:
        parse(text)
    except addresses.InvalidAddress:
        return malformed
    return ""


def _delivery(
    event: event_pb2.Event, template: Template, planned: trace_pb2.PlannedDelivery, now_us: int, sequence: int
) -> event_pb2.Delivery:
    size = len(event.variables) + len(event.payload_extra)
    is_inline = size <= MAX_INLINE_BODY
    return event_pb2.Delivery(
        id=planned.delivery_id,
        event_id=event.id,
        tenant_id=event.tenant_id,
        event_type=event.event_type,
        channel=template.channel,
        recipient=event.recipient,
        variables=event.variables if is_inline else b"",
        payload_extra=event.payload_extra if is_inline else b"",
        body_reference=None if is_inline else event_pb2.BodyReference(sequence=sequence, size=size),
        template_version_id=template.version_id,
        provider_id=planned.provider_id,
        push_namespace=template.push_namespace,
        subscribed=template.subscribed,
        trace_id=event.trace_id,
        accepted_at_us=event.accepted_at_us,
        planned_at_us=now_us,
        attempt=1,
    )
