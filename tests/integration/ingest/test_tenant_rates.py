"""A tenant's rates as operators set them: one list, in which two have a field of their own."""

from typing import Any, TypeAlias

import asyncpg
import msgspec
import pytest
from nats.aio.client import Client

from clarion.common.v1 import error_pb2
from clarion.ingest.v1 import tenants_pb2
from runtime.bucket_keys import BUCKET
from runtime.errors import ClarionError, Code
from services.domain import topology
from services.ingest.ports import LimitKind, Rate, TenantSettings
from tests.integration.ingest.conftest import Ingest, new_event

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

SLIDING, FIXED = error_pb2.LIMIT_KIND_SLIDING, error_pb2.LIMIT_KIND_FIXED


def rate(window_s: int, bound: int, kind: "error_pb2.LimitKind.ValueType" = SLIDING, scope: str = "") -> Any:
    """A rate on the wire."""
    return tenants_pb2.Rate(scope=scope, window_s=window_s, bound=bound, kind=kind)


async def update(ingest: Ingest, tenant_id: str, **fields: Any) -> tenants_pb2.Tenant:
    """Change a tenant."""
    request = tenants_pb2.UpdateTenantRequest(tenant_id=tenant_id, **fields)
    answer: tenants_pb2.UpdateTenantResponse = await ingest.call("TenantService.UpdateTenant", request)
    return answer.tenant


def rate_list(*rates: tenants_pb2.Rate) -> tenants_pb2.RateList:
    """Return a list as a change has it."""
    return tenants_pb2.RateList(rates=rates)


async def test_two_rates_have_a_field_of_their_own(ingest: Ingest) -> None:
    """Set by either, seen by both; what a change does not name stays."""
    minute, day, hour, eu = rate(60, 5), rate(86_400, 9, FIXED), rate(3600, 7), rate(60, 2, SLIDING, "eu")
    tenant = (await ingest.tenant(rates=[hour, minute, eu])).tenant
    assert (tenant.rate_limit_per_minute, tenant.HasField("daily_cap")) == (5, False)
    assert list(tenant.rates) == [minute, hour, eu]
    assert list((await ingest.tenant(rate_limit_per_minute=5, daily_cap=9)).tenant.rates) == [minute, day]

    tenant = await update(ingest, tenant.id, daily_cap=tenants_pb2.Limit(value=9), name="Acorn")
    assert list(tenant.rates) == [minute, day, hour, eu]
    tenant = await update(ingest, tenant.id, rates=rate_list(day, eu))
    assert (tenant.HasField("rate_limit_per_minute"), tenant.daily_cap) == (False, 9)
    tenant = await update(ingest, tenant.id, daily_cap=tenants_pb2.Limit())
    assert list(tenant.rates) == [eu]
    assert list((await update(ingest, tenant.id, rates=rate_list())).rates) == []
    assert tenant.max_scheduled_events == 100_000
    assert (await update(ingest, tenant.id, max_scheduled_events=3)).max_scheduled_events == 3


@pytest.mark.parametrize(
    ("rates", "field"),
    [
        ([rate(0, 1)], "rates[0].window_s"),
        ([rate(31 * 86_400 + 1, 1)], "rates[0].window_s"),
        ([rate(1, -1)], "rates[0].bound"),
        ([rate(1, 2**31)], "rates[0].bound"),
        ([rate(1, 1), rate(1, 1, error_pb2.LIMIT_KIND_BYTES)], "rates[1].kind"),
        ([rate(1, 1, scope="x" * 256)], "rates[0].scope"),
        ([rate(1, 1, scope="\0")], "rates[0].scope"),
        ([rate(1, 1, scope="a"), rate(1, 2, scope="a")], "rates"),
        ([rate(number + 1, 1) for number in range(9)], "rates"),
    ],
)
async def test_what_is_no_rate(ingest: Ingest, rates: list[tenants_pb2.Rate], field: str) -> None:
    """INVALID, naming the field; nothing is changed."""
    tenant = (await ingest.tenant(daily_cap=4)).tenant
    for attempt in (ingest.tenant(rates=rates), update(ingest, tenant.id, rates=rate_list(*rates))):
        with pytest.raises(ClarionError) as refused:
            await attempt
        assert (refused.value.code, [name for name, _ in refused.value.fields]) == (Code.INVALID, [field])
    same = await ingest.call("TenantService.GetTenant", tenants_pb2.GetTenantRequest(tenant_id=tenant.id))
    assert same.tenant == tenant


async def test_one_too_many_or_said_twice(ingest: Ingest) -> None:
    """A ninth by its own field is refused, and a list beside such a field."""
    tenant = (await ingest.tenant(rates=[rate(number + 1, 1) for number in range(8)])).tenant
    changes: list[dict[str, Any]] = [
        {"daily_cap": tenants_pb2.Limit(value=1)},
        {"daily_cap": tenants_pb2.Limit(value=1), "rates": rate_list()},
    ]
    for change in changes:
        with pytest.raises(ClarionError) as refused:
            await update(ingest, tenant.id, **change)
        assert refused.value.code is Code.INVALID
    with pytest.raises(ClarionError) as refused:
        await ingest.tenant(rates=[rate(9, 9)], rate_limit_per_minute=1)
    assert refused.value.code is Code.INVALID
    same = await ingest.call("TenantService.GetTenant", tenants_pb2.GetTenantRequest(tenant_id=tenant.id))
    assert same.tenant == tenant


async def test_the_configuration_has_all_limits(ingest: Ingest, connection: Client) -> None:
    """From it a process applies them without PostgreSQL; one of the version before finds the two that it knows."""
    rates = [rate(60, 5), rate(3600, 7, FIXED, "eu")]
    tenant = (await ingest.tenant(rates=rates, max_scheduled_events=6)).tenant
    bucket = await connection.jetstream().key_value(BUCKET)
    value = (await bucket.get(topology.tenant_key(tenant.id))).value or b""
    settings = msgspec.json.decode(value, type=TenantSettings)
    assert settings.all_rates() == [Rate(60, 5), Rate(3600, 7, LimitKind.FIXED, "eu")]
    assert (settings.max_scheduled_events, settings.rate_limit_per_minute) == (6, 5)


async def test_a_change_applies_from_the_next_event_on(ingest: Ingest, pool: Pool) -> None:
    """Events from before it count, if the tenant had a rate of that window; those of the day, if it had any rate."""
    tenant = (await ingest.tenant(rates=[rate(3600, 2), rate(7200, 9)])).tenant

    async def let_in(number: int) -> int:
        results = await ingest.accept(tenant.id, *[new_event(f"{number}-{place}") for place in range(number)])
        return sum(result.HasField("accepted") for result in results)

    assert await let_in(4) == 2
    await update(ingest, tenant.id, rates=rate_list(rate(3600, 3)))
    windows = "SELECT array_agg(window_s ORDER BY window_s) FROM ingest.rate_windows"
    assert await pool.fetchval(windows) == [3600, 86_400]
    assert await let_in(5) == 1
    await update(ingest, tenant.id, daily_cap=tenants_pb2.Limit(value=3))
    await update(ingest, tenant.id, rates=rate_list(rate(86_400, 4, FIXED)))
    assert await let_in(7) == 1
    await update(ingest, tenant.id, rates=rate_list())
    assert await let_in(6) == 6
    assert await pool.fetchval(windows) == [86_400]
