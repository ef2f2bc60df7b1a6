"""X-Orqestra-Signature on real services: needed once a tenant has a webhook secret, and by which secret."""

import hashlib
import hmac
import json
from datetime import datetime
from typing import Any

import aiohttp
import pytest

from tests.integration.gateway.conftest import CreateTenant, Tenant
from tests.integration.gateway.test_trigger import EVENT, trigger
from tests.waiting import eventually

BODY = json.dumps(EVENT).encode()
HEADER = "X-Orqestra-Signature"


def signed(secret: str, raw: bytes = BODY) -> dict[str, str]:
    """Return the header of a signed body."""
    return {HEADER: hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()}


class Secrets:
    """The webhook secrets of one tenant, as the operator has them."""

    def __init__(self, http: aiohttp.ClientSession, admin: dict[str, str], tenant: Tenant) -> None:
        self._http = http
        self._admin = admin
        self._path = f"/api/v1/admin/tenants/{tenant.id}"

    async def rotate(self, status: int = 201, **body: Any) -> dict[str, Any]:
        """Ask for a new one."""
        return await self._call("POST", "/webhook-secret", status, json=body)

    async def delete(self) -> dict[str, Any]:
        """End them all."""
        return await self._call("DELETE", "/webhook-secret", 200)

    async def shown(self) -> list[dict[str, Any]]:
        """Return what the tenant shows of them."""
        return list((await self._call("GET", "", 200))["webhook_secrets"])

    async def _call(self, method: str, path: str, status: int, **more: Any) -> dict[str, Any]:
        async with self._http.request(method, self._path + path, headers=self._admin, **more) as answer:
            assert answer.status == status, await answer.text()
            return dict(await answer.json())


async def answered(http: aiohttp.ClientSession, tenant: Tenant, status: int, **headers: str) -> None:
    """Wait until such a call is answered so: a change is known everywhere within seconds."""

    async def is_so() -> bool:
        return (await trigger(http, tenant, BODY, **headers))[0] == status

    await eventually(is_so)


@pytest.fixture
def secrets_of(http: aiohttp.ClientSession, admin: dict[str, str]) -> Any:
    """Return what gives a tenant's secrets."""
    return lambda tenant: Secrets(http, admin, tenant)


async def test_a_secret_makes_the_signature_needed(
    http: aiohttp.ClientSession, create_tenant: CreateTenant, secrets_of: Any
) -> None:
    """Without a secret a signature is not looked at; with one, events without or with a wrong one hear of it."""
    tenant = await create_tenant()
    secrets = secrets_of(tenant)
    assert (await trigger(http, tenant, BODY, **signed("anything")))[0] == 200
    made = await secrets.rotate()
    secret = made["webhook_secret"]
    assert len(secret) == 64
    assert made["webhook_secrets"] == await secrets.shown()
    assert [(one["last4"], one["valid_until"]) for one in made["webhook_secrets"]] == [(secret[-4:], None)]

    await answered(http, tenant, 401)
    status, body, _ = await trigger(http, tenant, BODY, **signed(secret))
    assert (status, body["success"]) == (200, True)
    refusals = [
        await trigger(http, tenant, BODY),
        await trigger(http, tenant, BODY, **signed("another-secret-of-16")),
        await trigger(http, tenant, BODY, **{HEADER: "sha256=" + signed(secret)[HEADER]}),
        await trigger(http, tenant, BODY + b" ", **signed(secret)),
        await trigger(http, tenant, b"{", **signed("another-secret-of-16")),  # nothing of the body is told before
    ]
    unknown = await trigger(http, Tenant(tenant.id, "", "unknown-key"), BODY, **signed(secret))
    assert {status for status, _, _ in (*refusals, unknown)} == {401}
    assert all({**body, "message": ""} == {**unknown[1], "message": ""} for _, body, _ in refusals)
    assert [body["message"].partition(":")[0] for _, body, _ in refusals] == [
        f"{HEADER} is missing",
        *[f"{HEADER} is wrong"] * 4,
    ]
    assert "ignature" not in unknown[1]["message"]
    assert (await trigger(http, tenant, b"{", **signed(secret, b"{")))[0] == 400

    await secrets.delete()
    assert await secrets.shown() == []
    await answered(http, tenant, 200)


async def test_rotation_overlaps_for_as_long_as_was_said(
    http: aiohttp.ClientSession, create_tenant: CreateTenant, secrets_of: Any
) -> None:
    """Old and new both sign; then the old one ends by itself, or at once; one that is there already can be kept."""
    tenant = await create_tenant()
    secrets = secrets_of(tenant)
    kept = await secrets.rotate(secret="our-secret-from-elsewhere")
    assert kept["webhook_secret"] == "our-secret-from-elsewhere"
    second = (await secrets.rotate())["webhook_secret"]
    day, shown = 86_400, await secrets.shown()
    assert [one["last4"] for one in shown] == [second[-4:], "here"]
    assert day - 60 < _seconds(shown[1]["valid_until"]) - _seconds(shown[0]["created_at"]) <= day
    await answered(http, tenant, 401)
    for secret in (second, "our-secret-from-elsewhere"):
        await answered(http, tenant, 200, **signed(secret))

    third = (await secrets.rotate(overlap_s=1))["webhook_secret"]
    await answered(http, tenant, 200, **signed(third))
    await answered(http, tenant, 401, **signed(second))
    assert (await trigger(http, tenant, BODY, **signed("our-secret-from-elsewhere")))[0] == 200
    fourth = (await secrets.rotate(overlap_s=0))["webhook_secret"]
    await answered(http, tenant, 401, **signed(third))
    assert (await trigger(http, tenant, BODY, **signed(fourth)))[0] == 200


async def test_operators_nonsense(create_tenant: CreateTenant, secrets_of: Any) -> None:
    """Each fault is named; a fifth secret at a time is one too many, and changes nothing."""
    secrets = secrets_of(await create_tenant())
    for body in ({"secret": "short"}, {"secret": "with a space in it!"}, {"overlap_s": -1}, {"overlap_s": 2_592_001}):
        fault = await secrets.rotate(422, **body)
        assert [error["field"] for error in fault["errors"]] == list(body)
    last = [await secrets.rotate() for _ in range(4)][-1]
    await secrets.rotate(409)
    assert (await secrets.shown())[0] == last["webhook_secrets"][0]
    nobody = secrets_of(Tenant("00000000-0000-7000-8000-000000000000", "", ""))
    assert (await nobody.rotate(404))["type"] == "urn:clarion:problem:not-found"


async def test_the_size_is_checked_before_the_signature(
    http: aiohttp.ClientSession, create_tenant: CreateTenant, secrets_of: Any
) -> None:
    """A body too large is refused unread, signed or not."""
    tenant = await create_tenant()
    secret = (await secrets_of(tenant).rotate())["webhook_secret"]
    large = b'"' + b"x" * 300_000 + b'"'
    for headers in ({}, signed(secret, large)):
        assert (await trigger(http, tenant, large, **headers))[0] == 413


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
