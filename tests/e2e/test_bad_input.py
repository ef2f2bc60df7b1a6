"""Bad input gets its documented answer, and nothing else suffers: not the next request, not another tenant."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from yarl import URL

from checks.client import Answer, Client, Tenant, order
from checks.waiting import until
from stack.client import Running
from tests.e2e.logs import lines
from tests.integration.senders.mail_servers import Catcher, hanging, serving

TRIGGER = "/api/v1/events/trigger"
GOOD = order("B-1", "bad-input", ["SMS"])
# What is logged as an error where a machine stands still for seconds: nobody's input did that.
OF_THE_MACHINE = {"admission_degraded", "audit_entry_unfinished"}
# More than one provider of one tenant may have under way (CLARION_EMAIL_SLOTS).
HUNG = 80


async def finished(client: Client, event_id: str, deadline: float = 30.0) -> dict[str, Any]:
    """Return an event at its end."""
    return await until(lambda: client.operator.finished(event_id), "the event's end", deadline=deadline)


def last_step(event: Mapping[str, Any]) -> tuple[str, str, str | None]:
    """Return the last step's name, outcome and reason."""
    step = event["timeline"][-1]
    return step["step"], step["outcome"], step["reason"]


def with_type(answer: Answer) -> tuple[int, str]:
    """Return status and problem type of an answer of the admin API."""
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    return answer.status, answer.body["type"].removeprefix("urn:clarion:problem:")


def nested(depth: int) -> bytes:
    """Return a good event whose variables are so deep."""
    return b'{"eventType":"x","payload":{"userId":"u"},"variables":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"


@pytest.mark.parametrize(
    ("body", "status", "error", "named"),
    [
        (b"", 400, "Bad Request", "JSON"),
        (b'{"eventType": "x"', 400, "Bad Request", "JSON"),
        (b"\xff\xfe{}", 400, "Bad Request", "JSON"),
        (b'{"eventType":"x","payload":{"userId":"\\ud800"}}', 400, "Bad Request", "JSON"),
        (b'{"eventType":"x","payload":{"userId":"u"},"variables":{"a":"\\udfff"}}', 400, "Bad Request", "JSON"),
        (b'{"eventType":"x","payload":{"userId":"u"},"variables":{"a":NaN}}', 400, "Bad Request", "JSON"),
        (b"[" * 200_000, 400, "Bad Request", "JSON"),
        (nested(200), 422, "Validation Error", "64 levels"),
        (b"[]", 422, "Validation Error", "body"),
        (b'"text"', 422, "Validation Error", "body"),
        (b"{}", 422, "Validation Error", "eventType"),
        (b'{"eventType":"x"}', 422, "Validation Error", "payload"),
        (b'{"eventType":"x","payload":{}}', 422, "Validation Error", "payload.userId"),
        (b'{"eventType":7,"payload":{"userId":"u"}}', 422, "Validation Error", "eventType"),
        (b'{"eventType":"x","payload":"u"}', 422, "Validation Error", "payload"),
        (b'{"eventType":"x","payload":{"userId":["u"]}}', 422, "Validation Error", "payload.userId"),
        (b'{"eventType":"x","payload":{"userId":"a\\u0000b"}}', 422, "Validation Error", "payload.userId"),
        (b'{"eventType":"a\\u0000b","payload":{"userId":"u"}}', 422, "Validation Error", "eventType"),
        (b'{"eventType":"x","payload":{"userId":"u"},"variables":7}', 422, "Validation Error", "variables"),
        (b'{"eventType":"x","payload":{"userId":"u"},"channels":"SMS"}', 422, "Validation Error", "channels"),
        (b'{"eventType":"x","payload":{"userId":"u"},"channels":["FAX"]}', 422, "Validation Error", "channels[0]"),
        (b'{"eventType":"' + b"x" * 256 + b'","payload":{"userId":"u"}}', 422, "Validation Error", "eventType"),
        (b'{"x":"' + b"x" * 2_000_000 + b'"}', 413, "Payload Too Large", "262144"),
    ],
)
async def test_a_bad_trigger_is_refused(client: Client, body: bytes, status: int, error: str, named: str) -> None:
    """In the dialect's shape, naming what is wrong."""
    answer = await client.tenant.trigger(raw=body)
    assert answer.status == status, answer.body
    assert set(answer.body) == {"statusCode", "error", "message"}
    assert (answer.body["statusCode"], answer.body["error"]) == (status, error)
    assert named in answer.body["message"]
    assert "X-Event-Id" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", TRIGGER, {"x-api-key": "0" * 64}, 401),
        ("POST", TRIGGER, {"x-api-key": ""}, 401),
        ("POST", TRIGGER, {"x-api-key": "é" * 40}, 401),
        ("POST", TRIGGER, {"x-api-key": "k" * 4_000}, 401),
        ("POST", TRIGGER, {"Content-Type": "text/plain"}, 415),
        ("POST", TRIGGER, {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ("POST", TRIGGER, {"Content-Type": "application/json; charset=utf-16"}, 415),
        ("POST", TRIGGER, {"Content-Encoding": "gzip"}, 415),
        ("POST", TRIGGER, {"X-Idempotency-Key": "a b"}, 422),
        ("POST", TRIGGER, {"X-Idempotency-Key": "k" * 256}, 422),
        ("GET", TRIGGER, {}, 405),
        ("DELETE", TRIGGER, {}, 405),
        ("POST", "/api/v1/events/triggered", {}, 404),
        ("POST", "/api/publish", {}, 404),
        ("GET", "/metrics", {}, 404),
        ("GET", "/admin", {}, 404),
    ],
)
async def test_a_bad_request_is_refused(
    client: Client, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    """By key, type, method and path; what the hub serves beside the WebSocket is not reachable."""
    sent = {"x-api-key": client.tenant.api_key, "Content-Type": "application/json", **headers}
    answer = await client.http.call(method, path, headers=sent, data=json.dumps(GOOD).encode())
    assert (answer.status, answer.body["statusCode"]) == (status, status)


async def test_odd_ids_in_a_path(client: Client) -> None:
    """A NUL, an endless one; dots and bytes that are no text are just ids of nobody."""
    key = {"x-api-key": client.tenant.api_key}
    tenant_id = client.tenant.id
    for user, status in (("a%00b", 422), ("l" * 256, 422), ("..", 200), ("%ff%fe", 200), ("x" * 5_000, 422)):
        url = URL(f"{client.http.url}/api/v1/notifications/{tenant_id}/{user}", encoded=True)
        async with client.http.session.get(url, headers=key) as answer:
            assert answer.status == status, user


async def test_strange_text_is_delivered_as_text(client: Client) -> None:
    """NUL and controls in variables, every plane of Unicode, a hostile trace id: accepted and sent."""
    event = order("B-\0\x1b[31m\u202e😀", "bad-input", ["EMAIL", "SMS", "PUSH"])
    event["variables"]["customerName"] = "{{total}}<script>\r\nBcc: all@example.com\0"
    event_id = await client.tenant.accept(event, headers={"X-Trace-Id": "a" * 5_000})
    done = await finished(client, event_id)
    assert [delivery["status"] for delivery in done["deliveries"]] == ["sent"] * 3
    assert done["trace_id"] == "a" * 128
    mail, sms = sorted(await client.operator.outbox(event_id), key=lambda message: str(message["channel"]))
    assert "<script>" not in mail["html"]
    assert "{{total}}" in sms["text"]


@pytest.mark.parametrize(
    ("path", "body", "status", "name", "field"),
    [
        ("/tenants", b"{", 400, "malformed", ""),
        ("/tenants", b"{}", 422, "invalid", "name"),
        ("/tenants", b'{"name": ""}', 422, "invalid", "name"),
        ("/tenants", b'{"name": "x", "nmae": "y"}', 422, "invalid", "nmae"),
        ("/tenants", b'{"name": 7}', 422, "invalid", "name"),
        ("/tenants", b'{"name": "a\\u0000b"}', 422, "invalid", "name"),
        ("/tenants", b'{"name": "' + b"x" * 2_000_000 + b'"}', 413, "too-large", ""),
        ("/tenants/01a1fe7a-0000-7000-8000-000000000000/rotate-key", b"{}", 404, "not-found", ""),
        ("/templates/nothing/activate", b"{}", 404, "not-found", ""),
        ("/dead-letters/01a1fe7a-0000-7000-8000-000000000000/replay", b"{}", 404, "not-found", ""),
    ],
)
async def test_a_bad_call_of_the_operator_is_a_problem_document(
    client: Client, path: str, body: bytes, status: int, name: str, field: str
) -> None:
    """Typed, with the field at fault."""
    headers = {"Authorization": f"Bearer {client.operator.admin_token}"}
    answer = await client.http.call("POST", f"/api/v1/admin{path}", headers=headers, data=body)
    assert with_type(answer) == (status, name), answer.body
    if field:
        assert field in [fault["field"] for fault in answer.body["errors"]]


@pytest.mark.parametrize(
    ("channel", "body"),
    [
        ("SMS", "{{#if a}}"),
        ("SMS", "{{a"),
        ("EMAIL", "<mjml><mj-body><mj-text>unclosed</mj-body></mjml>"),
        ("EMAIL", "<mjml><mj-body>" + "<div>" * 20_000 + "</mj-body></mjml>"),
        ("EMAIL", '<mjml><mj-body><mj-include path="/etc/passwd"/></mj-body></mjml>'),
        ("SMS", ""),
        ("SMS", "a\0b"),
    ],
)
async def test_a_template_that_does_not_compile_is_refused(client: Client, channel: str, body: str) -> None:
    """422 with the place of the fault; nothing is saved."""
    template = {"tenant_id": client.tenant.id, "event_type": "broken", "channel": channel, "body": body, "subject": "s"}
    answer = await client.operator.call("POST", "/templates", json=template)
    assert with_type(answer) == (422, "invalid"), answer.body
    assert answer.body["errors"][0]["field"] == "body"
    assert answer.body["errors"][0]["detail"]
    assert (await client.operator.must("GET", "/templates?event_type=broken"))["data"] == []


async def hostile(client: Client, tenant: Tenant) -> dict[str, tuple[dict[str, Any], set[str]]]:
    """Make templates that compile and fail when rendered; return an event for each and its possible reasons."""
    many = [1] * 40
    cases: dict[str, tuple[str, str, Any, set[str]]] = {
        "endless": ("SMS", _loops(8, ""), {"a": many}, {"render_timeout"}),
        "huge": ("SMS", _loops(4, "x" * 100), {"a": many}, {"output_too_large"}),
    }
    made = {}
    for name, (channel, body, variables, reasons) in cases.items():
        await client.operator.create_template(tenant, name, channel, body, subject="s")
        payload = {"userId": "u", "recipientEmail": "u@example.com", "recipientPhone": "+254712345678"}
        made[name] = ({"eventType": name, "payload": payload, "variables": variables}, reasons)
    return made


def _loops(depth: int, text: str = "x") -> str:
    """Return a template that walks over the list "a" within itself, depth times."""
    return "".join("{{#each " + "../" * level + "a}}" for level in range(depth)) + text + "{{/each}}" * depth


async def test_a_hostile_template_harms_its_own_tenant_only(client: Client) -> None:
    """Each is a recorded failure; a neighbour's events are delivered meanwhile, and later ones too."""
    neighbour = await client.operator.create_tenant("Neighbour")
    await client.operator.create_template(neighbour, "hello", "SMS", "Hello {{n}}")
    attacker = await client.operator.create_tenant("Attacker")
    cases = await hostile(client, attacker)
    attacks = {
        name: [await attacker.accept({**event, "eventId": str(n)}) for n in range(3)]
        for name, (event, _) in cases.items()
    }
    payload = {"userId": "u", "recipientPhone": "+254712345678"}
    for n in range(10):
        event_id = await neighbour.accept({"eventType": "hello", "payload": payload, "variables": {"n": n}})
        done = await finished(client, event_id)
        assert last_step(done)[:2] == ("sent", "ok")
    for name, event_ids in attacks.items():
        for event_id in event_ids:
            step, outcome, reason = last_step(await finished(client, event_id))
            assert (step, outcome) == ("failed", "failed"), name
            assert reason in cases[name][1], name


async def test_a_mail_server_that_refuses_or_hangs_harms_its_own_tenant_only(client: Client) -> None:
    """Refused: recorded in the server's own words. Hung: given up in time. A neighbour's mail goes on meanwhile."""
    good = Catcher()
    async with serving(Catcher(rcpt="550 5.1.1 No such user")) as refusing, hanging() as hung, serving(good) as alive:
        ports = {"refused": refusing, "hung": hung, "alive": alive}
        tenants = {name: await mail_tenant(client, name, port) for name, port in ports.items()}
        stuck = [await tenants["hung"].accept(letter(n)) for n in range(HUNG)]
        no = await finished(client, await tenants["refused"].accept(letter(0)))
        assert last_step(no) == ("failed", "failed", "recipient_refused")
        assert "5.1.1 No such user" in no["timeline"][-1]["detail"]
        for n in range(5):
            done = await finished(client, await tenants["alive"].accept(letter(n)))
            assert last_step(done) == ("sent", "ok", None)
            assert done["deliveries"][0]["attempts"] == 1
        assert len(good.envelopes) == 5

        async def given_up() -> dict[str, Any] | None:
            event = await client.operator.event(stuck[0])
            return event if event and event["timeline"][-1]["step"] == "retrying" else None

        event = await until(given_up, "the end of the first attempt", deadline=60)
        assert event["timeline"][-1]["reason"] == "provider_timeout"
        assert event["timeline"][-1]["next_attempt_at"]


async def mail_tenant(client: Client, name: str, port: int) -> Tenant:
    """Make a tenant that sends by a server of its own."""
    settings = {"host": "127.0.0.1", "port": port, "tls": "none", "from_email": "us@tenant.example"}
    tenant = await client.operator.create_tenant(name, providers={"EMAIL": ("smtp", settings)})
    body = "<mjml><mj-body><mj-section><mj-column><mj-text>No {{n}}</mj-text></mj-column></mj-section></mj-body></mjml>"
    await client.operator.create_template(tenant, "letter", "EMAIL", body, subject="Letter {{n}}")
    return tenant


def letter(number: int) -> dict[str, Any]:
    """Return an event that is a mail."""
    payload = {"userId": "u", "recipientEmail": "u@example.com"}
    return {"eventType": "letter", "payload": payload, "variables": {"n": number}}


async def test_nothing_broke(client: Client, shared_stack: Running) -> None:
    """After all of that no process was started again, none logged a fault of ours, and a good event goes through."""
    done = await finished(client, await client.tenant.accept(order("B-last", "bad-input")))
    assert [delivery["status"] for delivery in done["deliveries"]] == ["sent"] * 3
    state = shared_stack.state
    assert {name: process.starts for name, process in state.processes.items() if process.starts > 1} == {}
    told = [line for name in state.processes for line in lines(shared_stack, name)]
    assert [line for line in told if line.get("level") == "error" and line["event"] not in OF_THE_MACHINE] == []
