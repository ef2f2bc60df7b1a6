"""API keys: their tenants, rotation, and lookups while PostgreSQL or NATS is away."""

import asyncio
import hashlib
from base64 import b64encode
from typing import Any, TypeAlias

import asyncpg
import grpc.aio
import pytest
from nats.aio.client import Client

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2, ingest_pb2_grpc, tenants_pb2
from runtime.bucket_keys import BUCKET
from runtime.errors import ClarionError, Code
from runtime.grpc import KEY_METADATA, from_rpc_error
from runtime.ids import new_id
from services.domain import topology
from tests.conftest import NatsServer, PostgresServer
from tests.integration.ingest.conftest import Ingest, new_event
from tests.integration.ingest.processes import ENCRYPTION_KEY, StartService
from tests.streams import Streams
from tests.waiting import eventually

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


async def test_a_key_s_life(pair: list[Ingest]) -> None:
    """A key works in every process at once; a rotated key ends everywhere; a tenant can be deactivated."""
    one, other = pair
    created = await one.tenant()
    tenant_id = created.tenant.id
    assert await _whose(one, created.api_key) == tenant_id
    assert await _whose(other, created.api_key) == tenant_id  # asked at its owner, if the copy is behind

    rotate = tenants_pb2.RotateKeyRequest(tenant_id=tenant_id)
    rotated = await one.call("TenantService.RotateKey", rotate)
    assert rotated.tenant.key_last4 == rotated.api_key[-4:]
    for ingest in pair:
        await eventually(lambda ingest=ingest: _is_refused(ingest, created.api_key))
        assert await _whose(ingest, rotated.api_key) == tenant_id

    await one.call("TenantService.DeactivateTenant", tenants_pb2.DeactivateTenantRequest(tenant_id=tenant_id))
    for ingest in pair:
        await eventually(lambda ingest=ingest: _is_refused(ingest, rotated.api_key))
    await one.call("TenantService.UpdateTenant", tenants_pb2.UpdateTenantRequest(tenant_id=tenant_id, active=True))
    await eventually(lambda: _is_known(other, rotated.api_key))


async def test_refusals_say_nothing(ingest: Ingest) -> None:
    """Unknown, empty, revoked and inactive look the same."""
    created = await ingest.tenant()
    inactive = await ingest.tenant()
    await ingest.call("TenantService.RotateKey", tenants_pb2.RotateKeyRequest(tenant_id=created.tenant.id))
    shut = tenants_pb2.DeactivateTenantRequest(tenant_id=inactive.tenant.id)
    await ingest.call("TenantService.DeactivateTenant", shut)
    details = set()
    for key in ("", "nonsense", "f" * 64, created.api_key, inactive.api_key):
        await eventually(lambda key=key: _is_refused(ingest, key))
        with pytest.raises(ClarionError) as refused:
            await _whose(ingest, key)
        details.add((refused.value.code, refused.value.detail))
    assert len(details) == 1


async def test_a_key_is_nowhere_at_rest(ingest: Ingest, pool: Pool) -> None:
    """Its SHA-256 and its last four characters are kept; the key is neither in a table nor in the log."""
    created = await ingest.tenant()
    await _whose(ingest, created.api_key)
    row = await pool.fetchrow("SELECT digest, last4 FROM ingest.api_keys")
    assert row is not None
    assert (row["digest"], row["last4"]) == (hashlib.sha256(created.api_key.encode()).digest(), created.api_key[-4:])
    for table in ("accounts", "tenants", "api_keys", "config_outbox"):
        rows = await pool.fetch(f"SELECT t::text AS line FROM ingest.{table} t")
        assert not [one for one in rows if created.api_key in one["line"]]
    assert created.api_key not in ingest.service.log.read_text()


async def test_a_webhook_secret_is_nowhere_at_rest(start: StartService, pool: Pool, connection: Client) -> None:
    """Encrypted in the table and in the configuration; without its key nothing passes as unsigned."""
    ingest = Ingest(await start("services.ingest"))
    created = await ingest.tenant()
    rotate = tenants_pb2.RotateWebhookSecretRequest(tenant_id=created.tenant.id, secret="a-secret-to-look-for")
    rotated = await ingest.call("TenantService.RotateWebhookSecret", rotate)
    assert [secret.last4 for secret in rotated.tenant.webhook_secrets] == ["-for"]
    await eventually(lambda: _signs_with(ingest, created.api_key))
    row = await pool.fetchrow("SELECT ciphertext, last4 FROM ingest.webhook_secrets")
    assert row is not None
    assert b"look" not in row["ciphertext"]
    bucket = await connection.jetstream().key_value(BUCKET)
    configuration = (await bucket.get(topology.tenant_key(created.tenant.id))).value or b""
    assert b"webhook_secrets" in configuration
    assert b"look" not in configuration
    assert "look-for" not in ingest.service.log.read_text()

    lost = Ingest(await start("services.ingest", CLARION_ENCRYPTION_KEYS=b64encode(bytes(32)).decode()))
    with pytest.raises(ClarionError) as refused:
        await _signs_with(lost, created.api_key)
    assert refused.value.code is Code.INTERNAL
    both = f"{b64encode(bytes(32)).decode()},{ENCRYPTION_KEY}"
    turned = Ingest(await start("services.ingest", CLARION_ENCRYPTION_KEYS=both))
    assert await _signs_with(turned, created.api_key) == ["a-secret-to-look-for"]


async def test_a_webhook_secret_reaches_every_process(pair: list[Ingest]) -> None:
    """It is revoked in every process."""
    one, other = pair
    created = await one.tenant()
    rotate = tenants_pb2.RotateWebhookSecretRequest(tenant_id=created.tenant.id)
    secret = (await one.call("TenantService.RotateWebhookSecret", rotate)).secret

    async def signs_with(expected: list[str]) -> bool:
        return await _signs_with(other, created.api_key) == expected

    await eventually(lambda: signs_with([secret]))
    delete = tenants_pb2.DeleteWebhookSecretsRequest(tenant_id=created.tenant.id)
    await one.call("TenantService.DeleteWebhookSecrets", delete)
    await eventually(lambda: signs_with([]))


async def test_guesses_are_few_queries(pair: list[Ingest], pool: Pool) -> None:
    """Two thousand unknown keys cause few queries; a key that another process creates meanwhile works at once."""
    one, other = pair
    known = await one.tenant()
    await eventually(lambda: _is_known(one, known.api_key))
    before = await _transactions(pool)
    room = asyncio.Semaphore(500)

    async def guess(number: int) -> bool:
        async with room:
            return await _is_refused(one, f"guess-{number}")

    guesses = [asyncio.create_task(guess(number)) for number in range(2000)]
    created = await other.tenant()
    assert await _whose(one, created.api_key) == created.tenant.id
    assert await _whose(one, known.api_key) == known.tenant.id
    assert all(await asyncio.gather(*guesses))
    # The server counts all that a connection did when it ends.
    for ingest in pair:
        assert await asyncio.to_thread(ingest.service.stop) == 0
    await eventually(lambda: _is_left(pool))
    assert await _transactions(pool) - before < 500


async def test_without_postgres(ingest: Ingest, postgres_server: PostgresServer) -> None:
    """Known keys work; an unknown key is UNAVAILABLE and not refused; operators' calls are UNAVAILABLE."""
    created = await ingest.tenant()
    await eventually(lambda: _is_known(ingest, created.api_key))
    postgres_server.kill()
    try:
        assert await _whose(ingest, created.api_key) == created.tenant.id
        for call in (
            _whose(ingest, "another"),
            ingest.call("TenantService.GetTenant", tenants_pb2.GetTenantRequest(tenant_id=created.tenant.id)),
            ingest.tenant(),
        ):
            with pytest.raises(ClarionError) as refused:
                await call
            assert refused.value.code is Code.UNAVAILABLE
            assert refused.value.retry_after > 0
    finally:
        postgres_server.start()
    await eventually(lambda: _is_refused(ingest, "another"))


async def test_a_tenant_made_without_nats(pair: list[Ingest], nats_server: NatsServer) -> None:
    """The row is written, its key works at once by asking the owner, and the other process learns when NATS is back."""
    one, other = pair
    nats_server.kill()
    created = await one.tenant()
    assert await _whose(other, created.api_key) == created.tenant.id
    await asyncio.to_thread(nats_server.start)
    rotated = await one.call("TenantService.RotateKey", tenants_pb2.RotateKeyRequest(tenant_id=created.tenant.id))
    await eventually(lambda: _is_refused(other, created.api_key))
    assert await _whose(other, rotated.api_key) == created.tenant.id


async def test_an_internal_caller_shows_its_key(ingest: Ingest, streams: Streams) -> None:
    """TriggerEvent takes the API key and nothing else; the other methods take the services' token."""
    created = await ingest.tenant()
    stub = ingest_pb2_grpc.IngestServiceStub(ingest.service.channel)
    request = ingest_pb2.TriggerEventRequest(event=new_event("k", variables=b'{ "b":1, "a":2 }'))

    async def trigger(key: str) -> ingest_pb2.TriggerEventResponse:
        try:
            answer: ingest_pb2.TriggerEventResponse = await stub.TriggerEvent(
                request, timeout=30, metadata=((KEY_METADATA, key),)
            )
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        return answer

    first, again = await trigger(created.api_key), await trigger(created.api_key)
    assert (first.duplicate, again.duplicate, again.event_id) == (False, True, first.event_id)
    [event] = await streams.events()
    assert (event.tenant_id, event.variables) == (created.tenant.id, b'{"b":1,"a":2}')
    with pytest.raises(ClarionError) as refused:
        await trigger("nonsense")
    assert refused.value.code is Code.UNAUTHENTICATED
    with pytest.raises(ClarionError) as refused:
        await ingest.call("IngestService.Authenticate", ingest_pb2.AuthenticateRequest(), token=created.api_key)
    assert refused.value.code is Code.UNAUTHENTICATED


async def test_operators_nonsense(ingest: Ingest) -> None:
    """INVALID or NOT_FOUND, with the field's name."""
    calls = [
        ("CreateTenant", tenants_pb2.CreateTenantRequest(name=" "), Code.INVALID),
        ("CreateTenant", tenants_pb2.CreateTenantRequest(name="x", reply_to="a\nb"), Code.INVALID),
        ("CreateTenant", tenants_pb2.CreateTenantRequest(name="x", account_id="x"), Code.INVALID),
        ("CreateTenant", tenants_pb2.CreateTenantRequest(name="x", account_id=new_id()), Code.NOT_FOUND),
        ("UpdateTenant", tenants_pb2.UpdateTenantRequest(tenant_id=new_id(), name="y"), Code.NOT_FOUND),
        ("RotateKey", tenants_pb2.RotateKeyRequest(tenant_id="x"), Code.INVALID),
        ("GetTenant", tenants_pb2.GetTenantRequest(tenant_id=new_id()), Code.NOT_FOUND),
        ("ListTenants", tenants_pb2.ListTenantsRequest(limit=-1), Code.INVALID),
        ("ListTenants", tenants_pb2.ListTenantsRequest(limit=101), Code.INVALID),
    ]
    for method, request, code in calls:
        with pytest.raises(ClarionError) as refused:
            await ingest.call(f"TenantService.{method}", request)
        assert refused.value.code is code, method


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sender_email", "Help <help@acorn.example>"),
        ("sender_email", "a@b.example\r\nBcc: eve@example.org"),
        ("sender_email", "a\n@b.example"),
        ("reply_to", "a@b.example, c@d.example"),
        ("reply_to", "nobody"),
        ("sender_name", "A\nB"),
        ("sender_name", "A\u2028B"),
        ("sender_name", "\u202eA"),
        ("sender_name", "x" * 257),
        ("max_sms_segments", -1),
        ("max_sms_segments", 256),
        ("max_unfinished_events", -1),
        ("max_unfinished_bytes", 1),
        ("max_scheduled_events", -1),
    ],
)
async def test_what_a_tenant_cannot_have(ingest: Ingest, field: str, value: Any) -> None:
    """Neither at first nor by a change: INVALID, naming the field; nothing is changed."""
    created = (await ingest.tenant()).tenant
    requests = (
        ("CreateTenant", tenants_pb2.CreateTenantRequest(name="x", **{field: value})),
        ("UpdateTenant", tenants_pb2.UpdateTenantRequest(tenant_id=created.id, **{field: value})),
    )
    for method, request in requests:
        with pytest.raises(ClarionError) as refused:
            await ingest.call(f"TenantService.{method}", request)
        assert refused.value.code is Code.INVALID
        assert [name for name, _ in refused.value.fields] == [field]
    same = await ingest.call("TenantService.GetTenant", tenants_pb2.GetTenantRequest(tenant_id=created.id))
    assert same.tenant == created


async def test_a_change_of_something_else_leaves_addresses_and_limits(ingest: Ingest, pool: Pool) -> None:
    """What is absent stays, also an address that was stored before addresses were looked at; 0 is no limit of SMS."""
    created = (await ingest.tenant(sender_email="a@b.example", max_sms_segments=3)).tenant
    assert (created.sender_email, created.max_sms_segments) == ("a@b.example", 3)
    await pool.execute("UPDATE ingest.tenants SET reply_to = 'Help <help@b.example>' WHERE id = $1", created.id)
    change = tenants_pb2.UpdateTenantRequest(tenant_id=created.id, name="renamed")
    changed = (await ingest.call("TenantService.UpdateTenant", change)).tenant
    assert (changed.name, changed.sender_email, changed.max_sms_segments) == ("renamed", "a@b.example", 3)
    assert changed.reply_to == "Help <help@b.example>"
    none = tenants_pb2.UpdateTenantRequest(tenant_id=created.id, max_sms_segments=0)
    with pytest.raises(ClarionError, match="max_sms_segments must be from 1 to 255"):
        await ingest.call("TenantService.UpdateTenant", none)


async def test_faults_of_an_event_have_the_names_of_the_message(ingest: Ingest) -> None:
    """The errors use the names of the gRPC message, which differ from the HTTP API's; all are named at once."""
    created = await ingest.tenant()
    stub = ingest_pb2_grpc.IngestServiceStub(ingest.service.channel)
    wrong = ingest_pb2.NewEvent(variables=b"{", channels=[event_pb2.CHANNEL_UNSPECIFIED])
    fields = []
    named = ["event_type", "recipient.user_id", "channels"]
    for event in (wrong, ingest_pb2.NewEvent(channels=[event_pb2.CHANNEL_UNSPECIFIED])):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stub.TriggerEvent(
                ingest_pb2.TriggerEventRequest(event=event), timeout=30, metadata=((KEY_METADATA, created.api_key),)
            )
        fields.append([field for field, _ in from_rpc_error(failed.value).fields])
    assert fields == [[*named, "variables"], named]


async def test_a_tenant_has_one_spelling(ingest: Ingest) -> None:
    """Its id in upper case is refused: PostgreSQL would write for the tenant what no configuration key has."""
    created = await ingest.tenant()
    tenant_id = created.tenant.id.upper()
    calls = [
        ("GetTenant", tenants_pb2.GetTenantRequest(tenant_id=tenant_id)),
        ("UpdateTenant", tenants_pb2.UpdateTenantRequest(tenant_id=tenant_id, active=False)),
        ("RotateKey", tenants_pb2.RotateKeyRequest(tenant_id=tenant_id)),
        ("DeactivateTenant", tenants_pb2.DeactivateTenantRequest(tenant_id=tenant_id)),
        ("RotateWebhookSecret", tenants_pb2.RotateWebhookSecretRequest(tenant_id=tenant_id)),
        ("DeleteWebhookSecrets", tenants_pb2.DeleteWebhookSecretsRequest(tenant_id=tenant_id)),
    ]
    refusals = set()
    for method, request in calls:
        try:
            await ingest.call(f"TenantService.{method}", request)
        except ClarionError as refused:
            refusals.add((method, refused.code, refused.fields[0][0]))
    assert refusals == {(method, Code.INVALID, "tenant_id") for method, _ in calls}
    (result,) = await ingest.accept(tenant_id, new_event())
    assert result.error.fields[0].field == "tenant_id"
    same = await ingest.call("TenantService.GetTenant", tenants_pb2.GetTenantRequest(tenant_id=created.tenant.id))
    assert same.tenant == created.tenant


async def test_tenants_in_pages(ingest: Ingest) -> None:
    """Newest first, each once."""
    ids = [(await ingest.tenant()).tenant.id for _ in range(5)]
    first = await ingest.call("TenantService.ListTenants", tenants_pb2.ListTenantsRequest(limit=3))
    request = tenants_pb2.ListTenantsRequest(limit=3, cursor=first.next_cursor)
    rest = await ingest.call("TenantService.ListTenants", request)
    assert [tenant.id for tenant in (*first.tenants, *rest.tenants)] == ids[::-1]
    assert rest.next_cursor == ""


async def _signs_with(ingest: Ingest, key: str) -> list[str]:
    answer = await ingest.call("IngestService.Authenticate", ingest_pb2.AuthenticateRequest(api_key=key))
    return list(answer.webhook_secrets)


async def _whose(ingest: Ingest, key: str) -> str:
    answer = await ingest.call("IngestService.Authenticate", ingest_pb2.AuthenticateRequest(api_key=key))
    return str(answer.tenant_id)


async def _is_refused(ingest: Ingest, key: str) -> bool:
    try:
        await _whose(ingest, key)
    except ClarionError as error:
        return error.code is Code.UNAUTHENTICATED
    return False


async def _is_known(ingest: Ingest, key: str) -> bool:
    return not await _is_refused(ingest, key)


async def _is_left(pool: Pool) -> bool:
    """Tell whether no service is connected to this database."""
    statement = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name ^@ 'ingest'"
    )
    return not await pool.fetchval(statement)


async def _transactions(pool: Pool) -> int:
    """Return how many transactions there were in this database."""
    await pool.execute("SELECT pg_stat_clear_snapshot()")
    statement = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
    return int(await pool.fetchval(statement) or 0)
