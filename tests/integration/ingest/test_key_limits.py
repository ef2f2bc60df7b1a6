"""Keys that are disabled, that have rates of their own, or a beginning of their own; and what a tenant may send."""

import asyncio
from collections import Counter
from typing import Any, TypeAlias

import asyncpg
import msgspec
import pytest
from nats.aio.client import Client

from clarion.common.v1 import error_pb2, event_pb2
from clarion.ingest.v1 import ingest_pb2, keys_pb2, tenants_pb2
from runtime.bucket_keys import BUCKET
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.domain import topology
from services.ingest import configuration_sources
from services.ingest.keys.api_key import digest_of
from services.ingest.ports import KEY_SCOPE
from tests.integration.ingest.conftest import Ingest, new_event
from tests.waiting import eventually

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

SLIDING, FIXED = error_pb2.LIMIT_KIND_SLIDING, error_pb2.LIMIT_KIND_FIXED


async def create(ingest: Ingest, tenant_id: str, **fields: Any) -> keys_pb2.CreateKeyResponse:
    """Give a tenant a further key."""
    request = keys_pb2.CreateKeyRequest(**{"tenant_id": tenant_id, "name": "further", **fields})
    answer: keys_pb2.CreateKeyResponse = await ingest.call("KeyService.CreateKey", request)
    return answer


async def update(ingest: Ingest, key: keys_pb2.Key, **fields: Any) -> keys_pb2.Key:
    """Change a key."""
    request = keys_pb2.UpdateKeyRequest(tenant_id=key.tenant_id, key_id=key.id, **fields)
    answer: keys_pb2.UpdateKeyResponse = await ingest.call("KeyService.UpdateKey", request)
    return answer.key


async def identity(ingest: Ingest, key: str, *, reads_disabled: bool = True) -> ingest_pb2.AuthenticateResponse:
    """Return what a gateway learns of a key."""
    request = ingest_pb2.AuthenticateRequest(api_key=key, reads_disabled=reads_disabled)
    answer: ingest_pb2.AuthenticateResponse = await ingest.call("IngestService.Authenticate", request)
    return answer


async def is_refused(ingest: Ingest, key: str) -> bool:
    """Whether the key is refused as an unknown one is."""
    try:
        await identity(ingest, key, reads_disabled=False)
    except ClarionError as error:
        return error.code is Code.UNAUTHENTICATED
    return False


async def test_a_disabled_key_works_again_when_it_is_enabled(pair: list[Ingest]) -> None:
    """On every process. Who asks is told that it is disabled; to the others it is unknown."""
    one, other = pair
    tenant_id = (await one.tenant()).tenant.id
    created = await create(one, tenant_id, kind="other")
    assert not created.key.disabled
    assert (await update(one, created.key, disabled=True)).disabled
    for ingest in pair:
        await eventually(lambda ingest=ingest: is_refused(ingest, created.api_key))
        known = await identity(ingest, created.api_key)
        assert (known.disabled, known.kind, known.key_id) == (True, "other", created.key.id)
    [listed] = (await one.call("KeyService.ListKeys", keys_pb2.ListKeysRequest(tenant_id=tenant_id))).keys
    assert listed.disabled
    assert not (await update(other, created.key, disabled=False)).disabled
    for ingest in pair:
        await eventually(lambda ingest=ingest: _is_enabled(ingest, created.api_key))


async def test_a_disabled_key_can_be_revoked(ingest: Ingest) -> None:
    """Then it is unknown, and cannot be changed."""
    created = await create(ingest, (await ingest.tenant()).tenant.id)
    await update(ingest, created.key, disabled=True)
    request = keys_pb2.RevokeKeyRequest(tenant_id=created.key.tenant_id, key_id=created.key.id)
    await ingest.call("KeyService.RevokeKey", request)
    with pytest.raises(ClarionError) as refused:
        await update(ingest, created.key, disabled=False)
    assert refused.value.code is Code.NOT_FOUND


async def test_a_key_begins_as_its_api_wants(ingest: Ingest) -> None:
    """The beginning is data of whoever makes it; the rest is random."""
    created = await create(ingest, (await ingest.tenant()).tenant.id, prefix="abc_us_", endpoint_ids=[new_id()])
    head, tail = created.api_key[:7], created.api_key[7:]
    assert (head, len(tail), created.key.last4) == ("abc_us_", 64, tail[-4:])
    assert int(tail, 16)
    known = await identity(ingest, created.api_key)
    assert list(known.endpoint_ids) == list(created.key.endpoint_ids)
    assert (known.key_id, known.max_payload_bytes) == (created.key.id, 262_144)


async def test_rates_of_keys_are_exact_over_processes(pair: list[Ingest]) -> None:
    """Of many events at once as many pass as each key may send, and all without a key; each is told its own limit."""
    tenant_id = (await pair[0].tenant(rate_limit_per_minute=1000)).tenant.id
    rate = tenants_pb2.Rate(window_s=3600, bound=5, kind=SLIDING)
    keys = [(await create(pair[0], tenant_id, rates=[rate])).key for _ in range(2)]
    key_ids = (*[key.id for key in keys], "")

    async def send(number: int) -> ingest_pb2.AcceptResult:
        [result] = await pair[number % 2].accept(tenant_id, new_event(str(number), key_id=key_ids[number % 3]))
        return result

    results = await asyncio.gather(*[send(number) for number in range(60)])
    passed = Counter(number % 3 for number, result in enumerate(results) if result.HasField("accepted"))
    assert passed == {0: 5, 1: 5, 2: 20}
    for number, result in enumerate(results):
        if result.HasField("error"):
            limit = result.error.limit
            assert (limit.key_id, limit.scope, limit.bound, limit.remaining) == (key_ids[number % 3], "", 5, 0)


async def test_new_rates_of_a_key_apply_at_once(ingest: Ingest, pool: Pool) -> None:
    """Those that stay keep what they counted; with the key its rates go, and what they counted."""
    tenant_id = (await ingest.tenant()).tenant.id
    hour, minute = (
        tenants_pb2.Rate(window_s=3600, bound=2, kind=SLIDING),
        tenants_pb2.Rate(window_s=60, bound=9, kind=FIXED),
    )
    created = await create(ingest, tenant_id, rates=[hour])
    assert list(created.key.rates) == [hour]

    async def send(key: str) -> ingest_pb2.AcceptResult:
        [result] = await ingest.accept(tenant_id, new_event(key, key_id=created.key.id))
        return result

    [state] = (await send("1")).accepted.limits
    assert (state.key_id, state.scope, state.bound, state.remaining) == (created.key.id, "", 2, 1)
    hour.bound = 1
    changed = await update(ingest, created.key, rates=tenants_pb2.RateList(rates=[hour, minute]))
    assert list(changed.rates) == [hour, minute]
    assert (await send("2")).error.limit == error_pb2.LimitState(
        kind=SLIDING, window_s=3600, bound=1, key_id=created.key.id, reset_s=(await send("2")).error.limit.reset_s
    )
    await update(ingest, created.key, rates=tenants_pb2.RateList(rates=[minute]))
    assert (await send("2")).HasField("accepted")
    assert [row["window_s"] for row in await pool.fetch("SELECT window_s FROM ingest.rate_windows ORDER BY 1")] == [
        60,
        86_400,
    ]
    request = keys_pb2.RevokeKeyRequest(tenant_id=tenant_id, key_id=created.key.id)
    await ingest.call("KeyService.RevokeKey", request)
    assert await pool.fetchval("SELECT key_rates FROM ingest.tenants") == "[]"
    scopes = [row["scope"] for row in await pool.fetch("SELECT scope FROM ingest.rate_windows")]
    assert not [scope for scope in scopes if scope.startswith(KEY_SCOPE)]
    assert (await send("3")).HasField("accepted")


async def test_the_version_before_takes_a_restricted_key_for_revoked(
    ingest: Ingest, pool: Pool, connection: Client
) -> None:
    """It neither finds it in PostgreSQL nor believes what is published of it; and both versions publish the same."""
    tenant_id = (await ingest.tenant()).tenant.id
    disabled, bound = await create(ingest, tenant_id), await create(ingest, tenant_id, endpoint_ids=[new_id()])
    await update(ingest, disabled.key, disabled=True)
    seen = await pool.fetch("SELECT digest FROM ingest.api_keys WHERE id IS NOT NULL AND revoked_at = 'infinity'")
    assert seen == []
    bucket = await connection.jetstream().key_value(BUCKET)
    published = {}
    for key in (disabled, bound):
        name = topology.api_key_key(digest_of(key.api_key).hex())
        published[name] = (await bucket.get(name)).value or b""
        assert msgspec.json.decode(published[name])["expires_at_us"] == 1
    [source] = [source for source in configuration_sources.SOURCES if source.prefix == "keys"]
    assert set(published) < set(await source.keys(pool, "", 10))
    assert await source.read(pool, list(published)) == published


async def test_what_a_tenant_may_send(ingest: Ingest) -> None:
    """Its bounds are stored, published, and applied to the next event."""
    created = await ingest.tenant(max_payload_bytes=2000, max_parked_per_endpoint=7)
    tenant = created.tenant
    assert (tenant.max_payload_bytes, tenant.max_parked_per_endpoint) == (2000, 7)
    assert (await identity(ingest, created.api_key)).max_payload_bytes == 2000
    body = b'{"a":"%s"}' % (b"x" * 3000)
    [result] = await ingest.accept(tenant.id, new_event("1", variables=body))
    assert (result.error.code, [field.field for field in result.error.fields]) == (
        error_pb2.ERROR_CODE_INVALID,
        ["variables"],
    )
    request = tenants_pb2.UpdateTenantRequest(tenant_id=tenant.id, max_payload_bytes=262_144, max_parked_per_endpoint=8)
    changed = (await ingest.call("TenantService.UpdateTenant", request)).tenant
    assert (changed.max_payload_bytes, changed.max_parked_per_endpoint) == (262_144, 8)
    await eventually(lambda: _is_accepted(ingest, tenant.id, body))
    plain = (await ingest.tenant()).tenant
    assert (plain.max_payload_bytes, plain.max_parked_per_endpoint) == (262_144, 100_000)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"prefix": "Abc_"}, "prefix"),
        ({"prefix": "a" * 17}, "prefix"),
        ({"endpoint_ids": ["e"]}, "endpoint_ids"),
        ({"endpoint_ids": [new_id() for _ in range(21)]}, "endpoint_ids"),
        ({"rates": [tenants_pb2.Rate(window_s=n, bound=1, kind=SLIDING) for n in range(1, 6)]}, "rates"),
        ({"rates": [tenants_pb2.Rate(window_s=0, bound=1, kind=SLIDING)]}, "rates[0].window_s"),
        ({"rates": [tenants_pb2.Rate(window_s=1, bound=1, kind=SLIDING, scope="eu")]}, "rates[0].scope"),
    ],
)
async def test_faults_of_a_key(ingest: Ingest, fields: dict[str, Any], field: str) -> None:
    """Each names its field, in a new key and in a change."""
    with pytest.raises(ClarionError) as refused:
        await create(ingest, new_id(), **fields)
    assert (refused.value.code, [name for name, _ in refused.value.fields]) == (Code.INVALID, [field])
    if "rates" not in fields:
        return
    key = keys_pb2.Key(id=new_id(), tenant_id=new_id())
    with pytest.raises(ClarionError) as refused:
        await update(ingest, key, rates=tenants_pb2.RateList(rates=fields["rates"]))
    assert [name for name, _ in refused.value.fields] == [field]


@pytest.mark.parametrize(
    ("field", "value"),
    [("max_payload_bytes", 1023), ("max_payload_bytes", 262_145), ("max_parked_per_endpoint", 10_000_001)],
)
async def test_faults_of_a_tenants_bounds(ingest: Ingest, field: str, value: int) -> None:
    """In a new tenant and in a change."""
    with pytest.raises(ClarionError) as refused:
        await ingest.tenant(**{field: value})
    assert [name for name, _ in refused.value.fields] == [field]
    request = tenants_pb2.UpdateTenantRequest(tenant_id=new_id())
    setattr(request, field, value)
    with pytest.raises(ClarionError) as refused:
        await ingest.call("TenantService.UpdateTenant", request)
    assert [name for name, _ in refused.value.fields] == [field]


async def _is_enabled(ingest: Ingest, key: str) -> bool:
    return not (await identity(ingest, key)).disabled


async def _is_accepted(ingest: Ingest, tenant_id: str, variables: bytes) -> bool:
    recipient = event_pb2.Recipient(user_id="u")
    event = ingest_pb2.NewEvent(event_type="a.b", recipient=recipient, variables=variables)
    [result] = await ingest.accept(tenant_id, event)
    return result.HasField("accepted")
