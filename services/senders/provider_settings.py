"""Reads a provider's settings, as an operator typed them or a table holds them, into the kind's own struct."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from runtime import validation
from runtime.errors import ClarionError, Code
from runtime.settings import Secret
from services.domain import addresses
from services.senders.described import is_secret
from services.senders.ports import Kind


def secret_fields(kind: Kind[Any]) -> frozenset[str]:
    """Return the names of the settings that are secret."""
    return frozenset(field.name for field in msgspec.structs.fields(kind.settings) if is_secret(field.type))


def cleaned(kind: Kind[Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings without the blanks, line ends and invisible marks that copying leaves around a value."""
    return {
        name: value
        if not isinstance(value, str)
        else value.strip("\r\n")
        if name in kind.verbatim
        else addresses.trimmed(value)
        for name, value in given.items()
    }


def read_keys(kind: Kind[Any], given: Mapping[str, Any]) -> dict[str, str]:
    """Return the keys that verify reports, in the form that is stored. Raises INVALID for an invalid key."""
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
    """Return the kind's struct of cleaned settings. Raises INVALID naming each wrong field as "settings.<field>"."""
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
        if field.required and is_secret(field.type) and not values[name].reveal():
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


def _secret(wanted: type[Any], value: object) -> Secret:
    if wanted is Secret and isinstance(value, str):
        return Secret(value)
    raise ValueError("not a text")
