"""KeyService: wire to store."""

import re
from typing import Any

from clarion.ingest.v1 import keys_pb2, keys_pb2_grpc
from runtime import clock
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid
from services.domain.credentials import API_KEY
from services.ingest.database import database_errors
from services.ingest.keys.api_key import ApiKey
from services.ingest.keys.store import Changes, KeyStore
from services.ingest.tenants import rates

_MAX_NAME = 100
_MAX_SCOPES = 20
_MAX_SCOPE = 255
_MAX_ENDPOINTS = 20
_PREFIX = re.compile(r"[a-z0-9_]{0,16}")
_KIND = re.compile(r"[a-z][a-z0-9_]{0,31}")
# PostgreSQL has later times; nobody means them.
_LATEST_US = 253_402_300_799_000_000


class KeyServicer(keys_pb2_grpc.KeyServiceServicer):
    """See proto/clarion/ingest/v1/keys.proto."""

    def __init__(self, store: KeyStore, *, now: clock.Clock = clock.now_us) -> None:
        self._store = store
        self._now = now

    @database_errors
    async def CreateKey(self, request: keys_pb2.CreateKeyRequest, context: Any) -> keys_pb2.CreateKeyResponse:
        """Give a tenant a further key."""
        kind = request.kind or API_KEY
        scopes, endpoint_ids = tuple(dict.fromkeys(request.scopes)), tuple(dict.fromkeys(request.endpoint_ids))
        faults = _id_faults("tenant_id", request.tenant_id)
        if not 1 <= len(request.name.strip()) <= _MAX_NAME or not request.name.isprintable():
            faults.append(("name", f"must be 1 to {_MAX_NAME} printable characters"))
        if not _KIND.fullmatch(kind):
            faults.append(("kind", "must be a word of at most 32 lower-case letters, digits and underscores"))
        if len(scopes) > _MAX_SCOPES:
            faults.append(("scopes", f"must be at most {_MAX_SCOPES}"))
        elif not all(1 <= len(scope) <= _MAX_SCOPE and scope.isprintable() for scope in scopes):
            faults.append(("scopes", f"must each be 1 to {_MAX_SCOPE} printable characters"))
        if not _PREFIX.fullmatch(request.prefix):
            faults.append(("prefix", "must be at most 16 lower-case letters, digits and underscores"))
        if len(endpoint_ids) > _MAX_ENDPOINTS:
            faults.append(("endpoint_ids", f"must be at most {_MAX_ENDPOINTS}"))
        elif not all(map(is_uuid, endpoint_ids)):
            faults.append(("endpoint_ids", "must each be a UUID in lower case"))
        faults += rates.faults_of_key(request.rates)
        if request.expires_at_us and not self._now() < request.expires_at_us <= _LATEST_US:
            faults.append(("expires_at_us", "must be in the future, and before the year 10000"))
        _refuse(faults)
        wanted = ApiKey(request.tenant_id, kind, scopes, request.expires_at_us, endpoint_ids=endpoint_ids)
        key, api_key = await self._store.create(
            wanted, request.name.strip(), prefix=request.prefix, key_rates=rates.parsed(request.rates)
        )
        return keys_pb2.CreateKeyResponse(key=key, api_key=api_key)

    @database_errors
    async def ListKeys(self, request: keys_pb2.ListKeysRequest, context: Any) -> keys_pb2.ListKeysResponse:
        """Return a tenant's further keys."""
        _refuse(_id_faults("tenant_id", request.tenant_id))
        return keys_pb2.ListKeysResponse(keys=await self._store.list(request.tenant_id))

    @database_errors
    async def RevokeKey(self, request: keys_pb2.RevokeKeyRequest, context: Any) -> keys_pb2.RevokeKeyResponse:
        """Revoke a further key."""
        _refuse(_id_faults("tenant_id", request.tenant_id) + _id_faults("key_id", request.key_id))
        await self._store.revoke(request.tenant_id, request.key_id)
        return keys_pb2.RevokeKeyResponse()

    @database_errors
    async def UpdateKey(self, request: keys_pb2.UpdateKeyRequest, context: Any) -> keys_pb2.UpdateKeyResponse:
        """Change the fields of a further key that are present."""
        faults = _id_faults("tenant_id", request.tenant_id) + _id_faults("key_id", request.key_id)
        has_rates = request.HasField("rates")
        _refuse(faults + (rates.faults_of_key(request.rates.rates) if has_rates else []))
        changes = Changes(
            request.disabled if request.HasField("disabled") else None,
            rates.parsed(request.rates.rates) if has_rates else None,
        )
        return keys_pb2.UpdateKeyResponse(key=await self._store.update(request.tenant_id, request.key_id, changes))


def _id_faults(field: str, value: str) -> list[tuple[str, str]]:
    return [] if is_uuid(value) else [(field, "must be a UUID in lower case")]


def _refuse(faults: list[tuple[str, str]]) -> None:
    if faults:
        raise ClarionError(Code.INVALID, "; ".join(f"{f} {d}" for f, d in faults), fields=faults)
