"""Further API keys of a tenant: for some scopes, of some kind, for some time."""

from typing import Any, TypeAlias

import asyncpg
import grpc.aio
import pytest
from nats.aio.client import Client

from clarion.ingest.v1 import ingest_pb2, ingest_pb2_grpc, keys_pb2, tenants_pb2
from runtime.bucket_keys import BUCKET
from runtime.clock import now_us
from runtime.errors import ClarionError, Code
from runtime.grpc import KEY_METADATA, from_rpc_error
from runtime.ids import new_id
from services.domain import topology
from services.ingest import configuration_sources
from services.ingest.keys.api_key import digest_of
from tests.integration.ingest.conftest import Ingest, new_event
from tests.streams import Streams
from tests.waiting import eventually

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


async def test_a_further_key_s_life(pair: list[Ingest]) -> None:
    """It works in every process beside the tenant's own key, is listed without its secret, and ends when revoked."""
    one, other = pair
    tenant = await one.tenant()
    created = await _create(one, tenant.tenant.id, name="nightly import", scopes=["live"], expires_at_us=2**51)
    for ingest in pair:
        known = await _identity(ingest, created.api_key)
        assert (known.tenant_id, known.kind, list(known.scopes)) == (tenant.tenant.id, "api", ["live"])
        assert known.expires_at_us == 2**51
        own = await _identity(ingest, tenant.api_key)
        assert (own.kind, list(own.scopes), own.expires_at_us) == ("api", [], 0)
    listed = await one.call("KeyService.ListKeys", keys_pb2.ListKeysRequest(tenant_id=tenant.tenant.id))
    assert list(listed.keys) == [created.key]
    assert (created.key.name, created.key.last4) == ("nightly import", created.api_key[-4:])

    rotate = tenants_pb2.RotateKeyRequest(tenant_id=tenant.tenant.id)
    rotated = await one.call("TenantService.RotateKey", rotate)  # the tenant's own key alone
    await eventually(lambda: _is_refused(other, tenant.api_key))
    assert rotated.tenant.key_last4 == rotated.api_key[-4:]
    assert (await _identity(other, created.api_key)).tenant_id == tenant.tenant.id

    revoke = keys_pb2.RevokeKeyRequest(tenant_id=tenant.tenant.id, key_id=created.key.id)
    await other.call("KeyService.RevokeKey", revoke)
    for ingest in pair:
        await eventually(lambda ingest=ingest: _is_refused(ingest, created.api_key))
    assert (await _identity(one, rotated.api_key)).tenant_id == tenant.tenant.id
    with pytest.raises(ClarionError) as refused:
        await one.call("KeyService.RevokeKey", revoke)
    assert refused.value.code is Code.NOT_FOUND


async def test_a_key_is_its_tenants(ingest: Ingest) -> None:
    """Nobody else lists or revokes it."""
    mine, theirs = (await ingest.tenant()).tenant.id, (await ingest.tenant()).tenant.id
    created = await _create(ingest, mine)
    listed = await ingest.call("KeyService.ListKeys", keys_pb2.ListKeysRequest(tenant_id=theirs))
    assert not listed.keys
    with pytest.raises(ClarionError) as refused:
        await ingest.call("KeyService.RevokeKey", keys_pb2.RevokeKeyRequest(tenant_id=theirs, key_id=created.key.id))
    assert refused.value.code is Code.NOT_FOUND
    assert (await _identity(ingest, created.api_key)).tenant_id == mine


async def test_a_scope_must_be_the_keys(ingest: Ingest, streams: Streams) -> None:
    """An event of another scope is FORBIDDEN; one that names none gets the only scope of its key."""
    tenant = await ingest.tenant()
    one = await _create(ingest, tenant.tenant.id, scopes=["live"])
    two = await _create(ingest, tenant.tenant.id, scopes=["live", "test"])
    for key, scope in ((one, ""), (two, "test"), (tenant, "any")):
        await _trigger(ingest, key.api_key, new_event(scope or "k", scope=scope))
    assert sorted(event.scope for event in await streams.events()) == ["any", "live", "test"]
    for key, scope in ((one, "test"), (two, ""), (two, "other")):
        with pytest.raises(ClarionError, match="only for the scopes live") as refused:
            await _trigger(ingest, key.api_key, new_event("k", scope=scope))
        assert refused.value.code is Code.FORBIDDEN


async def test_the_scope_of_a_deduplication_key_must_be_the_keys(ingest: Ingest, streams: Streams) -> None:
    """FORBIDDEN: a key cannot make events of other scopes duplicates of its own. A key without scopes may name any."""
    tenant = await ingest.tenant()
    one = await _create(ingest, tenant.tenant.id, scopes=["live"])

    def dedupe(scope: str) -> ingest_pb2.Dedupe:
        return ingest_pb2.Dedupe(kind=ingest_pb2.DEDUPE_KIND_KEY, key="order-1", scope=scope)

    for scope in ("test", "other"):
        with pytest.raises(ClarionError, match="only for the scopes live") as refused:
            await _trigger(ingest, one.api_key, new_event(dedupe=dedupe(scope)))
        assert refused.value.code is Code.FORBIDDEN
    first = await _trigger(ingest, one.api_key, new_event(dedupe=dedupe("live")))
    assert (await _trigger(ingest, one.api_key, new_event(dedupe=dedupe("")))).event_id == first.event_id
    assert not (await _trigger(ingest, tenant.api_key, new_event(dedupe=dedupe("test")))).duplicate
    assert len(await streams.events()) == 2


async def test_a_key_that_does_not_fit_is_unknown(ingest: Ingest) -> None:
    """One that has ended, and one of another kind, are refused in the words for unknown keys."""
    tenant_id = (await ingest.tenant()).tenant.id
    other_kind = await _create(ingest, tenant_id, kind="inbox")
    ended = await _create(ingest, tenant_id, expires_at_us=now_us() + 500_000)
    await eventually(lambda: _is_refused(ingest, ended.api_key))
    assert (await _identity(ingest, other_kind.api_key)).kind == "inbox"
    details = set()
    for key in ("nonsense", ended.api_key, other_kind.api_key):
        with pytest.raises(ClarionError) as refused:
            await _trigger(ingest, key, new_event("k"))
        details.add((refused.value.code, refused.value.detail))
    assert [code for code, _ in details] == [Code.UNAUTHENTICATED]


async def test_processes_of_the_version_before_know_only_tenants_own_keys(
    ingest: Ingest, pool: Pool, connection: Client
) -> None:
    """They would take a further key for one without bounds: to them it is revoked, and they do not publish it."""
    tenant = await ingest.tenant()
    created = await _create(ingest, tenant.tenant.id, scopes=["live"])
    seen = await pool.fetch("SELECT digest FROM ingest.api_keys WHERE revoked_at IS NULL")
    assert [bytes(row["digest"]) for row in seen] == [digest_of(tenant.api_key)]
    bucket = await connection.jetstream().key_value(BUCKET)
    published = {}
    for api_key in (tenant.api_key, created.api_key):
        key = topology.api_key_key(digest_of(api_key).hex())
        published[key] = (await bucket.get(key)).value
    assert published[topology.api_key_key(digest_of(tenant.api_key).hex())] == tenant.tenant.id.encode()
    [source] = [source for source in configuration_sources.SOURCES if source.prefix == "keys"]
    assert sorted(await source.keys(pool, "", 10)) == sorted(published)
    assert await source.read(pool, list(published)) == published


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"tenant_id": "x"}, "tenant_id"),
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"kind": "Api"}, "kind"),
        ({"scopes": [""]}, "scopes"),
        ({"scopes": [str(number) for number in range(21)]}, "scopes"),
        ({"expires_at_us": 1}, "expires_at_us"),
        ({"expires_at_us": 2**62}, "expires_at_us"),
    ],
)
async def test_faults_of_a_key(ingest: Ingest, fields: dict[str, Any], field: str) -> None:
    """Each names its field."""
    with pytest.raises(ClarionError) as refused:
        await _create(ingest, **{"tenant_id": new_id(), **fields})
    assert refused.value.code is Code.INVALID
    assert [name for name, _ in refused.value.fields] == [field]


async def test_no_tenant_no_key(ingest: Ingest) -> None:
    """NOT_FOUND."""
    with pytest.raises(ClarionError) as refused:
        await _create(ingest, new_id())
    assert refused.value.code is Code.NOT_FOUND


async def _create(ingest: Ingest, tenant_id: str, **fields: Any) -> keys_pb2.CreateKeyResponse:
    request = keys_pb2.CreateKeyRequest(tenant_id=tenant_id, **{"name": "further", **fields})
    answer: keys_pb2.CreateKeyResponse = await ingest.call("KeyService.CreateKey", request)
    return answer


async def _identity(ingest: Ingest, key: str) -> ingest_pb2.AuthenticateResponse:
    request = ingest_pb2.AuthenticateRequest(api_key=key)
    answer: ingest_pb2.AuthenticateResponse = await ingest.call("IngestService.Authenticate", request)
    return answer


async def _is_refused(ingest: Ingest, key: str) -> bool:
    try:
        await _identity(ingest, key)
    except ClarionError as error:
        return error.code is Code.UNAUTHENTICATED
    return False


async def _trigger(ingest: Ingest, key: str, event: ingest_pb2.NewEvent) -> ingest_pb2.TriggerEventResponse:
    stub = ingest_pb2_grpc.IngestServiceStub(ingest.service.channel)
    request = ingest_pb2.TriggerEventRequest(event=event)
    try:
        return await stub.TriggerEvent(request, timeout=30, metadata=((KEY_METADATA, key),))
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from error
