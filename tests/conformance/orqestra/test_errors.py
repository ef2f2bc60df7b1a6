"""Both pages' tables of answers, by status. What needs a part to be away is in test_unavailable."""

from typing import Any

import pytest

from checks.client import Answer
from checks.waiting import until
from tests.conformance.orqestra.conftest import END_S, Shop, assert_refused, event


async def test_200(shop: Shop) -> None:
    """Accepted."""
    answer = await shop.tenant.trigger(event())
    assert (answer.status, answer.body["success"]) == (200, True)


@pytest.mark.parametrize("key", ["0" * 64, "sk_live_of_another", ""], ids=["invalid", "foreign", "missing"])
async def test_401_api_key(shop: Shop, key: str) -> None:
    """Invalid and missing keys, before anything is said about the body."""
    for body in (event(), {}):
        answer = await shop.tenant.trigger(body, headers={"x-api-key": key})
        assert_refused(answer, 401, "Unauthorized")


async def test_401_inactive_tenant(shop: Shop) -> None:
    """Inactive: in the same words; active again: accepted."""
    await shop.change(active=False)

    async def turned_away() -> Answer | None:
        answer = await shop.tenant.trigger(event())
        return answer if answer.status != 200 else None

    refused = await until(turned_away, "a refusal", deadline=END_S)
    assert_refused(refused, 401, "Unauthorized")
    unknown = await shop.tenant.trigger(event(), headers={"x-api-key": "0" * 64})
    assert refused.body == unknown.body
    await shop.change(active=True)

    async def is_taken() -> bool:
        return (await shop.tenant.trigger(event())).status == 200

    await until(is_taken, "the tenant's way back", deadline=END_S)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"payload": {"userId": "u"}}, "eventType"),
        ({"eventType": "order.confirmed"}, "payload"),
        ({"eventType": "order.confirmed", "payload": {"recipientEmail": "a@example.com"}}, "payload.userId"),
    ],
    ids=["eventType", "payload", "payload.userId"],
)
async def test_422_missing(shop: Shop, body: dict[str, Any], field: str) -> None:
    """The error "Validation Error", naming what is missing."""
    assert_refused(await shop.tenant.trigger(body), 422, "Validation Error", f"{field} is required")


async def test_422_names_every_field(shop: Shop) -> None:
    """All that is wrong, at once, in one string."""
    answer = await shop.tenant.trigger({"channels": ["FAX"], "variables": 7})
    assert_refused(answer, 422, "Validation Error", "eventType", "payload", "channels", "variables")
