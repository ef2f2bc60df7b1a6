"""POST /api/v1/events/trigger, which another API has, too: the key decides whose a request is."""

import pytest

from tests.conformance.sendmator.conftest import Account, assert_refused

_PATH = "/events/trigger"
_OURS = {"event_name": "user_signup"}
_THEIRS = {"eventType": "user_signup", "payload": {"userId": "u1"}}


async def test_each_key_is_answered_by_its_api(account: Account) -> None:
    """201 with a trigger here, 200 there, whatever headers are sent beside the key."""
    await account.declare("user_signup")
    ours = await account.call("POST", _PATH, _OURS)
    assert (ours.status, set(ours.body) >= {"trigger_id", "status"}) == (201, True)
    theirs = {**account.headers, "X-API-Key": account.tenant.api_key}
    answer = await account.call("POST", _PATH, _THEIRS, headers=theirs)
    assert (answer.status, set(answer.body)) == (200, {"success", "message"})
    assert "X-RateLimit-Limit" not in answer.headers


async def test_a_body_of_one_with_a_key_of_the_other(account: Account) -> None:
    """The key's API refuses it: nothing is switched silently."""
    assert_refused(await account.call("POST", _PATH, _THEIRS), 400, "Bad Request", "Event name is required")
    theirs = {"x-api-key": account.tenant.api_key}
    assert_refused(await account.call("POST", _PATH, _OURS, headers=theirs), 422, "Validation Error")


async def test_a_key_that_only_looks_like_one_of_the_other(account: Account) -> None:
    """Its row says what it is, not how it begins."""
    await account.declare("user_signup")
    key = await account.create_key(prefix="acorn_")
    headers = {**account.headers, "X-API-Key": key}
    assert (await account.call("POST", _PATH, _OURS, headers=headers)).status == 201
    path = f"/tenants/{account.tenant.id}/keys"
    made = await account.client.operator.must("POST", path, json={"name": "theirs", "prefix": "sk_live_"})
    answer = await account.call("POST", _PATH, _THEIRS, headers={"x-api-key": made["api_key"]})
    assert answer.status == 200


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"X-API-Key": "sk_live_unknown"}, "Unauthorized"),
        ({"X-Team-ID": "your-team-id"}, "Unauthorized"),
        ({"x-api-key": "f" * 64}, "The credentials are missing, unknown or no longer valid."),
        ({}, "The credentials are missing, unknown or no longer valid."),
    ],
)
async def test_without_a_known_key(account: Account, headers: dict[str, str], message: str) -> None:
    """The form of the key, or headers of one API alone, say whose words the answer has; both have the same fields."""
    answer = await account.call("POST", _PATH, {}, headers=headers)
    assert_refused(answer, 401, "Unauthorized", message)


async def test_keys_of_the_other_open_no_path_of_this_one(account: Account) -> None:
    """Nor the other way round."""
    headers = {**account.headers, "X-API-Key": account.tenant.api_key}
    assert_refused(await account.call("POST", "/events/send", _OURS, headers=headers), 401, "Unauthorized")
    answer = await account.call("POST", "/auth/realtime-token", {"userId": "u"}, headers={"x-api-key": account.key})
    assert answer.status == 401
