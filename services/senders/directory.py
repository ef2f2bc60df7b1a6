"""The published configuration of tenants and providers, as this process follows it."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

import msgspec

from runtime import logs
from runtime.parts import POSTGRES, OwnParts
from services.senders.ports import ProviderRecord, TenantProfile

PREFIXES = ("tenants", "providers")

_tenants = msgspec.json.Decoder(TenantProfile).decode
_records = msgspec.json.Decoder(list[ProviderRecord]).decode

log = logs.get(__name__)


class ProviderOwner(Protocol):
    """The providers' table, which also knows those that are not published yet."""

    async def find(self, tenant_id: str, provider_id: str) -> ProviderRecord | None:
        """Return the provider; None: this tenant does not have it. Raises UNAVAILABLE."""


class ConfiguredDirectory:
    """See ports.ProviderDirectory. Its on_change belongs to a configuration Watch over PREFIXES."""

    def __init__(self, owner: ProviderOwner, own: OwnParts | None = None) -> None:
        self._owner = owner
        self._own = own or OwnParts()
        self._followers: list[Callable[[str], None]] = []
        self._tenants: dict[str, TenantProfile] = {}
        self._providers: dict[str, dict[str, ProviderRecord]] = {}

    def follow(self, callback: Callable[[str], None]) -> None:
        """Call back with a tenant's id whenever its providers have changed."""
        self._followers.append(callback)

    def on_change(self, key: str, value: bytes | None) -> None:
        """Apply one change of the configuration."""
        prefix, _, tenant_id = key.partition(".")
        try:
            if prefix == "tenants":
                self._set_tenant(tenant_id, value)
            elif prefix == "providers":
                self._set_providers(tenant_id, value)
        except msgspec.DecodeError as error:  # the previous value stays
            log.error("configuration_unreadable", key=key, error=str(error))

    def tenant(self, tenant_id: str) -> TenantProfile | None:
        """See ports.ProviderDirectory."""
        return self._tenants.get(tenant_id)

    async def provider(self, tenant_id: str, provider_id: str) -> ProviderRecord | None:
        """See ports.ProviderDirectory."""
        record = self.known(tenant_id, provider_id)
        if record is not None:
            return record
        return await self._own.ask(POSTGRES, partial(self._owner.find, tenant_id, provider_id))

    def providers(self, tenant_id: str) -> Iterable[ProviderRecord]:
        """See ports.ProviderDirectory."""
        return self._providers.get(tenant_id, {}).values()

    def known(self, tenant_id: str, provider_id: str) -> ProviderRecord | None:
        """Return the provider as last published."""
        return self._providers.get(tenant_id, {}).get(provider_id)

    def _set_tenant(self, tenant_id: str, value: bytes | None) -> None:
        if value is None:
            self._tenants.pop(tenant_id, None)
        else:
            self._tenants[tenant_id] = _tenants(value)

    def _set_providers(self, tenant_id: str, value: bytes | None) -> None:
        records = {record.id: record for record in _records(value)} if value else {}
        # After a reconnection the watch repeats all keys; only those that differ have changed.
        if records != self._providers.get(tenant_id):
            self._providers[tenant_id] = records
            for callback in self._followers:
                callback(tenant_id)
