"""Endpoints in PostgreSQL. Every query names the tenant; each change is published in its transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from clarion.common.v1.search_pb2 import SearchHit
from clarion.router.v1 import endpoints_pb2
from runtime import postgres
from runtime.encryption import Vault
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.domain.searching import hit, id_range
from services.router.catalogs.environments.store import DefaultEnvironments
from services.router.endpoints.check import CheckedEndpoint, EndpointFields, Hidden
from services.router.endpoints.secrets import MAX_VALID, EndpointSeal, NewSecret
from services.router.endpoints.writing import Counts, Pool, TenantWrite, TenantWrites
from services.router.recipients.store import BEFORE_ALL

# Of one tenant.
MAX_ENDPOINTS = 20_000
OPERATOR = "operator"
# The most ids of endpoints that RenewEndpointSecrets lists.
_MAX_UNREADABLE = 100

_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))
_encode = msgspec.json.Encoder().encode
_decode_labels = msgspec.json.Decoder(dict[str, str]).decode


@dataclass(frozen=True, slots=True)
class StoredEndpoint:
    """An endpoint. secrets: rows of those that are valid now, newest first."""

    id: str
    fields: EndpointFields
    row: "asyncpg.Record"
    secrets: Sequence["asyncpg.Record"]


@dataclass(frozen=True, slots=True)
class EndpointSearch:
    """Filters of a list; empty: any. after: a cursor."""

    environment_id: str = ""
    application_id: str = ""
    event_type_id: str = ""
    after: str = ""


Change = Callable[[EndpointFields, Hidden], CheckedEndpoint]


class EndpointStore:
    """Reads and writes router.endpoints. Methods raise UNAVAILABLE while PostgreSQL is away."""

    def __init__(self, pool: Pool, writes: TenantWrites, environments: DefaultEnvironments, vault: Vault) -> None:
        self._pool = pool
        self._writes = writes
        self._environments = environments
        self._vault = vault

    async def create(self, tenant_id: str, new: CheckedEndpoint, wanted: str) -> tuple[StoredEndpoint, str, int]:
        """Store and publish an endpoint; return it, its secret (empty: it needs none) and the revision.

        wanted: the secret; empty: a random one. Raises NOT_FOUND (environment, application), and CONFLICT if the
        tenant or the application has as many as it may.
        """
        fields = new.fields
        environment_id = fields.environment_id or await self._environments.default_id(tenant_id)
        endpoint_id = new_id()
        seal = EndpointSeal(self._vault, tenant_id, endpoint_id)
        is_signed = fields.kind != endpoints_pb2.ENDPOINT_KIND_SLACK
        secret = seal.secret(wanted) if is_signed else None
        async with self._writes.begin(tenant_id) as write:
            if not await write.connection.fetchval(_SQL.environment_exists, tenant_id, environment_id):
                raise ClarionError(Code.NOT_FOUND, "There is no such environment.")
            if fields.application_id:
                await _take_room(write, fields.application_id)
            if (await write.count(Counts(endpoints=1))).endpoints > MAX_ENDPOINTS:
                raise ClarionError(Code.CONFLICT, f"A tenant has at most {MAX_ENDPOINTS:,} endpoints.")
            await write.connection.execute(
                _SQL.insert,
                tenant_id,
                endpoint_id,
                environment_id,
                fields.application_id or None,
                fields.kind,
                fields.mode,
                fields.url,
                fields.description,
                _encode(fields.metadata).decode(),
                fields.config.decode(),
                list(fields.header_names),
                seal.headers(new.headers or {}),
                fields.auth_username,
                seal.auth(new.auth or ""),
                fields.rate_per_s,
                fields.batch_size,
                list(fields.retry_delays_s),
            )
            if secret is not None:
                await _insert_secret(write, endpoint_id, secret)
            stored = await self._get(write.connection, tenant_id, endpoint_id)
            write.changes(endpoints=[endpoint_id])
        return stored, secret.text if secret else "", write.revision

    async def get(self, tenant_id: str, endpoint_id: str) -> StoredEndpoint:
        """Return an endpoint. Raises NOT_FOUND."""
        with postgres.unavailable_while_down():
            return await self._get(self._pool, tenant_id, endpoint_id)

    async def search(self, query: str, tenant_ids: Sequence[str], limit: int) -> list[SearchHit]:
        """Return up to limit endpoints with such an id; no tenants: of all. Raises UNAVAILABLE."""
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.search, query, *id_range(query), list(tenant_ids) or None, limit)
        return [hit(row) for row in rows]

    async def page(self, tenant_id: str, search: EndpointSearch, limit: int) -> list[StoredEndpoint]:
        """Return up to limit endpoints, in the order of their creation."""
        arguments: list[object] = [tenant_id, search.after or BEFORE_ALL, limit]
        arguments += [search.environment_id or None, search.application_id or None]
        query = _SQL.ids
        if search.event_type_id:
            query, arguments = _SQL.ids_of_event_type, [*arguments, search.event_type_id]
        elif search.application_id:
            query = _SQL.ids_of_application
        elif search.environment_id:
            query = _SQL.ids_of_environment
        with postgres.unavailable_while_down():
            ids = [row["id"] for row in await self._pool.fetch(query, *arguments)]
            return await self._by_ids(self._pool, tenant_id, ids)

    async def update(self, tenant_id: str, endpoint_id: str, change: Change) -> tuple[StoredEndpoint, int]:
        """Store and publish what change returns; return the endpoint and the revision.

        Raises what change raises, and NOT_FOUND.
        """
        seal = EndpointSeal(self._vault, tenant_id, endpoint_id)
        async with self._writes.begin(tenant_id) as write:
            old = await self._get(write.connection, tenant_id, endpoint_id)
            new = change(old.fields, seal.hidden(old.row["sealed_headers"], old.row["sealed_auth"]))
            fields = new.fields
            # An endpoint that is disabled already keeps why.
            disabled_reason = "" if fields.active else old.row["disabled_reason"] or OPERATOR
            await write.connection.execute(
                _SQL.update,
                tenant_id,
                endpoint_id,
                fields.mode,
                fields.url,
                fields.description,
                _encode(fields.metadata).decode(),
                fields.config.decode(),
                list(fields.header_names),
                None if new.headers is None else seal.headers(new.headers),
                fields.auth_username,
                None if new.auth is None else seal.auth(new.auth),
                fields.rate_per_s,
                fields.batch_size,
                list(fields.retry_delays_s),
                fields.active,
                disabled_reason,
            )
            stored = await self._get(write.connection, tenant_id, endpoint_id)
            write.changes(endpoints=[endpoint_id])
            if fields.active != old.fields.active:
                await _changes_subscribers(write, endpoint_id)
        return stored, write.revision

    async def disable(self, tenant_id: str, endpoint_id: str, revision: int, reason: str) -> bool:
        """Disable an active endpoint that has this revision; return whether there was one."""
        async with self._writes.begin(tenant_id) as write:
            found = await write.connection.fetchval(_SQL.disable, tenant_id, endpoint_id, revision, reason)
            if found is not None:
                write.changes(endpoints=[endpoint_id])
                await _changes_subscribers(write, endpoint_id)
        return found is not None

    async def delete(self, tenant_id: str, endpoint_id: str) -> int:
        """Delete an endpoint with its secrets and subscriptions; return the revision. Raises NOT_FOUND."""
        async with self._writes.begin(tenant_id) as write:
            if not await write.delete_endpoints([endpoint_id]):
                raise _no_endpoint()
        return write.revision

    async def rotate_secret(
        self, tenant_id: str, endpoint_id: str, wanted: str, overlap_s: int
    ) -> tuple[StoredEndpoint, str, int]:
        """Return the endpoint, its new secret and the revision; earlier secrets end within overlap_s.

        wanted: the secret; empty: a random one. Raises NOT_FOUND, CONFLICT if too many are valid, INVALID for Slack.
        """
        secret = EndpointSeal(self._vault, tenant_id, endpoint_id).secret(wanted)
        async with self._writes.begin(tenant_id) as write:
            old = await self._get(write.connection, tenant_id, endpoint_id)
            _refuse_unsigned(old)
            await write.connection.execute(_SQL.expire_secrets, tenant_id, endpoint_id, overlap_s)
            await write.connection.execute(_SQL.delete_expired_secrets, tenant_id, endpoint_id)
            valid = await write.connection.fetch(_SQL.secrets, tenant_id, [endpoint_id])
            if len(valid) >= MAX_VALID:
                text = f"{MAX_VALID} secrets are valid already: rotate with a shorter overlap, or wait."
                raise ClarionError(Code.CONFLICT, text)
            await _insert_secret(write, endpoint_id, secret)
            await write.connection.execute(_SQL.raise_revision, tenant_id, endpoint_id)
            stored = await self._get(write.connection, tenant_id, endpoint_id)
            write.changes(endpoints=[endpoint_id])
        return stored, secret.text, write.revision

    async def reveal_secret(self, tenant_id: str, endpoint_id: str) -> str:
        """Return the newest secret. Raises NOT_FOUND, CONFLICT if no key decrypts it, INVALID for Slack."""
        _refuse_unsigned(await self.get(tenant_id, endpoint_id))
        with postgres.unavailable_while_down():
            row = await self._pool.fetchrow(_SQL.newest_secret, tenant_id, endpoint_id)
        if row is None:  # deleted meanwhile
            raise _no_endpoint()
        try:
            return EndpointSeal(self._vault, tenant_id, endpoint_id).open_secret(str(row["id"]), row["ciphertext"])
        except ValueError:
            text = "No encryption key decrypts this secret: rotate it."
            raise ClarionError(Code.CONFLICT, text) from None

    async def renew_secrets(self) -> tuple[int, list[str]]:
        """Encrypt with the first key what has another one, page by page; may be repeated at any time.

        Returns the number of endpoints, and some of those with something that no key decrypts.
        """
        renewed, tenant_id = 0, BEFORE_ALL
        unreadable: list[str] = []
        while True:
            with postgres.unavailable_while_down():
                rows = await self._pool.fetch(_SQL.tenants_with_endpoints, tenant_id)
            if not rows:
                return renewed, unreadable
            for row in rows:
                tenant_id = str(row["tenant_id"])
                after = BEFORE_ALL
                while after:
                    count, lost, after = await self._renew_page(tenant_id, after)
                    renewed += count
                    unreadable += lost[: _MAX_UNREADABLE - len(unreadable)]

    async def _renew_page(self, tenant_id: str, after: str) -> tuple[int, list[str], str]:
        """Return the number of endpoints with something renewed, the unreadable ones, and the next cursor."""
        renewed: dict[Any, None] = {}
        unreadable: dict[Any, None] = {}

        def renew(endpoint_id: Any, work: Callable[[bytes], bytes | None], sealed: bytes) -> bytes | None:
            try:
                fresh = work(sealed)
            except ValueError:
                unreadable[endpoint_id] = None
                return None
            if fresh is not None:
                renewed[endpoint_id] = None
            return fresh

        async with self._writes.begin(tenant_id) as write:
            rows = await write.connection.fetch(_SQL.sealed_page, tenant_id, after)
            seals = {row["id"]: EndpointSeal(self._vault, tenant_id, str(row["id"])) for row in rows}
            for row in rows:
                seal = seals[row["id"]]
                headers = renew(row["id"], seal.renewed_headers, row["sealed_headers"])
                auth = renew(row["id"], seal.renewed_auth, row["sealed_auth"])
                if headers is not None or auth is not None:
                    await write.connection.execute(_SQL.renew, tenant_id, row["id"], headers, auth)
            for row in await write.connection.fetch(_SQL.sealed_secrets, tenant_id, list(seals)):
                endpoint_id, secret_id = row["endpoint_id"], str(row["id"])
                fresh = renew(endpoint_id, partial(seals[endpoint_id].renewed_secret, secret_id), row["ciphertext"])
                if fresh is not None:
                    await write.connection.execute(_SQL.renew_secret, tenant_id, endpoint_id, secret_id, fresh)
            write.changes(endpoints=renewed)
        return len(renewed), list(map(str, unreadable)), str(rows[-1]["id"]) if rows else ""

    async def _get(self, reader: Any, tenant_id: str, endpoint_id: str) -> StoredEndpoint:
        found = await self._by_ids(reader, tenant_id, [endpoint_id])
        if not found:
            raise _no_endpoint()
        return found[0]

    @staticmethod
    async def _by_ids(reader: Any, tenant_id: str, ids: Sequence[object]) -> list[StoredEndpoint]:
        rows = await reader.fetch(_SQL.by_ids, tenant_id, ids)
        secrets: dict[Any, list[asyncpg.Record]] = {row["id"]: [] for row in rows}
        for one in await reader.fetch(_SQL.secrets, tenant_id, list(secrets)):
            secrets[one["endpoint_id"]].append(one)
        return [StoredEndpoint(str(row["id"]), _fields(row), row, secrets[row["id"]]) for row in rows]


async def _take_room(write: TenantWrite, application_id: str) -> None:
    has_room = await write.connection.fetchval(_SQL.count_in_application, write.tenant_id, application_id)
    if has_room is None:
        raise ClarionError(Code.NOT_FOUND, "There is no such application.")
    if not has_room:
        fault = ("application_id", "must be of an application that may have more endpoints")
        raise ClarionError(Code.CONFLICT, "The application has as many endpoints as it may.", fields=[fault])


async def _insert_secret(write: TenantWrite, endpoint_id: str, secret: NewSecret) -> None:
    await write.connection.execute(
        _SQL.insert_secret, write.tenant_id, endpoint_id, secret.id, secret.ciphertext, secret.last4
    )


async def _changes_subscribers(write: TenantWrite, endpoint_id: str) -> None:
    rows = await write.connection.fetch(_SQL.event_types_of, write.tenant_id, endpoint_id)
    write.changes(event_types=[row["name"] for row in rows])


def _refuse_unsigned(endpoint: StoredEndpoint) -> None:
    if endpoint.fields.kind == endpoints_pb2.ENDPOINT_KIND_SLACK:
        raise ClarionError(Code.INVALID, "An endpoint for Slack has no secret: its messages are not signed.")


def _no_endpoint() -> ClarionError:
    return ClarionError(Code.NOT_FOUND, "There is no such endpoint.")


def _fields(row: asyncpg.Record) -> EndpointFields:
    metadata: Mapping[str, str] = _decode_labels(row["metadata"])
    return EndpointFields(
        environment_id=str(row["environment_id"]),
        application_id=str(row["application_id"] or ""),
        kind=row["kind"],
        mode=row["mode"],
        url=row["url"],
        description=row["description"],
        metadata=metadata,
        config=row["config"].encode(),
        header_names=tuple(row["header_names"]),
        auth_username=row["auth_username"],
        rate_per_s=row["rate_per_s"],
        batch_size=row["batch_size"],
        retry_delays_s=tuple(row["retry_delays_s"]),
        active=row["is_active"],
    )
