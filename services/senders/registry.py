"""The channels and the kinds of provider: one folder for each kind.

``channels/<channel>/message.py`` has ``compose``; ``channels/<channel>/<kind>/`` has ``KIND``. Both are imported by the
first message that needs them: a process loads the code of the providers that its tenants have.
"""

import functools
import importlib
import pkgutil
from typing import Any, TypeAlias

from clarion.common.v1 import event_pb2
from services.domain import channels
from services.senders.compose import Compose
from services.senders.ports import Kind

Channel: TypeAlias = event_pb2.Channel.ValueType

CHANNELS: tuple[Channel, ...] = (event_pb2.CHANNEL_EMAIL, event_pb2.CHANNEL_SMS)

_FOLDERS = "services.senders.channels"


@functools.cache
def kind_names(channel: Channel) -> tuple[str, ...]:
    """Return the kinds of provider that a channel has, in alphabetical order. No kind is loaded for it."""
    if channel not in CHANNELS:
        return ()
    folder = importlib.import_module(f"{_FOLDERS}.{channels.NAMES[channel]}")
    return tuple(sorted(found.name for found in pkgutil.iter_modules(folder.__path__) if found.ispkg))


def all_kind_names() -> frozenset[str]:
    """Return the kinds of provider of all channels."""
    return frozenset(name for channel in CHANNELS for name in kind_names(channel))


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
