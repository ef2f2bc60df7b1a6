"""API keys in PostgreSQL. Each change is published in the transaction of its row."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from clarion.ingest.v1 import keys_pb2
from runtime import postgres
from runtime.clock import micros_of
from runtime.configuration import ConfigurationOutbox
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.domain import topology
from services.ingest.keys.api_key import KEY_BYTES, ApiKey, api_key_value, digest_of

# The most further keys of a tenant.
MAX_KEYS = 100

_QUERIES = postgres.Queries(Path(__file__).with_name("queries.sql"))


class KeyStore:
    """Reads and writes. A write returns when the configuration is published, or after two seconds."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", outbox: ConfigurationOutbox) -> None:
        self._pool = pool
        self._outbox = outbox

    async def keys(self, digests: Sequence[bytes]) -> dict[bytes, ApiKey]:
        """Return the keys with these digests; unknown and revoked ones are left out."""
        rows = await self._pool.fetch(_QUERIES.keys, digests)
        return {bytes(row["digest"]): api_key(row) for row in rows}

    async def create(self, key: ApiKey, name: str) -> tuple[keys_pb2.Key, str]:
        """Give the tenant a further key; return it, and what cannot be read later. Raises NOT_FOUND or CONFLICT."""
        secret = secrets.token_hex(KEY_BYTES)
        digest = digest_of(secret)
        async with self._pool.acquire() as connection, connection.transaction():
            if not await connection.fetchval(_QUERIES.tenant_for_update, key.tenant_id):
                raise ClarionError(Code.NOT_FOUND, "There is no such tenant.")
            if len(await connection.fetch(_QUERIES.further_keys, key.tenant_id)) >= MAX_KEYS:
                raise ClarionError(Code.CONFLICT, f"The tenant has {MAX_KEYS} further keys. Revoke one first.")
            expires_at = datetime.fromtimestamp(key.expires_at_us / 1_000_000, UTC) if key.expires_at_us else None
            row = (digest, key.tenant_id, secret[-4:], new_id(), name, key.kind, list(key.scopes), expires_at)
            created = await connection.fetchrow(_QUERIES.insert, *row)
            await self._outbox.add(connection, topology.api_key_key(digest.hex()), api_key_value(key))
        await self._outbox.flush()
        return _shown(created), secret

    async def list(self, tenant_id: str) -> list[keys_pb2.Key]:
        """Return the tenant's further keys, newest first. Expired ones are among them until they are revoked."""
        return [_shown(row) for row in await self._pool.fetch(_QUERIES.further_keys, tenant_id)]

    async def revoke(self, tenant_id: str, key_id: str) -> None:
        """Revoke a further key. Raises NOT_FOUND."""
        async with self._pool.acquire() as connection, connection.transaction():
            digest = await connection.fetchval(_QUERIES.revoke, tenant_id, key_id)
            if digest is None:
                raise ClarionError(Code.NOT_FOUND, "The tenant has no such key.")
            await self._outbox.add(connection, topology.api_key_key(digest.hex()), None)
        await self._outbox.flush()


def api_key(row: Any) -> ApiKey:
    """Return what a row of api_keys says of its key."""
    return ApiKey(str(row["tenant_id"]), row["kind"], tuple(row["scopes"]), _expires_at_us(row))


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
    )


def _expires_at_us(row: Any) -> int:
    return micros_of(row["expires_at"]) if row["expires_at"] else 0
