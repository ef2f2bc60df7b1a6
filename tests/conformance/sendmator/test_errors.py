"""Errors: each row of the published table, in its words, and the format of all others."""

import uuid
from typing import Any

import pytest

from tests.conformance.sendmator.conftest import Account, assert_refused

_EVENT: dict[str, Any] = {"event_name": "user_signup"}


@pytest.mark.parametrize("body", [{}, {"event_name": ""}, {"event_name": None}, {"event_name": 7}, {"user_info": {}}])
async def test_event_name_is_required(account: Account, body: dict[str, Any]) -> None:
    """400: it is missing, or no name."""
    assert_refused(await account.call("POST", "/events/send", body), 400, "Bad Request", "Event name is required")


@pytest.mark.parametrize("time", ["tomorrow", "", 1735120800, "2024-02-30T00:00:00Z"])
async def test_invalid_trigger_at(account: Account, time: Any) -> None:
    """400: it is no timestamp."""
    answer = await account.call("POST", "/events/send", {**_EVENT, "trigger_at": time})
    assert_refused(answer, 400, "Bad Request", "Invalid trigger_at format")


async def test_trigger_at_in_the_past(account: Account) -> None:
    """400: whatever its zone."""
    for time in ("2024-12-15T10:00:00Z", "2024-12-25T10:00:00.000+02:00"):
        answer = await account.call("POST", "/events/send", {**_EVENT, "trigger_at": time})
        assert_refused(answer, 400, "Bad Request", "trigger_at must be a future date")


@pytest.mark.parametrize("key", ["", "sk_live_your_api_key", "sk_test_" + "0" * 64, "sk_ two words"])
async def test_unauthorized(account: Account, key: str) -> None:
    """401: the key is missing, unknown or malformed; the answer does not tell which."""
    headers = {"X-Team-ID": account.team, **({"X-API-Key": key} if key else {})}
    for path in ("/events/send", "/events/trigger"):
        answer = await account.call("POST", path, _EVENT, headers=headers)
        assert_refused(answer, 401, "Unauthorized", "Unauthorized")


async def test_another_kind_of_key(account: Account) -> None:
    """401: keys of other APIs open nothing here."""
    headers = {**account.headers, "X-API-Key": account.tenant.api_key}
    assert_refused(await account.call("POST", "/events/send", _EVENT, headers=headers), 401, "Unauthorized")


async def test_invalid_team(account: Account) -> None:
    """401: it is missing, unknown, no id, another account's, or not one of the key's."""
    other = await account.create_team("other")
    limited = await account.create_key(scopes=[other])
    for headers in (
        {"X-API-Key": account.key},
        {"X-API-Key": account.key, "X-Team-ID": "your-team-id"},
        {"X-API-Key": account.key, "X-Team-ID": str(uuid.uuid4())},
        {"X-API-Key": account.key, "X-Team-ID": account.tenant.id},
        {"X-API-Key": limited, "X-Team-ID": account.team},
    ):
        answer = await account.call("POST", "/events/send", _EVENT, headers=headers)
        assert_refused(answer, 401, "Unauthorized", "Invalid team context")
    await account.declare("user_signup")
    headers = {"X-API-Key": limited, "X-Team-ID": other}
    assert (await account.call("POST", "/events/send", _EVENT, headers=headers)).status == 201


async def test_unknown_event_type(account: Account) -> None:
    """404: no workflow names it, and it was not declared; another account's types do not count."""
    for path in ("/events/send", "/events/trigger"):
        assert_refused(await account.call("POST", path, _EVENT), 404, "Not Found", "Event type not found")


async def test_too_many_requests(account: Account) -> None:
    """429: past the limit of the plan, with the time to wait."""
    await account.declare("user_signup")
    rates = {"rates": [{"window_s": 3_600, "bound": 2, "kind": "sliding"}]}
    await account.client.operator.must("PATCH", f"/tenants/{account.tenant.id}", json=rates)
    for _ in range(2):
        await account.send("user_signup")
    answer = await account.call("POST", "/events/send", _EVENT)
    assert_refused(answer, 429, "Too Many Requests")
    assert 0 < int(answer.headers["Retry-After"]) <= 3_600
    assert (answer.headers["X-RateLimit-Limit"], answer.headers["X-RateLimit-Remaining"]) == ("2", "0")


async def test_a_limit_of_the_key(account: Account) -> None:
    """429: besides the account's, and of this key alone."""
    await account.declare("user_signup")
    key = await account.create_key(rates=[{"window_s": 3_600, "bound": 1, "kind": "fixed"}])
    headers = {**account.headers, "X-API-Key": key}
    assert (await account.call("POST", "/events/send", _EVENT, headers=headers)).status == 201
    assert_refused(await account.call("POST", "/events/send", _EVENT, headers=headers), 429, "Too Many Requests")
    assert (await account.call("POST", "/events/send", _EVENT)).status == 201


@pytest.mark.parametrize(
    ("raw", "headers", "status", "error"),
    [
        (b"{", {}, 400, "Bad Request"),
        (b"[]", {}, 400, "Bad Request"),
        (b"{}", {"Content-Type": "text/plain"}, 415, "Unsupported Media Type"),
        (b'{"event_name":"' + b"x" * 300_000 + b'"}', {}, 413, "Request Entity Too Large"),
    ],
)
async def test_bodies_that_cannot_be_read(
    account: Account, raw: bytes, headers: dict[str, str], status: int, error: str
) -> None:
    """In the same format."""
    answer = await account.call("POST", "/events/send", raw=raw, headers={**account.headers, **headers})
    assert_refused(answer, status, error)


async def test_paths_and_methods_that_do_not_exist(account: Account) -> None:
    """In the same format."""
    assert_refused(await account.call("GET", "/contacts/a/b/c/d"), 404, "Not Found")
    answer = await account.call("PUT", "/events/send", {})
    assert_refused(answer, 405, "Method Not Allowed")
    assert answer.headers["Allow"] == "POST"
    for path in ("/contacts/bulk", "/workflows/trigger"):  # not what may be done with an id in this place
        assert (await account.call("OPTIONS", path)).headers["Allow"] == "POST"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/triggers/{}", "Trigger not found"),
        ("/triggers/{}/workflow", "Trigger not found"),
        ("/triggers/{}/direct", "Trigger not found"),
        ("/messages/executions/{}", "Execution not found"),
        ("/messages/executions/{}/jobs", "Execution not found"),
        ("/workflows/{}", "Workflow not found"),
        ("/contacts/{}", "Contact not found"),
        ("/contacts/external/{}", "Contact not found"),
    ],
)
async def test_unknown_ids(account: Account, path: str, message: str) -> None:
    """404: in the same format, for an id that is unknown as for what is none."""
    for unknown in (str(uuid.uuid4()), "nothing"):
        assert_refused(await account.call("GET", path.format(unknown)), 404, "Not Found", message)


async def test_another_accounts_trigger(account: Account, another: Account) -> None:
    """404: as an unknown one."""
    await account.declare("user_signup")
    trigger_id = await account.send("user_signup")
    await account.over(trigger_id)
    assert_refused(await another.call("GET", f"/triggers/{trigger_id}"), 404, "Not Found", "Trigger not found")


async def test_unknown_parameters(account: Account) -> None:
    """400: a misspelt filter would count as absent."""
    assert_refused(await account.call("GET", "/contacts?tagg=vip"), 400, "Bad Request")
    assert_refused(await account.call("GET", "/contacts?tag="), 400, "Bad Request")
