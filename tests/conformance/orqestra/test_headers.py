"""The trigger's headers, of both pages."""

import hashlib
import hmac
import json

import pytest

from checks.client import Answer
from checks.waiting import until
from tests.conformance.orqestra.conftest import END_S, TRIGGER, Shop, assert_refused, event


async def post(shop: Shop, raw: bytes, headers: dict[str, str]) -> Answer:
    """Send exactly these headers."""
    return await shop.tenant.http.call("POST", TRIGGER, headers=headers, data=raw)


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "Application/JSON"], ids=str
)
async def test_content_type(shop: Shop, content_type: str) -> None:
    """Must be application/json."""
    answer = await shop.tenant.trigger(event(), headers={"Content-Type": content_type})
    assert answer.status == 200


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "", "application/ld+json"])
async def test_another_content_type(shop: Shop, content_type: str) -> None:
    """415, in the published shape."""
    answer = await shop.tenant.trigger(event(), headers={"Content-Type": content_type})
    assert_refused(answer, 415, "Unsupported Media Type", "application/json")


async def test_x_api_key(shop: Shop) -> None:
    """Says whose event it is; required."""
    raw = json.dumps(event()).encode()
    good = await post(shop, raw, {"x-api-key": shop.tenant.api_key})
    assert (await shop.end(good))["tenant_id"] == shop.tenant.id
    assert_refused(await post(shop, raw, {}), 401, "Unauthorized")


async def webhook_secret(shop: Shop) -> str:
    """Give the tenant a webhook secret and return it, once it is needed."""
    made = await shop.operator.must("POST", f"/tenants/{shop.tenant.id}/webhook-secret", json={})

    async def is_needed() -> bool:
        return (await shop.tenant.trigger(event())).status != 200

    await until(is_needed, "the secret's beginning", deadline=END_S)
    return str(made["webhook_secret"])


def signature(secret: str, raw: bytes) -> dict[str, str]:
    """Return the header as the page describes it: HMAC-SHA256 hex of the raw body."""
    return {"X-Orqestra-Signature": hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()}


async def test_signature_optional_without_a_secret(shop: Shop) -> None:
    """A tenant without a webhook secret signs nothing; a signature all the same does no harm."""
    assert (await shop.tenant.trigger(event())).status == 200
    assert (await shop.tenant.trigger(event(), headers={"X-Orqestra-Signature": "0" * 64})).status == 200


async def test_signature_required_with_a_secret(shop: Shop) -> None:
    """Missing: 401. Right, over the bytes as sent, blanks and order and all: 200."""
    secret = await webhook_secret(shop)
    assert_refused(await shop.tenant.trigger(event()), 401, "Unauthorized", "X-Orqestra-Signature is missing")
    for raw in (json.dumps(event(), indent=3).encode(), json.dumps(event(), separators=(",", ":")).encode()):
        assert (await shop.tenant.trigger(raw=raw, headers=signature(secret, raw))).status == 200


async def test_signature_invalid(shop: Shop) -> None:
    """Of other bytes, by another secret, cut short, not hex, twice: 401 as for a wrong key, naming the signature."""
    secret = await webhook_secret(shop)
    raw = json.dumps(event()).encode()
    right = signature(secret, raw)["X-Orqestra-Signature"]
    refused = await shop.tenant.trigger(event(), headers={"x-api-key": "0" * 64})
    for wrong in (
        signature(secret, raw + b" ")["X-Orqestra-Signature"],
        signature(secret + "x", raw)["X-Orqestra-Signature"],
        right[:-1],
        f"{right}00",
        "z" * 64,
        "",
        f"{right}, {right}",
    ):
        answer = await shop.tenant.trigger(raw=raw, headers={"X-Orqestra-Signature": wrong})
        assert_refused(answer, 401, "Unauthorized", "X-Orqestra-Signature")
        assert {**answer.body, "message": ""} == {**refused.body, "message": ""}, wrong


async def test_x_idempotency_key(shop: Shop) -> None:
    """The caller's own key decides what is the same, whatever the body."""
    sent = [
        await shop.tenant.trigger(event(), headers={"X-Idempotency-Key": key}) for key in ("once", "once", "another")
    ]
    assert [answer.status for answer in sent] == [200, 200, 200]
    assert sent[0].event_id == sent[1].event_id != sent[2].event_id


async def test_x_trace_id(shop: Shop) -> None:
    """Comes back, and is on the event's timeline for whoever debugs it."""
    answer = await shop.tenant.trigger(event(), headers={"X-Trace-Id": "trace-of-mine-1"})
    assert answer.headers["X-Trace-Id"] == "trace-of-mine-1"
    assert (await shop.end(answer))["trace_id"] == "trace-of-mine-1"


async def test_only_the_required_ones(shop: Shop) -> None:
    """Content-Type and x-api-key are enough."""
    answer = await post(shop, json.dumps(event()).encode(), {"x-api-key": shop.tenant.api_key})
    assert answer.status == 200
