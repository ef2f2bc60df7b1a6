"""Providers as an operator manages them: checked by their kind, secrets apart from the rest."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import msgspec

from clarion.common.v1 import event_pb2
from runtime.egress import AddressNotAllowed, EgressGuard
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.senders import registry

MAX_SETTINGS_BYTES = 6 * 1024
_MAX_NAME = 100
_MAX_PRIORITY = 10_000
# The tenant's id becomes part of a configuration key, in one spelling.
_TENANT_ID = re.compile(r"[a-z0-9_-]{1,64}")
# Of a shorter secret, four characters would give too much away.
_SHOW_FROM = 12

_encode = msgspec.json.Encoder(order="sorted").encode


@dataclass(frozen=True, slots=True)
class NewProvider:
    """A provider to be stored. settings: without secrets. secrets: only those that are not empty."""

    id: str
    tenant_id: str
    channel: event_pb2.Channel.ValueType
    kind: str
    name: str
    priority: int
    settings: Mapping[str, Any]
    secrets: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoredProvider:
    """A provider as it stands. Unix times in microseconds."""

    provider: NewProvider
    secrets: Mapping[str, str] = field(repr=False)
    created_at_us: int
    updated_at_us: int

    def settings_json(self) -> str:
        """Return the settings as JSON, of each secret only its end."""
        return _encode(
            {**self.provider.settings, **{name: _end(value) for name, value in self.secrets.items()}}
        ).decode()


class Store(Protocol):
    """Where providers are kept."""

    async def create(self, new: NewProvider) -> StoredProvider:
        """Store and publish. Raises CONFLICT, UNAVAILABLE."""

    async def get(self, provider_id: str) -> StoredProvider:
        """Return a provider. Raises NOT_FOUND, UNAVAILABLE."""

    async def change(self, provider_id: str, change: Callable[[StoredProvider], NewProvider]) -> StoredProvider:
        """Store and publish what change makes of it. Raises what change raises, NOT_FOUND, UNAVAILABLE."""

    async def renew_secrets(self) -> tuple[int, Sequence[str]]:
        """Close all secrets with the first key; return how many, and the ids of those that no key opens."""

    async def delete(self, provider_id: str) -> None:
        """Delete and publish. Raises NOT_FOUND, UNAVAILABLE."""

    async def of_tenant(self, tenant_id: str) -> list[StoredProvider]:
        """Return a tenant's providers, best first. Raises UNAVAILABLE."""


def check(
    *, tenant_id: str, channel: event_pb2.Channel.ValueType, kind: str, name: str, priority: int, settings_json: str
) -> NewProvider:
    """Return the provider with a new id. Raises INVALID naming every wrong field."""
    faults = [] if _TENANT_ID.fullmatch(tenant_id) else [("tenant_id", "This is not a tenant's id.")]
    settings, secrets, wrong = _settings(channel, kind, settings_json, None)
    faults += [*_check_order(name, priority), *wrong]
    if faults:
        raise ClarionError(Code.INVALID, "The provider cannot be made.", fields=faults)
    return NewProvider(new_id(), tenant_id, channel, kind, name or kind, priority, settings, secrets)


def changed(old: StoredProvider, *, name: str | None, priority: int | None, settings_json: str) -> NewProvider:
    """Return the provider with what is given in place of what was: null takes a setting back to its default.

    A secret that comes as it was shown is left alone. Raises INVALID naming every wrong field; a key for reports that
    was stored before and is not given now is no fault.
    """
    was = old.provider
    new_name, new_priority = was.name if name is None else name, was.priority if priority is None else priority
    try:
        given = msgspec.json.decode(settings_json or "{}", type=dict[str, Any])
    except msgspec.DecodeError as error:
        fault = ("settings", "This is not a JSON object.")
        raise ClarionError(Code.INVALID, "The provider cannot be changed.", fields=[fault]) from error
    shown = {secret: _end(value) for secret, value in old.secrets.items()}
    merged: dict[str, Any] = {**was.settings, **old.secrets}
    named = set()
    for setting, value in given.items():
        if value is None:
            merged.pop(setting, None)
        elif shown.get(setting) != (value.strip() if isinstance(value, str) else value):
            merged[setting] = value
            named.add(setting)
    settings, secrets, faults = _settings(was.channel, was.kind, _encode(merged).decode(), named)
    faults = [*_check_order(new_name, new_priority), *faults]
    if faults:
        raise ClarionError(Code.INVALID, "The provider cannot be changed.", fields=faults)
    return replace(was, name=new_name or was.kind, priority=new_priority, settings=settings, secrets=secrets)


def check_address(provider: NewProvider, guard: EgressGuard) -> None:
    """Raise INVALID where mail may not go to the server that the settings name.

    A name is not looked up: what it leads to is checked at each connection.
    """
    kind = registry.kinds()[provider.channel, provider.kind]
    if kind.mail_server is None:
        return
    server = kind.mail_server(registry.read_settings(kind, {**provider.settings, **provider.secrets}))
    try:
        guard.check_host(server.host, server.port)
    except AddressNotAllowed as error:
        fault = ("settings.port" if error.on_port else "settings.host", str(error))
        raise ClarionError(Code.INVALID, "The provider's address is not allowed.", fields=[fault]) from error


def _check_order(name: str, priority: int) -> list[tuple[str, str]]:
    faults = [("name", f"At most {_MAX_NAME} characters.")] if len(name) > _MAX_NAME else []
    if not 0 <= priority <= _MAX_PRIORITY:
        faults.append(("priority", f"From 0 to {_MAX_PRIORITY:,}."))
    return faults


def _settings(
    channel: event_pb2.Channel.ValueType, kind: str, settings_json: str, named: Collection[str] | None
) -> tuple[dict[str, Any], dict[str, str], list[tuple[str, str]]]:
    """Return the settings, the secrets, and what is wrong with either. named: those that are new; None: all."""
    names = registry.kind_names(channel)
    if not names:
        return {}, {}, [("channel", "This channel has no providers of its own.")]
    if kind not in names:
        return {}, {}, [("kind", f"One of: {', '.join(names)}.")]
    if len(settings_json.encode()) > MAX_SETTINGS_BYTES:
        return {}, {}, [("settings", f"At most {MAX_SETTINGS_BYTES:,} bytes.")]
    try:
        given = msgspec.json.decode(settings_json or "{}", type=dict[str, Any])
        known = registry.kinds()[channel, kind]
        given = registry.cleaned(known, given)
        registry.read_settings(known, given)
        new = {name: value for name, value in given.items() if named is None or name in named}
        given |= registry.read_keys(known, new)
    except msgspec.DecodeError:
        return {}, {}, [("settings", "This is not a JSON object.")]
    except ClarionError as error:
        return {}, {}, list(error.fields)
    secret = registry.secret_fields(known)
    secrets = {name: value for name, value in given.items() if name in secret and value}
    return {name: value for name, value in given.items() if name not in secret}, secrets, []


def _end(secret: str) -> str:
    return f"…{secret[-4:]}" if len(secret) >= _SHOW_FROM else "…"
