"""Providers as an operator creates and changes them: checked by their kind, secrets apart from the rest."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import msgspec

from clarion.common.v1 import event_pb2
from clarion.common.v1.search_pb2 import SearchHit
from runtime.egress import AddressNotAllowed, EgressGuard
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.senders import provider_settings, registry

MAX_SETTINGS_BYTES = 6 * 1024
_MAX_NAME = 100
_MAX_PRIORITY = 10_000
# The tenant's id becomes part of a configuration key.
_TENANT_ID = re.compile(r"[a-z0-9_-]{1,64}")
# Four characters of a shorter secret would reveal too much.
_SHOW_FROM = 12

_encode = msgspec.json.Encoder(order="sorted").encode


@dataclass(frozen=True, slots=True)
class NewProvider:
    """A provider to store. settings: without secrets. secrets: only those that are not empty."""

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
    """A stored provider. Unix times in microseconds."""

    provider: NewProvider
    secrets: Mapping[str, str] = field(repr=False)
    created_at_us: int
    updated_at_us: int

    def settings_json(self) -> str:
        """Return the settings as JSON, with only the end of each secret."""
        return _encode(
            {**self.provider.settings, **{name: _end(value) for name, value in self.secrets.items()}}
        ).decode()


class ProviderRepository(Protocol):
    """Stores providers."""

    async def create(self, new: NewProvider) -> StoredProvider:
        """Store and publish. Raises CONFLICT, UNAVAILABLE."""

    async def get(self, provider_id: str) -> StoredProvider:
        """Return a provider. Raises NOT_FOUND, UNAVAILABLE."""

    async def change(self, provider_id: str, change: Callable[[StoredProvider], NewProvider]) -> StoredProvider:
        """Store and publish the provider that change returns. Raises what change raises, NOT_FOUND, UNAVAILABLE."""

    async def renew_secrets(self) -> tuple[int, Sequence[str]]:
        """Encrypt all secrets with the first key; return their number, and the providers that no key decrypts."""

    async def delete(self, provider_id: str) -> None:
        """Delete and publish. Raises NOT_FOUND, UNAVAILABLE."""

    async def order(
        self, tenant_id: str, channel: event_pb2.Channel.ValueType, order: Callable[[Sequence[str]], Sequence[str]]
    ) -> list[StoredProvider]:
        """Store and publish the order that a function returns of a channel's present one; return its providers.

        Raises what the function raises, UNAVAILABLE.
        """

    async def of_tenant(self, tenant_id: str) -> list[StoredProvider]:
        """Return a tenant's providers, best first. Raises UNAVAILABLE."""

    async def search(self, query: str, tenant_ids: Sequence[str], limit: int) -> list[SearchHit]:
        """Return providers with such an id, and deliveries with such an id of a provider. Raises UNAVAILABLE."""


def check(
    *, tenant_id: str, channel: event_pb2.Channel.ValueType, kind: str, name: str, priority: int, settings_json: str
) -> NewProvider:
    """Return the new provider with its id. Raises INVALID naming each wrong field."""
    faults = [] if _TENANT_ID.fullmatch(tenant_id) else [("tenant_id", "This is not a tenant's id.")]
    settings, secrets, wrong = _settings(channel, kind, settings_json, None)
    faults += [*_check_order(name, priority), *wrong]
    if faults:
        raise ClarionError(Code.INVALID, "The provider cannot be created.", fields=faults)
    return NewProvider(new_id(), tenant_id, channel, kind, name or kind, priority, settings, secrets)


def changed(old: StoredProvider, *, name: str | None, priority: int | None, settings_json: str) -> NewProvider:
    """Return the provider with the given values changed. null resets a setting to its default.

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


def reordered(present: Sequence[str], wanted: Sequence[str], expected: Sequence[str]) -> Sequence[str]:
    """Return the new order of a channel's providers, by their ids. expected: the order before; empty: not checked.

    Raises CONFLICT if it has been changed meanwhile, or if these are not the channel's providers.
    """
    if expected and list(expected) != list(present):
        raise ClarionError(Code.CONFLICT, "Somebody has changed the order meanwhile. Load it, and change it again.")
    if len(wanted) != len(present) or set(wanted) != set(present):
        detail = "These are not all providers of this channel, each once. Load them, and order them again."
        raise ClarionError(Code.CONFLICT, detail)
    return wanted


def check_address(provider: NewProvider, guard: EgressGuard) -> None:
    """Raise INVALID if Clarion may not connect to the mail server that the settings name.

    A host name is not resolved here: its addresses are checked at each connection.
    """
    kind = registry.kind(provider.channel, provider.kind)
    if kind.mail_server is None:
        return
    server = kind.mail_server(provider_settings.read_settings(kind, {**provider.settings, **provider.secrets}))
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
    """Return the settings, the secrets, and their faults. named: the settings that are new; None: all."""
    names = registry.kind_names(channel)
    if not names:
        return {}, {}, [("channel", "This channel has no providers of its own.")]
    if kind not in names:
        return {}, {}, [("kind", f"One of: {', '.join(names)}.")]
    if len(settings_json.encode()) > MAX_SETTINGS_BYTES:
        return {}, {}, [("settings", f"At most {MAX_SETTINGS_BYTES:,} bytes.")]
    try:
        given = msgspec.json.decode(settings_json or "{}", type=dict[str, Any])
        known = registry.kind(channel, kind)
        given = provider_settings.cleaned(known, given)
        provider_settings.read_settings(known, given)
        new = {name: value for name, value in given.items() if named is None or name in named}
        given |= provider_settings.read_keys(known, new)
    except msgspec.DecodeError:
        return {}, {}, [("settings", "This is not a JSON object.")]
    except ClarionError as error:
        return {}, {}, list(error.fields)
    secret = provider_settings.secret_fields(known)
    secrets = {name: value for name, value in given.items() if name in secret and value}
    return {name: value for name, value in given.items() if name not in secret}, secrets, []


def _end(secret: str) -> str:
    return f"…{secret[-4:]}" if len(secret) >= _SHOW_FROM else "…"
