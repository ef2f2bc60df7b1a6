"""Reads tenants' settings from the configuration's copy; decodes each change once."""

import time

import asyncpg
import msgspec

from runtime import logs, postgres
from runtime.configuration import ConfigurationWatch
from services.domain import topology
from services.ingest.ports import TenantSettings
from services.ingest.tenants.store import TenantStore

# How long PostgreSQL's answer about a tenant that the copy does not know is used, seconds.
_FRESH_S = 2.0
# The most such answers that are remembered.
_MAX_ASKED = 1000
_DEFAULTS = TenantSettings()

_decode = msgspec.json.Decoder(TenantSettings).decode

log = logs.get(__name__)


class TenantSettingsCache:
    """Implements ports.TenantSettingsSource."""

    def __init__(self, watch: ConfigurationWatch, store: TenantStore) -> None:
        self._watch = watch
        self._store = store
        self._decoded: dict[str, tuple[bytes, TenantSettings]] = {}
        self._asked: dict[str, tuple[float, TenantSettings]] = {}

    async def settings(self, tenant_id: str) -> TenantSettings:
        """See ports.TenantSettingsSource."""
        known = self._from_copy(tenant_id)
        return known if known is not None else await self._ask(tenant_id)

    def cached_or_default(self, tenant_id: str) -> TenantSettings:
        """See ports.TenantSettingsSource."""
        return self._from_copy(tenant_id) or _DEFAULTS

    def _from_copy(self, tenant_id: str) -> TenantSettings | None:
        raw = self._watch.get(topology.tenant_key(tenant_id))
        if raw is None:
            return None
        decoded = self._decoded.get(tenant_id)
        if decoded is None or decoded[0] is not raw:
            decoded = self._decoded[tenant_id] = (raw, _decode(raw))
        return decoded[1]

    async def _ask(self, tenant_id: str) -> TenantSettings:
        asked = self._asked.get(tenant_id)
        if asked is not None and time.monotonic() < asked[0]:
            return asked[1]
        try:
            raw = await self._store.configuration(tenant_id)
            settings = _decode(raw) if raw else _DEFAULTS
        except (*postgres.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
            log.warning("tenant_unknown", tenant_id=tenant_id, error=repr(error))
            settings = _DEFAULTS
        if len(self._asked) >= _MAX_ASKED:
            self._asked.clear()
        self._asked[tenant_id] = (time.monotonic() + _FRESH_S, settings)
        return settings
