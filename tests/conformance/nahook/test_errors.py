"""Trigger, "Errors", and the further ones of the specification's table. 504 is in test_unavailable."""

import pytest

from checks.client import Answer
from checks.waiting import until
from tests.conformance.nahook.conftest import END_S, PAYLOAD, CreateWorkspace, Workspace, assert_refused

_BODY = {"payload": PAYLOAD}


async def test_400_invalid_api_key(workspace: Workspace) -> None:
    """A key for some endpoints may not fan out, not even to these."""
    target = await workspace.endpoint("order.paid")
    key = await workspace.create_key(endpoint_ids=[target.uuid])
    for path, body in (
        ("/event/order.paid", _BODY),
        ("/event/batch", {"items": [{"eventType": "order.paid", **_BODY}]}),
    ):
        assert_refused(await workspace.send(path, body, key=key.text), 400, "invalid_api_key")
    assert (await workspace.send(f"/{target.id}", _BODY, key=key.text)).status == 202


@pytest.mark.parametrize(
    "key", ["", "nhk_us_testfixture_aaaa1111bbbb2222", "nhk_us_" + "0" * 64, "not-a-key", "nhk_", "ключ"]
)
async def test_401_unauthorized(workspace: Workspace, key: str) -> None:
    """Missing, malformed, unknown: the same answer, before anything is said about the body."""
    for body in (_BODY, {}):
        answer = await workspace.send("/event/order.paid", body, key=key)
        assert_refused(answer, 401, "unauthorized")
        assert answer.body == (await workspace.send("/event/order.paid", key="", raw=b"{")).body


async def test_401_another_scheme(workspace: Workspace) -> None:
    """The key counts only where it belongs."""
    for headers in ({"Authorization": f"Basic {workspace.key.text}"}, {"X-API-Key": workspace.key.text}):
        assert_refused(await workspace.send("/event/order.paid", _BODY, key="", headers=headers), 401, "unauthorized")


async def test_401_revoked(workspace: Workspace) -> None:
    """Revoked: as unknown."""
    key = await workspace.create_key()
    assert (await workspace.send("/event/order.paid", _BODY, key=key.text)).status == 202
    await workspace.revoke(key)
    assert_refused(await _turned_away(workspace, key.text), 401, "unauthorized")


async def test_401_other_kinds_of_keys(workspace: Workspace) -> None:
    """A management token sends nothing, a key manages nothing, and a tenant's own key does neither."""
    for key in (workspace.token.text, workspace.tenant.api_key):
        assert_refused(await workspace.send("/event/order.paid", _BODY, key=key), 401, "unauthorized")
    for token in (workspace.key.text, workspace.tenant.api_key):
        assert_refused(await workspace.manage("GET", "/endpoints", token=token), 401, "unauthorized")


async def test_403_token_disabled(workspace: Workspace) -> None:
    """Disabled keys and tokens are told so, and work again when they are enabled."""
    for credential in (workspace.key, workspace.token):
        await workspace.change_key(credential, disabled=True)

    async def answer() -> Answer:
        return await workspace.send("/event/order.paid", _BODY)

    async def is_disabled() -> bool:
        return (await answer()).status == 403

    await until(is_disabled, "the key's end", deadline=END_S)
    assert_refused(await answer(), 403, "token_disabled")
    assert_refused(await workspace.manage("GET", "/endpoints"), 403, "token_disabled")
    await workspace.change_key(workspace.key, disabled=False)

    async def is_enabled() -> bool:
        return (await answer()).status == 202

    await until(is_enabled, "the key's return", deadline=END_S)


async def test_404_not_found(workspace: Workspace, create_workspace: CreateWorkspace) -> None:
    """Missing, malformed and foreign ids are not told apart."""
    stranger = await (await create_workspace()).endpoint()
    answers = [
        await workspace.send(f"/{name}", _BODY)
        for name in (stranger.id, "ep_" + "0" * 32, "ep_1", "ep%2F1", "del_" + "0" * 32, stranger.uuid)
    ]
    for answer in answers:
        assert_refused(answer, 404, "not_found")
        assert answer.body == answers[0].body


async def test_413_payload_too_large(workspace: Workspace) -> None:
    """The plan's cap is a setting of the tenant; it counts the payload alone."""
    await workspace.change(max_payload_bytes=1024)
    at_the_cap, past_it = ({"a": "x" * (1024 - 8 + more)} for more in (0, 1))

    async def is_known() -> bool:
        return (await workspace.send("/event/order.paid", {"payload": past_it})).status == 413

    await until(is_known, "the new cap", deadline=END_S)
    answer = await workspace.send("/event/order.paid", {"payload": past_it, "metadata": {"a": "b"}})
    assert_refused(answer, 413, "payload_too_large")
    assert (await workspace.send("/event/order.paid", {"payload": at_the_cap, "metadata": {"a": "b"}})).status == 202


async def test_413_payload_too_large_at_the_default_cap(workspace: Workspace) -> None:
    """256 KiB of payload, although the body of a call may be larger, and that of a batch much more."""
    target = await workspace.endpoint("order.paid")
    at_the_cap, past_it = ({"a": "x" * (256 * 1024 - 8 + more)} for more in (0, 1))
    for path in (f"/{target.id}", "/event/order.paid"):
        assert_refused(await workspace.send(path, {"payload": past_it}), 413, "payload_too_large", "262,144 bytes")
        assert (await workspace.send(path, {"payload": at_the_cap})).status == 202
    for path, to in (("/batch", {"endpointId": target.id}), ("/event/batch", {"eventType": "order.paid"})):
        answer = await workspace.send(path, {"items": [{**to, "payload": one} for one in (past_it, at_the_cap)]})
        assert answer.status == 207
        assert answer.body["items"][0]["error"]["code"] == "payload_too_large"
        assert "error" not in answer.body["items"][1]


async def test_413_body_too_large(workspace: Workspace) -> None:
    """No plan allows more than 256 KiB."""
    answer = await workspace.send("/event/order.paid", {"payload": {"a": "x" * 300_000}})
    assert_refused(answer, 413, "payload_too_large")


@pytest.mark.parametrize("whose", ["workspace", "key"])
async def test_429_rate_limited(workspace: Workspace, whose: str) -> None:
    """With the number of seconds in Retry-After, and what the limit is."""
    rate = {"window_s": 3600, "bound": 2, "kind": "fixed"}
    key = await workspace.create_key(rates=[rate]) if whose == "key" else workspace.key
    if whose == "workspace":
        await workspace.change(rates=[rate])

    async def limited() -> Answer | None:
        answer = await workspace.send("/event/order.paid", _BODY, key=key.text)
        return answer if answer.status == 429 else None

    answer = await until(limited, "a refusal", deadline=END_S)
    assert_refused(answer, 429, "rate_limited")
    assert 1 <= int(answer.headers["Retry-After"]) <= 3600
    assert (answer.headers["X-RateLimit-Limit"], answer.headers["X-RateLimit-Remaining"]) == ("2", "0")
    if whose == "key":
        assert (await workspace.send("/event/order.paid", _BODY)).status == 202


async def test_429_headers_of_accepted_calls(workspace: Workspace) -> None:
    """What is left is told while there is something."""
    key = await workspace.create_key(rates=[{"window_s": 3600, "bound": 10, "kind": "fixed"}])
    answers = [await workspace.send("/event/order.paid", _BODY, key=key.text) for _ in range(2)]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["9", "8"]
    assert {answer.headers["X-RateLimit-Limit"] for answer in answers} == {"10"}
    assert all(0 < int(answer.headers["X-RateLimit-Reset"]) <= 3600 for answer in answers)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="ends early"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'{"payload": {}} trailing', id="trailing data"),
        pytest.param(b'{"payload": {"a": 1, "a": 2}}', id="equal keys"),
        pytest.param(b'{"payload": {}, "payload": {}}', id="two payloads"),
        pytest.param(b'{"payload": {"a": NaN}}', id="NaN"),
        pytest.param(b'{"payload": {"a": 1e999}}', id="out of range"),
        pytest.param(b'{"payload": {"a": "\xff"}}', id="not UTF-8"),
        pytest.param(b'{"payload": {"a": "\\ud800"}}', id="half a surrogate pair"),
        pytest.param(b'{"payload": ' + b'{"a":' * 70 + b"1" + b"}" * 71, id="nested 70 levels deep"),
        pytest.param(b'{"payload": ' + b'{"a":' * 10_000, id="nested 10,000 levels deep"),
        pytest.param(b"\xef\xbb\xbf{}", id="byte order mark"),
    ],
)
async def test_400_malformed(workspace: Workspace, raw: bytes) -> None:
    """JSON that two readers could take for different things is refused."""
    for path in ("/event/order.paid", f"/ep_{'0' * 32}", "/batch", "/event/batch"):
        assert_refused(await workspace.send(path, raw=raw), 400, "bad_request")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/ingest/event/order.paid", 405, "method_not_allowed"),
        ("PUT", "/api/ingest/batch", 405, "method_not_allowed"),
        ("POST", "/api/ingest", 404, "not_found"),
        ("POST", "/api/ingest/event/a/b", 404, "not_found"),
        ("GET", "/management/v1/nothing", 404, "not_found"),
        ("GET", "/api/workspaces/ws_1", 404, "not_found"),
    ],
)
async def test_paths_that_are_not_there(workspace: Workspace, method: str, path: str, status: int, code: str) -> None:
    """Their errors have the same shape."""
    assert_refused(await workspace.client.http.call(method, path), status, code)


async def test_415(workspace: Workspace) -> None:
    """Only JSON, and not compressed."""
    for headers in ({"Content-Type": "text/plain"}, {"Content-Encoding": "gzip"}):
        answer = await workspace.send("/event/order.paid", _BODY, headers=headers)
        assert_refused(answer, 415, "unsupported_media_type")


async def test_query(workspace: Workspace) -> None:
    """Parameters that a path does not take are not ignored."""
    assert_refused(await workspace.send("/event/order.paid?dryRun=1", _BODY), 400, "bad_request", "dryRun")


async def _turned_away(workspace: Workspace, key: str) -> Answer:
    async def refused() -> Answer | None:
        answer = await workspace.send("/event/order.paid", _BODY, key=key)
        return answer if answer.status != 202 else None

    return await until(refused, "a refusal", deadline=END_S)
