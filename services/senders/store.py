"""The providers' table, and the only code that encrypts and decrypts their secrets."""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import asyncpg
import msgspec

from clarion.common.v1 import event_pb2
from clarion.common.v1.search_pb2 import SearchHit
from runtime import clock, configuration, postgres
from runtime.batching import Batcher
from runtime.encryption import Vault
from runtime.errors import ClarionError, Code
from services.domain import channels, topology
from services.domain.searching import hit, id_range
from services.senders.ports import ProviderRecord
from services.senders.providers import NewProvider, StoredProvider

MAX_PROVIDERS = 100
# Between the priorities of an order, so that one more provider fits between two.
_PRIORITY_STEP = 10

_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))
_encode = msgspec.json.Encoder(order="sorted").encode


class SecretBox:
    """Encrypts a provider's secrets to one ciphertext, bound to the provider's id."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def close(self, provider_id: str, secrets: Mapping[str, str]) -> bytes:
        """Return the ciphertext."""
        return self._vault.encrypt(_encode(dict(secrets)), context=provider_id)

    def open(self, provider_id: str, ciphertext: bytes) -> dict[str, str]:
        """Return the secrets. Raises ValueError if no key decrypts them."""
        return msgspec.json.decode(self._vault.decrypt(ciphertext, context=provider_id), type=dict[str, str])

    def renewed(self, provider_id: str, ciphertext: bytes) -> bytes | None:
        """Return the ciphertext of the first key; None: it is that already. Raises ValueError if no key decrypts it."""
        return self._vault.renewed(ciphertext, context=provider_id)

    def open_record(self, record: ProviderRecord) -> dict[str, str]:
        """Return the secrets of a published provider. Raises ValueError if no key decrypts them."""
        try:
            ciphertext = base64.b64decode(record.secrets, validate=True)
        except binascii.Error as error:
            raise ValueError("the secrets are not base64") from error
        return self.open(record.id, ciphertext)


class ProviderStore:
    """Reads and writes senders.providers; publishes each change in the same transaction."""

    def __init__(
        self, pool: "asyncpg.Pool[asyncpg.Record]", outbox: configuration.ConfigurationOutbox, box: SecretBox
    ) -> None:
        self._pool = pool
        self._outbox = outbox
        self._box = box
        self._finder: Batcher[tuple[str, str], ProviderRecord | None] = Batcher(self._find_all)

    async def create(self, new: NewProvider) -> StoredProvider:
        """Store and publish. Raises CONFLICT past 100 of a tenant, UNAVAILABLE."""
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=5.0) as connection, connection.transaction():
                await connection.execute(_SQL.lock_tenant, new.tenant_id)
                if await connection.fetchval(_SQL.count_providers, new.tenant_id) >= MAX_PROVIDERS:
                    raise ClarionError(Code.CONFLICT, f"A tenant has at most {MAX_PROVIDERS} providers.")
                created_at = await connection.fetchval(
                    _SQL.insert_provider,
                    new.id,
                    new.tenant_id,
                    new.channel,
                    new.kind,
                    new.name,
                    new.priority,
                    _encode(new.settings).decode(),
                    self._box.close(new.id, new.secrets),
                )
                await self._publish(connection, new.tenant_id)
        await self._outbox.flush()
        created_us = clock.micros_of(created_at)
        return StoredProvider(new, dict(new.secrets), created_us, created_us)

    async def get(self, provider_id: str) -> StoredProvider:
        """Return a provider. Raises NOT_FOUND, UNAVAILABLE."""
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.find_providers, [provider_id])
        if not rows:
            raise ClarionError(Code.NOT_FOUND, "The provider does not exist.")
        return self._stored(rows[0])

    async def change(self, provider_id: str, change: Callable[[StoredProvider], NewProvider]) -> StoredProvider:
        """Store and publish the provider that change returns. Raises what change raises, NOT_FOUND, UNAVAILABLE."""
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=5.0) as connection, connection.transaction():
                tenant_id = await connection.fetchval(_SQL.tenant_of_provider, provider_id)
                await connection.execute(_SQL.lock_tenant, tenant_id or "")
                rows = await connection.fetch(_SQL.find_providers, [provider_id])
                if not rows:
                    raise ClarionError(Code.NOT_FOUND, "The provider does not exist.")
                new = change(self._stored(rows[0]))
                (row,) = await connection.fetch(
                    _SQL.update_provider,
                    provider_id,
                    new.name,
                    new.priority,
                    _encode(new.settings).decode(),
                    self._box.close(provider_id, new.secrets),
                )
                await self._publish(connection, tenant_id)
        await self._outbox.flush()
        return self._stored(row)

    async def renew_secrets(self) -> tuple[int, Sequence[str]]:
        """Encrypt all secrets with the first key, tenant by tenant. It may be run again at any time.

        Return how many, and the ids of those that no key opens. Raises UNAVAILABLE.
        """
        renewed, unreadable, last = 0, [], ""
        while True:
            with postgres.unavailable_while_down():
                rows = await self._pool.fetch(_SQL.tenants_with_providers, last)
                for row in rows:
                    last = row["tenant_id"]
                    count, lost = await self._renew_of(last)
                    renewed += count
                    unreadable += lost
            if not rows:
                await self._outbox.flush()
                return renewed, unreadable

    async def _renew_of(self, tenant_id: str) -> tuple[int, list[str]]:
        renewed, unreadable = 0, []
        async with self._pool.acquire(timeout=5.0) as connection, connection.transaction():
            await connection.execute(_SQL.lock_tenant, tenant_id)
            for row in await connection.fetch(_SQL.list_providers, tenant_id):
                try:
                    ciphertext = self._box.renewed(row["id"], row["secrets"])
                except ValueError:
                    unreadable.append(row["id"])
                    continue
                if ciphertext is not None:
                    await connection.execute(_SQL.renew_secrets, row["id"], ciphertext)
                    renewed += 1
            if renewed:
                await self._publish(connection, tenant_id)
        return renewed, unreadable

    async def delete(self, provider_id: str) -> None:
        """Delete with the secrets, and publish. Raises NOT_FOUND, UNAVAILABLE."""
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=5.0) as connection, connection.transaction():
                tenant_id = await connection.fetchval(_SQL.tenant_of_provider, provider_id)
                await connection.execute(_SQL.lock_tenant, tenant_id or "")
                if await connection.fetchval(_SQL.delete_provider, provider_id) is None:
                    raise ClarionError(Code.NOT_FOUND, "The provider does not exist.")
                await self._publish(connection, tenant_id)
        await self._outbox.flush()

    async def order(
        self, tenant_id: str, channel: event_pb2.Channel.ValueType, order: Callable[[Sequence[str]], Sequence[str]]
    ) -> list[StoredProvider]:
        """See services.senders.providers.ProviderRepository."""
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=5.0) as connection, connection.transaction():
                await connection.execute(_SQL.lock_tenant, tenant_id)
                rows = await connection.fetch(_SQL.list_providers, tenant_id)
                ids = order([row["id"] for row in rows if row["channel"] == channel])
                priorities = [_PRIORITY_STEP * place for place in range(1, len(ids) + 1)]
                await connection.execute(_SQL.set_priorities, ids, priorities)
                rows = await connection.fetch(_SQL.list_providers, tenant_id)
                await self._outbox.add(connection, topology.providers_key(tenant_id), published(rows) if rows else None)
        await self._outbox.flush()
        return [self._stored(row) for row in rows if row["channel"] == channel]

    async def of_tenant(self, tenant_id: str) -> list[StoredProvider]:
        """Return a tenant's providers, best first. Raises UNAVAILABLE."""
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.list_providers, tenant_id)
        return [self._stored(row) for row in rows]

    async def search(self, query: str, tenant_ids: Sequence[str], limit: int) -> list[SearchHit]:
        """Return providers with such an id, and deliveries with such an id of a provider; no tenants: of all.

        Up to limit of each. Raises UNAVAILABLE.
        """
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(
                _SQL.search_providers, query, *id_range(query), list(tenant_ids) or None, limit
            )
        return [hit(row) for row in rows]

    async def find(self, tenant_id: str, provider_id: str) -> ProviderRecord | None:
        """Return a provider of this tenant as it is published. Raises UNAVAILABLE."""
        return await self._finder.enqueue((tenant_id, provider_id))

    async def _find_all(self, keys: list[tuple[str, str]]) -> Sequence[ProviderRecord | None]:
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.find_providers, list({provider_id for _, provider_id in keys}))
        found = {(row["tenant_id"], row["id"]): _record(row) for row in rows}
        return [found.get(key) for key in keys]

    async def _publish(self, connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]", tenant_id: str) -> None:
        rows = await connection.fetch(_SQL.list_providers, tenant_id)
        await self._outbox.add(connection, topology.providers_key(tenant_id), published(rows) if rows else None)

    def _stored(self, row: asyncpg.Record) -> StoredProvider:
        try:
            secrets = self._box.open(row["id"], row["secrets"])
        except ValueError:  # no key decrypts them; the provider can still be listed and deleted
            secrets = {}
        provider = NewProvider(
            id=row["id"],
            tenant_id=row["tenant_id"],
            channel=event_pb2.Channel.ValueType(row["channel"]),
            kind=row["kind"],
            name=row["name"],
            priority=row["priority"],
            settings=msgspec.json.decode(row["settings"]),
            secrets={},
        )
        return StoredProvider(provider, secrets, clock.micros_of(row["created_at"]), clock.micros_of(row["updated_at"]))


def published(rows: Sequence[asyncpg.Record]) -> bytes:
    """Return a tenant's providers, best first, as the configuration has them."""
    return _encode([_record(row) for row in rows])


def _record(row: asyncpg.Record) -> ProviderRecord:
    return ProviderRecord(
        id=row["id"],
        channel=channels.PUBLIC_NAMES[event_pb2.Channel.ValueType(row["channel"])],
        kind=row["kind"],
        settings=msgspec.json.decode(row["settings"]),
        secrets=base64.b64encode(row["secrets"]).decode(),
    )
