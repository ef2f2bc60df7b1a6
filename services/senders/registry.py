"""The channels and the kinds of provider: one line for each channel, one word for each kind.

``channels/<channel>/message.py`` has ``compose``; ``channels/<channel>/<kind>/`` has ``KIND``. Both are imported by the
first message that needs them: a process loads the code of the providers that its tenants have.
"""

import functools
import importlib
from collections.abc import Mapping
from typing import Any, TypeAlias

from clarion.common.v1 import event_pb2
from services.domain import channels
from services.senders.compose import Compose
from services.senders.ports import Kind

Channel: TypeAlias = event_pb2.Channel.ValueType

_KINDS: Mapping[Channel, tuple[str, ...]] = {
    event_pb2.CHANNEL_EMAIL: ("resend", "sandbox", "sendgrid", "smtp"),
    event_pb2.CHANNEL_SMS: ("africastalking", "sandbox", "twilio"),
}

_FOLDERS = "services.senders.channels"


def kind_names(channel: Channel) -> tuple[str, ...]:
    """Return the kinds of provider that a channel has, in alphabetical order."""
    return _KINDS.get(channel, ())


def all_kind_names() -> frozenset[str]:
    """Return the kinds of provider of all channels."""
    return frozenset(name for names in _KINDS.values() for name in names)


@functools.cache
def kind(channel: Channel, name: str) -> Kind[Any]:
    """Return a kind of provider. Raises KeyError where this version has no such kind for this channel."""
    if name not in kind_names(channel):
        raise KeyError(name)
    found: Kind[Any] = importlib.import_module(f"{_FOLDERS}.{channels.NAMES[channel]}.{name}").KIND
    return found


@functools.cache
def composer(channel: Channel) -> Compose:
    """Return the function that makes a channel's message of a delivery."""
    found: Compose = importlib.import_module(f"{_FOLDERS}.{channels.NAMES[channel]}.message").compose
    return found
