"""Compiles a tenant's configuration into definitions. Pure.

A tenant's active templates of an event type are a workflow that nobody stored: a step for each channel, all at once.
Its subscriptions are sent to beside it.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import msgspec

from clarion.common.v1 import event_pb2
from services.domain import channels, direct_messages, endpoints
from services.domain.endpoints import Subscriber
from services.router import filters
from services.router.definitions import ChannelNumber, Step, Template, Workflow


class Subscribers(NamedTuple):
    """The active endpoints that subscribe to an event type; filters: of those that have one, by the endpoint's id."""

    subscribers: Sequence[Subscriber]
    filters: "Mapping[str, filters.Filter]"


# A template and its channel.
ActiveTemplate: TypeAlias = tuple[ChannelNumber, Template]


class _StoredTenant(msgspec.Struct):
    delivery_channels: list[str] = []
    active: bool = True


class _StoredTemplate(msgspec.Struct):
    channel: str
    template_version_id: str
    push_namespace: str = ""
    subscribed: bool = False
    locale: str = ""


class _StoredProvider(msgspec.Struct):
    id: str
    channel: str


_decode_tenant = msgspec.json.Decoder(_StoredTenant).decode
_decode_templates = msgspec.json.Decoder(list[_StoredTemplate]).decode
_decode_providers = msgspec.json.Decoder(list[_StoredProvider]).decode


def workflows(templates: Iterable[ActiveTemplate]) -> Sequence[Workflow]:
    """Return the workflow of active templates of one event type; none: there are no templates.

    Those of channels that only a later version has are left out.
    """
    known = [one for one in templates if _channel_of(one) in channels.NAMES]
    by_channel = itertools.groupby(sorted(known, key=_channel_of), key=_channel_of)
    steps = [
        Step(channels.NAMES[channel], channel, [template for _, template in found]) for channel, found in by_channel
    ]
    return [Workflow(steps)] if steps else []


def direct(message: event_pb2.DirectMessage, templates: Iterable[ActiveTemplate]) -> Workflow:
    """Return the workflow of a direct message. templates: those of its template_key, on any channel.

    A content that the caller has written is a template without a version.
    """
    name = channels.NAMES[message.channel]
    if direct_messages.is_given(message):
        return Workflow([Step(name, message.channel, [Template("")])])
    return Workflow(
        [Step(name, message.channel, [template for channel, template in templates if channel == message.channel])]
    )


def active_templates(own: bytes | None, platform: bytes | None) -> list[ActiveTemplate]:
    """Return a tenant's active templates, and the platform's for channels and locales where it has none.

    own, platform: values of topology.templates_key.
    """
    found = _templates(own)
    taken = {(channel, template.locale) for channel, template in found}
    return found + [one for one in _templates(platform) if (one[0], one[1].locale) not in taken]


def allowed_channels(tenant: bytes) -> frozenset[ChannelNumber]:
    """Return the channels that a tenant may use; none: all. tenant: a value of topology.tenant_key."""
    # A later version's channel stays, as one that no step has: a list without it could be empty, which allows all.
    return frozenset(map(_number, _decode_tenant(tenant).delivery_channels))


def is_active(tenant: bytes) -> bool:
    """Return whether a tenant is active. tenant: a value of topology.tenant_key."""
    return _decode_tenant(tenant).active


def subscribers(value: bytes | None) -> Subscribers:
    """Return the endpoints that subscribe to an event type. value: of topology.subscribers_key."""
    if value is None:
        return Subscribers((), {})
    found = endpoints.decode_subscribers(value)
    return Subscribers(found, {one.endpoint_id: filters.compiled(one.filter) for one in found if one.filter})


def provider_ids(providers: bytes | None, channel: ChannelNumber) -> list[str]:
    """Return a channel's providers, best first. providers: a value of topology.providers_key."""
    decoded = _decode_providers(providers) if providers is not None else ()
    return [provider.id for provider in decoded if _number(provider.channel) == channel]


def channels_with_provider(found: Iterable[Workflow]) -> set[ChannelNumber]:
    """Return the channels of workflows that need a provider."""
    used = {step.channel for workflow in found for step in workflow.steps}
    return {channel for channel in used if channels.BY_NUMBER[channel].needs_provider}


def _templates(value: bytes | None) -> list[ActiveTemplate]:
    decoded = _decode_templates(value) if value is not None else ()
    return [
        (_number(t.channel), Template(t.template_version_id, t.locale, t.push_namespace, t.subscribed)) for t in decoded
    ]


def _channel_of(template: ActiveTemplate) -> ChannelNumber:
    return template[0]


def _number(name: str) -> ChannelNumber:
    """Return a channel's number; 0: only a later version has it, and sends on it."""
    return channels.BY_PUBLIC_NAME.get(name, event_pb2.CHANNEL_UNSPECIFIED)
