"""Both pages on rate limits."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from checks.client import Answer
from stack.client import Running
from tests.conformance.orqestra.conftest import Shop, assert_refused, event, later


async def burst(shop: Shop, count: int) -> list[Answer]:
    """Send so many events at the same time; return the answers."""
    return list(await asyncio.gather(*[shop.tenant.trigger(event()) for _ in range(count)]))


def to_midnight_s() -> float:
    """Return the seconds until the next day begins in UTC."""
    now = datetime.now(UTC)
    return ((now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0) - now).total_seconds()


async def test_exceeded_body(shop: Shop) -> None:
    """The printed body: of 101 events of a tenant with 100 a minute, one is refused in these words."""
    shop = replace(shop, tenant=await shop.operator.create_tenant("YourApp"))
    await shop.change(rate_limit_per_minute=100)
    answers = await burst(shop, 101)
    (refused,) = [answer for answer in answers if answer.status != 200]
    assert_refused(refused, 429, "Too Many Requests")
    assert refused.body["message"] == "Rate limit exceeded for tenant YourApp. Limit: 100/min"
    assert isinstance(refused.body["retryAfter"], int)


async def test_retry_after(shop: Shop) -> None:
    """The header says the same seconds as the body."""
    await shop.change(rate_limit_per_minute=1)
    assert (await shop.tenant.trigger(event())).status == 200
    refused = await shop.tenant.trigger(event())
    assert refused.status == 429
    assert refused.headers["Retry-After"] == str(refused.body["retryAfter"])
    assert 1 <= refused.body["retryAfter"] <= 60


async def test_per_minute(shop: Shop) -> None:
    """Configured per tenant: at its making and any time after, with effect at once; none is none."""
    body = {"name": "Limited", "rate_limit_per_minute": 7}
    made = await shop.operator.must("POST", "/tenants", json=body)
    assert made["rate_limit_per_minute"] == 7
    assert {answer.status for answer in await burst(shop, 30)} == {200}
    for limit, passes in ((3, 3), (5, 2), (0, 0), (None, 10)):
        await shop.change(rate_limit_per_minute=limit)
        statuses = [answer.status for answer in await burst(shop, 10)]
        assert (statuses.count(200), statuses.count(429)) == (passes, 10 - passes), limit


async def test_sliding_window(shop: Shop) -> None:
    """The window begins with the first event, not with the clock's minute: nearly all of it is still to wait."""
    await shop.change(rate_limit_per_minute=3)
    began = datetime.now(UTC)
    await burst(shop, 3)
    answer = await shop.tenant.trigger(event())
    passed = (datetime.now(UTC) - began).total_seconds()
    assert answer.status == 429
    assert 60 - passed <= answer.body["retryAfter"] <= 60


async def test_daily_cap(shop: Shop) -> None:
    """Past it: 429 until midnight UTC."""
    await shop.change(daily_cap=2)
    before = to_midnight_s()
    answers = await burst(shop, 3)
    assert sorted(answer.status for answer in answers) == [200, 200, 429]
    refused = next(answer for answer in answers if answer.status == 429)
    assert_refused(refused, 429, "Too Many Requests", shop.tenant.name, "2")
    assert to_midnight_s() - 1 <= refused.body["retryAfter"] <= before + 1


async def test_per_tenant(shop: Shop) -> None:
    """A tenant past its limit takes nothing from another."""
    await shop.change(rate_limit_per_minute=1)
    other = await shop.operator.create_tenant("Another shop")
    await burst(shop, 3)
    assert (await shop.tenant.trigger(event())).status == 429
    assert (await other.trigger(event())).status == 200


async def test_a_retry_counts_once(shop: Shop) -> None:
    """The same event again is the first one's answer, also past the limit."""
    await shop.change(rate_limit_per_minute=1)
    body = event()
    answers = [await shop.tenant.trigger(body) for _ in range(4)]
    assert {(answer.status, answer.event_id) for answer in answers} == {(200, answers[0].event_id)}
    assert (await shop.tenant.trigger(event())).status == 429


async def test_resets_at_midnight_utc(orqestra_stack: Running, shop: Shop) -> None:
    """A minute before it still full, a minute after it empty."""
    await shop.change(daily_cap=1)
    assert (await shop.tenant.trigger(event())).status == 200
    to_midnight = to_midnight_s()
    if to_midnight > 90:
        async with later(orqestra_stack, f"{to_midnight - 60} s"):
            assert (await shop.tenant.trigger(event())).status == 429
    async with later(orqestra_stack, f"{to_midnight + 60} s"):
        assert (await shop.tenant.trigger(event())).status == 200
        assert (await shop.tenant.trigger(event())).status == 429
