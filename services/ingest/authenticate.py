"""Finds the tenant of an API key and its webhook secrets: in the configuration's copy, else in PostgreSQL."""

from dataclasses import dataclass

import asyncpg
import msgspec

from runtime import clock, logs, postgres
from runtime.batching import Batcher, BatchLimits, BatchTiming
from runtime.configuration import ConfigurationWatch
from runtime.encryption import Vault
from runtime.errors import ClarionError, Code
from services.domain import topology
from services.ingest.keys.api_key import ApiKey, api_key_of, digest_of
from services.ingest.keys.store import KeyStore
from services.ingest.ports import MAX_PAYLOAD_BYTES
from services.ingest.tenants.secrets import SealedSecret
from services.ingest.tenants.store import TenantStore

# Unknown keys are looked up in PostgreSQL together, one query at a time, which start at least so many seconds apart:
# however many keys a client guesses, there are at most fifty queries a second.
_PACE_S = 0.02
_MAX_KEYS = 1000
# Keys that may wait for a query; beyond that the caller gets OVERLOADED.
_MAX_WAITING = 10_000

log = logs.get(__name__)


class _Tenant(msgspec.Struct):
    id: str
    account_id: str
    name: str
    active: bool
    webhook_secrets: tuple[SealedSecret, ...] = ()
    max_payload_bytes: int = MAX_PAYLOAD_BYTES


_decode = msgspec.json.Decoder(_Tenant).decode


@dataclass(frozen=True, slots=True)
class Identity:
    """The tenant that a key belongs to, and what the key is good for."""

    tenant_id: str
    tenant_name: str
    account_id: str
    webhook_secrets: tuple[SealedSecret, ...]
    key: ApiKey
    max_payload_bytes: int = MAX_PAYLOAD_BYTES


class Authenticator:
    """Answers from memory; looks up a key or tenant that memory does not know in PostgreSQL.

    So a new key works at once, and a known key never waits behind guessed ones.
    """

    def __init__(
        self,
        watch: ConfigurationWatch,
        keys: KeyStore,
        tenants: TenantStore,
        vault: Vault,
        *,
        now: clock.Clock = clock.now_us,
    ) -> None:
        self._watch = watch
        self._keys = keys
        self._tenants = tenants
        self._vault = vault
        self._now = now
        self._lookups: Batcher[bytes, ApiKey | None] = Batcher(
            self._look_up, BatchLimits(items=_MAX_KEYS, waiting=_MAX_WAITING), BatchTiming(interval_s=_PACE_S)
        )

    async def identify(self, api_key: str, *, disabled_too: bool = False) -> Identity:
        """Return the key's tenant.

        disabled_too: the caller looks at Identity.key.disabled; else a disabled key is refused as an unknown one is.
        Raises UNAUTHENTICATED, in the same words for unknown, revoked and expired keys and inactive tenants;
        UNAVAILABLE for a key that memory does not know while PostgreSQL is away; OVERLOADED while too many wait.
        """
        try:
            key = await self._key(digest_of(api_key))
            is_valid = key is not None and not key.is_expired(self._now())
            tenant = await self._tenant(key.tenant_id) if key is not None and is_valid else None
        except (*postgres.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
            log.warning("key_unchecked", error=repr(error))
            raise ClarionError(
                Code.UNAVAILABLE, "Keys cannot be checked at the moment; try again.", retry_after=1
            ) from error
        if key is None or tenant is None or not tenant.active or (key.disabled and not disabled_too):
            raise refusal()
        return Identity(
            tenant.id, tenant.name, tenant.account_id, tenant.webhook_secrets, key, tenant.max_payload_bytes
        )

    def open_secrets(self, identity: Identity) -> list[str]:
        """Return the webhook secrets that are valid now.

        Raises INTERNAL if no encryption key decrypts one: an event must not pass as unsigned.
        """
        now = self._now()
        valid = [sealed for sealed in identity.webhook_secrets if not sealed.until_us or now < sealed.until_us]
        try:
            return [sealed.open(self._vault, identity.tenant_id) for sealed in valid]
        except ValueError as error:
            log.error("webhook_secret_unreadable", tenant_id=identity.tenant_id, error=str(error))
            raise ClarionError(Code.INTERNAL, "A webhook secret cannot be read.") from error

    async def _key(self, digest: bytes) -> ApiKey | None:
        known = self._watch.get(topology.api_key_key(digest.hex()))
        if known is not None:
            return api_key_of(known)
        return await self._lookups.submit(digest)

    async def _look_up(self, digests: list[bytes]) -> list[ApiKey | BaseException | None]:
        found = await self._keys.keys(digests)
        return [found.get(digest) for digest in digests]

    async def _tenant(self, tenant_id: str) -> _Tenant | None:
        known = self._watch.get(topology.tenant_key(tenant_id)) or await self._tenants.configuration(tenant_id)
        return _decode(known) if known else None


def refusal() -> ClarionError:
    """Return the error for a key that is not good for the call. It does not say why."""
    return ClarionError(Code.UNAUTHENTICATED, "Invalid or missing API key.")
