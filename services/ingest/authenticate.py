"""Which tenant an API key belongs to, and what it signs with: from the configuration's copy, or its owner's word."""

from dataclasses import dataclass

import asyncpg
import msgspec

from runtime import clock, logs, postgres
from runtime.configuration import Watch
from runtime.encryption import Vault
from runtime.errors import ClarionError, Code
from services import topology
from services.ingest.tenants.secrets import SealedSecret
from services.ingest.tenants.store import TenantStore, digest_of

log = logs.get(__name__)


class _Tenant(msgspec.Struct):
    id: str
    account_id: str
    name: str
    active: bool
    webhook_secrets: tuple[SealedSecret, ...] = ()


_decode = msgspec.json.Decoder(_Tenant).decode


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a key speaks for."""

    tenant_id: str
    tenant_name: str
    account_id: str
    webhook_secrets: tuple[SealedSecret, ...]


class Authenticator:
    """Answers from memory; a key or tenant that memory does not know is asked for once in PostgreSQL."""

    def __init__(self, watch: Watch, store: TenantStore, vault: Vault, *, now: clock.Clock = clock.now_us) -> None:
        self._watch = watch
        self._store = store
        self._vault = vault
        self._now = now

    async def identify(self, api_key: str) -> Identity:
        """Raises UNAUTHENTICATED for unknown and revoked keys and inactive tenants, and never says which.

        Raises UNAVAILABLE for a key that memory does not know while PostgreSQL is away.
        """
        try:
            tenant_id = await self._tenant_of(digest_of(api_key))
            tenant = await self._tenant(tenant_id) if tenant_id else None
        except (*postgres.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
            log.warning("key_unchecked", error=repr(error))
            raise ClarionError(Code.UNAVAILABLE, "Keys cannot be checked just now.", retry_after=1) from error
        if tenant is None or not tenant.active:
            raise ClarionError(Code.UNAUTHENTICATED, "Invalid or missing API key.")
        return Identity(tenant.id, tenant.name, tenant.account_id, tenant.webhook_secrets)

    def open_secrets(self, identity: Identity) -> list[str]:
        """Return the webhook secrets that are valid now.

        Raises INTERNAL where no encryption key opens one: without it nothing may pass as unsigned.
        """
        now = self._now()
        valid = [sealed for sealed in identity.webhook_secrets if not sealed.until_us or now < sealed.until_us]
        try:
            return [sealed.open(self._vault, identity.tenant_id) for sealed in valid]
        except ValueError as error:
            log.error("webhook_secret_unreadable", tenant_id=identity.tenant_id, error=str(error))
            raise ClarionError(Code.INTERNAL, "A webhook secret cannot be read.") from error

    async def _tenant_of(self, digest: bytes) -> str | None:
        known = self._watch.get(topology.api_key_key(digest.hex()))
        if known is not None:
            return known.decode()
        return await self._store.tenant_of_key(digest)

    async def _tenant(self, tenant_id: str) -> _Tenant | None:
        known = self._watch.get(topology.tenant_key(tenant_id)) or await self._store.configuration(tenant_id)
        return _decode(known) if known else None
