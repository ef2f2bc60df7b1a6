"""Tenants, their keys and webhook secrets. Each change is published in the transaction of its row."""

import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from clarion.ingest.v1 import tenants_pb2
from runtime import postgres
from runtime.configuration import ConfigurationOutbox
from runtime.encryption import Vault
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.domain import channels, topology
from services.domain.sms_limit import DEFAULT_MAX_SEGMENTS
from services.ingest.keys.api_key import KEY_BYTES, ApiKey, api_key_value, digest_of
from services.ingest.ports import (
    DEFAULT_MAX_BYTES,
    DEFAULT_MAX_PARKED,
    DEFAULT_MAX_SCHEDULED,
    DEFAULT_MAX_UNFINISHED,
    MAX_PAYLOAD_BYTES,
    ContentKey,
    Rate,
)
from services.ingest.tenants import rates
from services.ingest.tenants import secrets as webhook_secrets

# Smaller than any id.
_BEFORE_ALL = str(uuid.UUID(int=0))
_QUERIES = postgres.Queries(Path(__file__).with_name("queries.sql"))

CONTENT_KEYS = {
    tenants_pb2.CONTENT_KEY_FULL: ContentKey.FULL.value,
    tenants_pb2.CONTENT_KEY_PAYLOAD: ContentKey.PAYLOAD.value,
}
_CONTENT_KEY_NUMBERS = {text: number for number, text in CONTENT_KEYS.items()}


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes of a tenant; None leaves a field as it is."""

    name: str | None = None
    active: bool | None = None
    delivery_channels: list[int] | None = None
    sender_name: str | None = None
    sender_email: str | None = None
    reply_to: str | None = None
    max_unfinished_events: int | None = None
    rate_limit_per_minute: "NewLimit | None" = None
    daily_cap: "NewLimit | None" = None
    content_key: str | None = None
    max_unfinished_bytes: int | None = None
    max_sms_segments: int | None = None
    # Instead of rate_limit_per_minute and daily_cap.
    rates: "Sequence[Rate] | None" = None
    max_scheduled_events: int | None = None
    max_payload_bytes: int | None = None
    max_parked_per_endpoint: int | None = None


@dataclass(frozen=True, slots=True)
class NewLimit:
    """A limit's new value; None removes it."""

    value: int | None


class TenantStore:
    """Reads and writes. A write returns when the configuration is published, or after two seconds.

    most: tenants of an account.
    """

    def __init__(
        self, pool: "asyncpg.Pool[asyncpg.Record]", outbox: ConfigurationOutbox, vault: Vault, *, most: int = 1000
    ) -> None:
        self._most = most
        self._pool = pool
        self._outbox = outbox
        self._vault = vault

    async def create(self, request: tenants_pb2.CreateTenantRequest) -> tuple[tenants_pb2.Tenant, str]:
        """Return the new tenant and its key, which cannot be read later.

        Raises NOT_FOUND: there is no such account; CONFLICT: it has as many tenants as it may.
        """
        tenant_id, api_key = new_id(), secrets.token_hex(KEY_BYTES)
        split = rates.split(rates.asked(request))
        async with self._pool.acquire() as connection, connection.transaction():
            account_id = request.account_id or new_id()
            if not request.account_id:
                await connection.execute(_QUERIES.insert_account, account_id, request.name)
            else:
                await self._check_account(connection, account_id)
            await connection.execute(
                _QUERIES.insert_tenant,
                tenant_id,
                account_id,
                request.name,
                list(request.delivery_channels),
                request.sender_name,
                request.sender_email,
                request.reply_to,
                request.max_unfinished_events or DEFAULT_MAX_UNFINISHED,
                split.per_minute,
                split.per_day,
                split.stored,
                CONTENT_KEYS.get(request.content_key, ContentKey.FULL.value),
                request.max_unfinished_bytes or DEFAULT_MAX_BYTES,
                request.max_sms_segments or DEFAULT_MAX_SEGMENTS,
                request.max_scheduled_events or DEFAULT_MAX_SCHEDULED,
                request.max_payload_bytes or MAX_PAYLOAD_BYTES,
                request.max_parked_per_endpoint or DEFAULT_MAX_PARKED,
            )
            await connection.execute(_QUERIES.insert_backlog, tenant_id)
            await self._add_key(connection, tenant_id, api_key)
            tenant = await self._publish(connection, tenant_id)
        await self._outbox.flush()
        return tenant, api_key

    async def _check_account(self, connection: Any, account_id: str) -> None:
        if await connection.fetchval(_QUERIES.lock_account, account_id) is None:
            raise ClarionError(Code.NOT_FOUND, "There is no such account.")
        if await connection.fetchval(_QUERIES.count_tenants, account_id) >= self._most:
            raise ClarionError(
                Code.CONFLICT,
                f"This account has {self._most:,} tenants, inactive ones included, and may have no more. Create the"
                " tenant in another account, or raise CLARION_TENANTS_PER_ACCOUNT of ingest.",
            )

    async def get(self, tenant_id: str) -> tenants_pb2.Tenant:
        """Return a tenant. Raises NOT_FOUND."""
        row = await self._pool.fetchrow(_QUERIES.tenant, tenant_id)
        return _tenant(row, await self._pool.fetch(_QUERIES.webhook_secrets, [tenant_id]))

    async def list(self, limit: int, before: str, tenant_ids: Sequence[str] | None = None) -> list[tenants_pb2.Tenant]:
        """Return up to limit tenants, newest first, older than the tenant id before (empty: from the newest).

        tenant_ids: only these; None: any.
        """
        rows = await self._pool.fetch(_QUERIES.tenants, uuid.UUID(before) if before else None, limit, tenant_ids)
        found: dict[Any, list[asyncpg.Record]] = {}
        for secret in await self._pool.fetch(_QUERIES.webhook_secrets, [row["id"] for row in rows]):
            found.setdefault(secret["tenant_id"], []).append(secret)
        return [_tenant(row, found.get(row["id"], [])) for row in rows]

    async def update(self, tenant_id: str, changes: Changes) -> tenants_pb2.Tenant:
        """Change a tenant; return it. Raises NOT_FOUND, and INVALID if it has too many rates then."""
        split = rates.split(changes.rates) if changes.rates is not None else None
        per_minute = NewLimit(split.per_minute) if split else changes.rate_limit_per_minute
        per_day = NewLimit(split.per_day) if split else changes.daily_cap
        async with self._pool.acquire() as connection, connection.transaction():
            await self._lock(connection, tenant_id)
            await connection.execute(
                _QUERIES.update_tenant,
                tenant_id,
                changes.name,
                changes.active,
                changes.delivery_channels,
                changes.sender_name,
                changes.sender_email,
                changes.reply_to,
                changes.max_unfinished_events,
                *_setting(per_minute),
                *_setting(per_day),
                changes.content_key,
                changes.max_unfinished_bytes,
                changes.max_sms_segments,
                split.stored if split else None,
                changes.max_scheduled_events,
                changes.max_payload_bytes,
                changes.max_parked_per_endpoint,
            )
            if split:
                await _forget_rates(connection, tenant_id)
            tenant = await self._publish(connection, tenant_id)
            if len(tenant.rates) > rates.MAX_RATES:  # by a rate that has a field of its own
                raise ClarionError(Code.INVALID, f"A tenant can have {rates.MAX_RATES} rates.")
        await self._outbox.flush()
        return tenant

    async def rotate_key(self, tenant_id: str) -> tuple[tenants_pb2.Tenant, str]:
        """Revoke the tenant's key; return the tenant and its new key. Raises NOT_FOUND."""
        api_key = secrets.token_hex(KEY_BYTES)
        async with self._pool.acquire() as connection, connection.transaction():
            await self._lock(connection, tenant_id)
            for row in await connection.fetch(_QUERIES.revoke_keys, tenant_id):
                await self._outbox.add(connection, topology.api_key_key(row["digest"].hex()), None)
            await self._add_key(connection, tenant_id, api_key)
            tenant = await self._publish(connection, tenant_id)
        await self._outbox.flush()
        return tenant, api_key

    async def rotate_webhook_secret(
        self, tenant_id: str, wanted: str, overlap_s: int
    ) -> tuple[tenants_pb2.Tenant, str]:
        """Return the tenant and its new webhook secret; earlier ones end within overlap_s.

        wanted: the secret; empty: a random one. Raises NOT_FOUND, and CONFLICT if too many are valid already.
        """
        secret, row = webhook_secrets.make(self._vault, tenant_id, wanted)
        async with self._pool.acquire() as connection, connection.transaction():
            await self._lock(connection, tenant_id)
            await connection.execute(_QUERIES.expire_webhook_secrets, tenant_id, overlap_s)
            await connection.execute(_QUERIES.delete_expired_webhook_secrets, tenant_id)
            if len(await connection.fetch(_QUERIES.webhook_secrets, [tenant_id])) >= webhook_secrets.MAX_VALID:
                raise ClarionError(Code.CONFLICT, f"{webhook_secrets.MAX_VALID} webhook secrets are valid already.")
            await connection.execute(_QUERIES.insert_webhook_secret, *row)
            tenant = await self._publish(connection, tenant_id)
        await self._outbox.flush()
        return tenant, secret

    async def delete_webhook_secrets(self, tenant_id: str) -> tenants_pb2.Tenant:
        """Delete the tenant's webhook secrets. Raises NOT_FOUND."""
        async with self._pool.acquire() as connection, connection.transaction():
            await self._lock(connection, tenant_id)
            await connection.execute(_QUERIES.delete_webhook_secrets, tenant_id)
            tenant = await self._publish(connection, tenant_id)
        await self._outbox.flush()
        return tenant

    async def renew_webhook_secrets(self) -> tuple[int, Sequence[str]]:
        """Encrypt with the first key what has another one, tenant by tenant; may be repeated at any time.

        Returns the number of secrets, and the tenants with a secret that no key decrypts.
        """
        renewed, unreadable, last = 0, [], _BEFORE_ALL
        while rows := await self._pool.fetch(_QUERIES.tenants_with_webhook_secrets, last):
            for row in rows:
                last = str(row["tenant_id"])
                count, is_readable = await self._renew_of(last)
                renewed += count
                unreadable += [] if is_readable else [last]
        await self._outbox.flush()
        return renewed, unreadable

    async def _renew_of(self, tenant_id: str) -> tuple[int, bool]:
        renewed, is_readable = 0, True
        async with self._pool.acquire() as connection, connection.transaction():
            await self._lock(connection, tenant_id)
            signing = await connection.fetch(_QUERIES.webhook_secrets, [tenant_id])
            for secret in webhook_secrets.sealed(signing):
                try:
                    ciphertext = secret.renewed(self._vault, tenant_id)
                except ValueError:
                    is_readable = False
                    continue
                if ciphertext is not None:
                    await connection.execute(_QUERIES.renew_webhook_secret, secret.id, ciphertext)
                    renewed += 1
            if renewed:
                await self._publish(connection, tenant_id)
        return renewed, is_readable

    async def configuration(self, tenant_id: str) -> bytes | None:
        """Return the value to publish for a tenant; None: there is no such tenant."""
        row = await self._pool.fetchrow(_QUERIES.tenant, tenant_id)
        if row is None:
            return None
        return configuration_value(row, await self._pool.fetch(_QUERIES.all_webhook_secrets, [tenant_id]))

    async def _lock(self, connection: Any, tenant_id: str) -> None:
        if not await connection.fetchval(_QUERIES.tenant_for_update, tenant_id):
            raise ClarionError(Code.NOT_FOUND, "There is no such tenant.")

    async def _add_key(self, connection: Any, tenant_id: str, api_key: str) -> None:
        digest = digest_of(api_key)
        await connection.execute(_QUERIES.insert_key, digest, tenant_id, api_key[-4:])
        await self._outbox.add(connection, topology.api_key_key(digest.hex()), api_key_value(ApiKey(tenant_id)))

    async def _publish(self, connection: Any, tenant_id: str) -> tenants_pb2.Tenant:
        row = await _publish(connection, self._outbox, tenant_id)
        return _tenant(row, await connection.fetch(_QUERIES.webhook_secrets, [tenant_id]))


async def publish_key_rates(connection: Any, outbox: ConfigurationOutbox, tenant_id: str) -> None:
    """Apply changed rates of a tenant's keys, within the transaction that changed them and locked the tenant."""
    await connection.execute(_QUERIES.collect_key_rates, tenant_id)
    await _forget_rates(connection, tenant_id)
    await _publish(connection, outbox, tenant_id)


async def _publish(connection: Any, outbox: ConfigurationOutbox, tenant_id: str) -> asyncpg.Record:
    row = await connection.fetchrow(_QUERIES.tenant, tenant_id)
    kept = await connection.fetch(_QUERIES.all_webhook_secrets, [tenant_id])
    await outbox.add(connection, topology.tenant_key(tenant_id), configuration_value(row, kept))
    found: asyncpg.Record = row
    return found


async def _forget_rates(connection: Any, tenant_id: str) -> None:
    """Delete what was granted by rates that do not exist any more."""
    await connection.execute(_QUERIES.lock_backlog, tenant_id)
    await connection.execute(_QUERIES.delete_rate_windows, tenant_id)


def _setting(new: NewLimit | None) -> tuple[bool, int | None]:
    """Return the query's two arguments for a limit: whether to set it, and the value."""
    return (new is not None, new.value if new else None)


def _tenant(row: "asyncpg.Record | None", signing: "list[asyncpg.Record]") -> tenants_pb2.Tenant:
    if row is None:
        raise ClarionError(Code.NOT_FOUND, "There is no such tenant.")
    return tenants_pb2.Tenant(
        id=str(row["id"]),
        account_id=str(row["account_id"]),
        name=row["name"],
        active=row["active"],
        delivery_channels=row["delivery_channels"],
        sender_name=row["sender_name"],
        sender_email=row["sender_email"],
        reply_to=row["reply_to"],
        key_last4=row["last4"] or "",
        max_unfinished_events=row["max_unfinished_events"],
        created_at_us=int(row["created_at"].timestamp() * 1_000_000),
        rate_limit_per_minute=row["rate_limit_per_minute"],
        daily_cap=row["daily_cap"],
        content_key=_CONTENT_KEY_NUMBERS[row["content_key"]],
        webhook_secrets=webhook_secrets.shown(signing),
        max_unfinished_bytes=row["max_unfinished_bytes"],
        max_sms_segments=row["max_sms_segments"],
        rates=rates.shown(row["rate_limit_per_minute"], row["daily_cap"], row["rates"]),
        max_scheduled_events=row["max_scheduled_events"],
        max_payload_bytes=row["max_payload_bytes"],
        max_parked_per_endpoint=row["max_parked_per_endpoint"],
    )


def configuration_value(row: asyncpg.Record, kept: "list[asyncpg.Record]") -> bytes:
    """Return the value that is published for a tenant. kept: all its webhook secrets, expired ones too.

    So the value depends on the rows alone, and not on the time.
    """
    tenant = _tenant(row, [])
    key_rates = rates.stored(row["key_rates"])
    return msgspec.json.encode(
        {
            "id": tenant.id,
            "account_id": tenant.account_id,
            "name": tenant.name,
            "active": tenant.active,
            "delivery_channels": [channels.PUBLIC_NAMES[channel] for channel in tenant.delivery_channels],
            "sender_name": tenant.sender_name,
            "sender_email": tenant.sender_email,
            "reply_to": tenant.reply_to,
            "max_unfinished_events": tenant.max_unfinished_events,
            "max_unfinished_bytes": tenant.max_unfinished_bytes,
            "max_sms_segments": tenant.max_sms_segments,
            "rate_limit_per_minute": tenant.rate_limit_per_minute if tenant.HasField("rate_limit_per_minute") else None,
            "daily_cap": tenant.daily_cap if tenant.HasField("daily_cap") else None,
            "rates": rates.stored(row["rates"]),
            **({"key_rates": key_rates} if key_rates else {}),
            "max_scheduled_events": tenant.max_scheduled_events,
            "max_payload_bytes": tenant.max_payload_bytes,
            "max_parked_per_endpoint": tenant.max_parked_per_endpoint,
            "content_key": CONTENT_KEYS[tenant.content_key],
            "webhook_secrets": webhook_secrets.sealed(kept),
        }
    )
