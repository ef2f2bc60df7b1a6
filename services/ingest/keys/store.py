"""API keys in PostgreSQL. Each change is published in the transaction of its row."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from clarion.ingest.v1 import keys_pb2
from runtime import postgres
from runtime.clock import micros_of
from runtime.configuration import ConfigurationOutbox
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.domain import topology
from services.ingest.keys.api_key import KEY_BYTES, ApiKey, api_key_value, digest_of
from services.ingest.ports import Rate
from services.ingest.tenants import rates
from services.ingest.tenants.store import publish_key_rates

# The most further keys of a tenant.
MAX_KEYS = 100

_QUERIES = postgres.Queries(Path(__file__).with_name("queries.sql"))


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes of a key; None leaves a field as it is."""

    disabled: bool | None = None
    rates: Sequence[Rate] | None = None


class KeyStore:
    """Reads and writes. A write returns when the configuration is published, or after two seconds."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", outbox: ConfigurationOutbox) -> None:
        self._pool = pool
        self._outbox = outbox

    async def keys(self, digests: Sequence[bytes]) -> dict[bytes, ApiKey]:
        """Return the keys with these digests; unknown and revoked ones are left out."""
        rows = await self._pool.fetch(_QUERIES.keys, digests)
        return {bytes(row["digest"]): api_key(row) for row in rows}

    async def create(
        self, key: ApiKey, name: str, *, prefix: str = "", key_rates: Sequence[Rate] = ()
    ) -> tuple[keys_pb2.Key, str]:
        """Give the tenant a further key; return it, and what cannot be read later. Raises NOT_FOUND or CONFLICT.

        key: its id is ignored. prefix: what the secret begins with.
        """
        key = msgspec.structs.replace(key, id=new_id())
        secret = prefix + secrets.token_hex(KEY_BYTES)
        digest = digest_of(secret)
        async with self._pool.acquire() as connection, connection.transaction():
            if not await connection.fetchval(_QUERIES.tenant_for_update, key.tenant_id):
                raise ClarionError(Code.NOT_FOUND, "There is no such tenant.")
            if len(await connection.fetch(_QUERIES.further_keys, key.tenant_id)) >= MAX_KEYS:
                raise ClarionError(Code.CONFLICT, f"The tenant has {MAX_KEYS} further keys. Revoke one first.")
            created: Any = await connection.fetchrow(
                _QUERIES.insert,
                digest,
                key.tenant_id,
                secret[-4:],
                key.id,
                name,
                key.kind,
                list(key.scopes),
                datetime.fromtimestamp(key.expires_at_us / 1_000_000, UTC) if key.expires_at_us else None,
                list(key.endpoint_ids),
                rates.stored_of_key(key.id, key_rates),
            )
            await self._publish(connection, created)
            if key_rates:
                await publish_key_rates(connection, self._outbox, key.tenant_id)
        await self._outbox.flush()
        return _shown(created), secret

    async def list(self, tenant_id: str) -> list[keys_pb2.Key]:
        """Return the tenant's further keys, newest first. Expired ones are among them until they are revoked."""
        return [_shown(row) for row in await self._pool.fetch(_QUERIES.further_keys, tenant_id)]

    async def update(self, tenant_id: str, key_id: str, changes: Changes) -> keys_pb2.Key:
        """Change a further key; return it. Raises NOT_FOUND."""
        new_rates = rates.stored_of_key(key_id, changes.rates) if changes.rates is not None else None
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_QUERIES.tenant_for_update, tenant_id)
            row = await connection.fetchrow(_QUERIES.update, tenant_id, key_id, changes.disabled, new_rates)
            if row is None:
                raise _no_such_key()
            await self._publish(connection, row)
            if new_rates is not None:
                await publish_key_rates(connection, self._outbox, tenant_id)
        await self._outbox.flush()
        return _shown(row)

    async def revoke(self, tenant_id: str, key_id: str) -> None:
        """Revoke a further key. Raises NOT_FOUND."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_QUERIES.tenant_for_update, tenant_id)
            row = await connection.fetchrow(_QUERIES.revoke, tenant_id, key_id)
            if row is None:
                raise _no_such_key()
            await self._outbox.add(connection, topology.api_key_key(row["digest"].hex()), None)
            if rates.stored(row["rates"]):
                await publish_key_rates(connection, self._outbox, tenant_id)
        await self._outbox.flush()

    async def _publish(self, connection: Any, row: asyncpg.Record) -> None:
        key = topology.api_key_key(row["digest"].hex())
        await self._outbox.add(connection, key, api_key_value(api_key(row)))


def api_key(row: Any) -> ApiKey:
    """Return what a row of api_keys says of its key."""
    return ApiKey(
        str(row["tenant_id"]),
        row["kind"],
        tuple(row["scopes"]),
        _expires_at_us(row),
        str(row["id"]) if row["id"] else "",
        row["disabled"],
        tuple(map(str, row["endpoint_ids"])),
    )


def _shown(row: Any) -> keys_pb2.Key:
    return keys_pb2.Key(
        id=str(row["id"]),
        tenant_id=str(row["tenant_id"]),
        name=row["name"],
        kind=row["kind"],
        scopes=row["scopes"],
        expires_at_us=_expires_at_us(row),
        last4=row["last4"],
        created_at_us=micros_of(row["created_at"]),
        disabled=row["disabled"],
        endpoint_ids=map(str, row["endpoint_ids"]),
        rates=rates.shown_of_key(row["rates"]),
    )


def _expires_at_us(row: Any) -> int:
    return micros_of(row["expires_at"]) if row["expires_at"] else 0


def _no_such_key() -> ClarionError:
    return ClarionError(Code.NOT_FOUND, "The tenant has no such key.")
