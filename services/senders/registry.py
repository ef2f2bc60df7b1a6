"""Which channels and kinds of provider there are: whatever folders stand in ``channels/``.

``channels/<channel>/message.py`` has ``compose``; ``channels/<channel>/<kind>/`` has ``KIND``.
"""

import functools
import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from clarion.common.v1 import event_pb2
from runtime import validation
from runtime.errors import ClarionError, Code
from runtime.settings import Secret
from services.domain import addresses
from services.domain.channels import NAMES
from services.senders import channels
from services.senders.compose import Compose
from services.senders.ports import Kind

Key = tuple[event_pb2.Channel.ValueType, str]


@functools.cache
def kinds() -> Mapping[Key, Kind[Any]]:
    """Return every kind of provider by channel and folder name."""
    found: dict[Key, Kind[Any]] = {}
    for channel, name in NAMES.items():
        if package := _package(name):
            for module in pkgutil.iter_modules(package.__path__):
                if module.ispkg:
                    found[channel, module.name] = importlib.import_module(f"{package.__name__}.{module.name}").KIND
    return found


@functools.cache
def composers() -> Mapping[event_pb2.Channel.ValueType, Compose]:
    """Return the function of each channel that makes a message of a delivery."""
    return {
        channel: importlib.import_module(f"{package.__name__}.message").compose
        for channel, name in NAMES.items()
        if (package := _package(name))
    }


def kind_names(channel: event_pb2.Channel.ValueType) -> list[str]:
    """Return the kinds that a channel has, in alphabetical order."""
    return sorted(name for of, name in kinds() if of == channel)


def secret_fields(kind: Kind[Any]) -> frozenset[str]:
    """Return the names of the settings that are secret."""
    return frozenset(field.name for field in msgspec.structs.fields(kind.settings) if field.type is Secret)


def cleaned(kind: Kind[Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings without what copying leaves around a value: blanks, line ends, invisible marks."""
    return {
        name: value
        if not isinstance(value, str)
        else value.strip("\r\n")
        if name in kind.verbatim
        else addresses.trimmed(value)
        for name, value in given.items()
    }


def read_keys(kind: Kind[Any], given: Mapping[str, Any]) -> dict[str, str]:
    """Return in their kept form those of given that reports are proven with. Raises INVALID for what is no key."""
    kept, faults = {}, []
    for name, read in kind.keys.items():
        if value := given.get(name):
            try:
                kept[name] = read(value)
            except ValueError as error:
                faults.append((name, f"This is not a key: {error}."))
    if faults:
        raise _wrong(faults)
    return kept


def read_settings(kind: Kind[Any], given: Mapping[str, Any]) -> Any:
    """Return the kind's settings of cleaned ones. Raises INVALID naming every wrong field as "settings.<field>"."""
    fields = {field.name: field for field in msgspec.structs.fields(kind.settings)}
    faults = [(name, "There is no such setting.") for name in given if name not in fields]
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name not in given:
            if field.required:
                faults.append((name, "This setting is needed."))
            continue
        try:
            values[name] = msgspec.convert(given[name], field.type, dec_hook=_secret)
        except msgspec.ValidationError:
            faults.append((name, f"It {validation.description(field.type)}."))
            continue
        if field.required and field.type is Secret and not values[name].reveal():
            faults.append((name, "This setting is needed."))
    if not faults:
        settings = kind.settings(**values)
        faults.extend(kind.check(settings))
        if not faults:
            return settings
    raise _wrong(faults)


def _wrong(faults: Iterable[tuple[str, str]]) -> ClarionError:
    fields = [(f"settings.{name}", text) for name, text in faults]
    return ClarionError(Code.INVALID, "The provider's settings are wrong.", fields=fields)


def _package(channel: str) -> Any:
    if any(module.name == channel and module.ispkg for module in pkgutil.iter_modules(channels.__path__)):
        return importlib.import_module(f"{channels.__name__}.{channel}")
    return None


def _secret(wanted: type[Any], value: object) -> Secret:
    if wanted is Secret and isinstance(value, str):
        return Secret(value)
    raise ValueError("not a text")
