"""One trace id from the caller's header to the last log line, one wide line per unit of work, and no secret in any."""

import re
import secrets
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from checks.client import Client, order
from checks.waiting import until
from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2, ingest_pb2_grpc
from stack.client import Running
from tests.e2e.logs import lines, secrets_in_logs
from tests.integration.senders.mail_servers import Catcher, Password, self_signed, serving
from tests.waiting import eventually

# Render answers for many events at once: its lines carry the trace of the call that asked.
_SERVICES = ("gateway", "ingest", "router", "senders", "realtime")
# The wide lines of an event on three channels: (process, event) and how often.
_STORY = {
    ("gateway", "request"): 1,
    ("ingest", "event"): 1,
    ("router", "routed"): 1,
    ("senders", "delivery"): 2,
    ("realtime", "delivery"): 1,
}


def story(running: Running, trace_id: str) -> list[dict[str, Any]]:
    """Return the lines of every process that carry a trace id."""
    return [line for name in _SERVICES for line in lines(running, name) if line.get("trace_id") == trace_id]


async def told(
    client: Client, running: Running, event_id: str, trace_id: str, wanted: Mapping[tuple[str, str], int]
) -> None:
    """Wait for an event's end, and until each process has said as often as wanted what it says under a trace id."""
    event = await until(lambda: client.operator.finished(event_id), "the event's end", deadline=30)
    assert event["trace_id"] == trace_id

    def is_told() -> bool:
        counts = Counter((line["service"], line["event"]) for line in story(running, trace_id))
        assert counts == wanted
        return True

    await eventually(is_told)  # lines are written after what they tell of


_TRACE = "5e0c63257de34c926f1b2d6a04f8d917"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"X-Trace-Id": f"order-{_TRACE}"}, f"order-{_TRACE}"),
        ({"traceparent": f"00-{_TRACE}-00f067aa0ba902b7-01"}, _TRACE),
        ({"X-Trace-Id": f"wins-{_TRACE}", "traceparent": f"00-{_TRACE[::-1]}-00f067aa0ba902b7-01"}, f"wins-{_TRACE}"),
        ({"traceparent": "nonsense"}, ""),
        ({}, ""),
    ],
)
async def test_a_trace_id_reaches_every_step(
    client: Client, shared_stack: Running, headers: dict[str, str], expected: str
) -> None:
    """X-Trace-Id goes first, then traceparent, else a new one: in the answer, in every wide line, on the timeline."""
    answer = await client.tenant.trigger(order(f"T-{secrets.token_hex(4)}", "trace"), headers=headers)
    trace_id = answer.headers["X-Trace-Id"]
    assert trace_id == expected if expected else re.fullmatch(r"[0-9a-f]{32}", trace_id)
    await told(client, shared_stack, answer.event_id, trace_id, _STORY)
    for line in story(shared_stack, trace_id):
        assert line["event_id"] == answer.event_id
        assert line["tenant_id"] == client.tenant.id
        assert {"level", "timestamp", "module"} <= set(line)
    await eventually(lambda: [line for line in lines(shared_stack, "render") if line.get("trace_id") == trace_id])
    outbox = {message["channel"]: message for message in await client.operator.outbox(answer.event_id)}
    # The mail went over SMTP, which carries no trace.
    assert (outbox["SMS"]["trace_id"], outbox["EMAIL"]["trace_id"]) == (trace_id, "")


async def test_a_wide_line_tells_the_whole_attempt(client: Client, shared_stack: Running) -> None:
    """Ids, decision and where the time went; nothing of what was said to whom."""
    trace_id = secrets.token_hex(16)
    event_id = await client.tenant.accept(order("W-1", "wide"), headers={"X-Trace-Id": trace_id})
    await told(client, shared_stack, event_id, trace_id, _STORY)
    [email] = [line for line in story(shared_stack, trace_id) if line.get("channel") == "email"]
    assert (email["attempt"], email["status"], email["provider"], email["reason"]) == (1, "sent", "smtp", "")
    assert all(email[name] >= 0 for name in ("wait_ms", "render_ms", "send_ms"))
    [routed] = [line for line in story(shared_stack, trace_id) if line["event"] == "routed"]
    assert (routed["email"], routed["sms"], routed["push"]) == ("queued", "queued", "queued")
    text = str(story(shared_stack, trace_id))
    for private in ("ada@example.com", "+254712345678", "Walnut desk lamp"):
        assert private not in text


async def test_a_grpc_caller_brings_its_trace_too(client: Client, shared_stack: Running) -> None:
    """As metadata x-trace-id."""
    trace_id = f"grpc-{secrets.token_hex(8)}"
    request = ingest_pb2.TriggerEventRequest(
        event=ingest_pb2.NewEvent(
            event_type="order.confirmed",
            recipient=event_pb2.Recipient(user_id="trace", email="ada@example.com", phone="+254712345678"),
            variables=b'{"orderId": "G-1"}',
        )
    )
    async with grpc.aio.insecure_channel(shared_stack.variables["CLARION_INGEST_ADDRESS"]) as channel:
        answer = await ingest_pb2_grpc.IngestServiceStub(channel).TriggerEvent(
            request, timeout=30, metadata=(("x-api-key", client.tenant.api_key), ("x-trace-id", trace_id))
        )
    wanted = {key: count for key, count in _STORY.items() if key[0] != "gateway"}
    await told(client, shared_stack, answer.event_id, trace_id, wanted)


async def test_a_refused_call_is_one_line(client: Client, shared_stack: Running) -> None:
    """A 401 and a 422 are told once, with their trace."""
    for key, event, status in (("f" * 64, order("R-1", "u"), 401), (client.tenant.api_key, {}, 422)):
        trace_id = secrets.token_hex(16)
        answer = await client.tenant.trigger(event, headers={"x-api-key": key, "X-Trace-Id": trace_id})
        assert answer.status == status

        def told_by_gateway(trace_id: str = trace_id) -> list[dict[str, Any]]:
            return [line for line in story(shared_stack, trace_id) if line["service"] == "gateway"]

        [line] = await eventually(told_by_gateway)
        assert (line["event"], line["status"], line["route"]) == ("request", status, "/api/v1/events/trigger")


async def test_no_secret_is_in_any_log(client: Client, shared_stack: Running, tmp_path: Path) -> None:
    """Keys right and wrong, tokens, an SMTP password that the server repeats: in no log, even at level debug."""
    wrong_key, password = secrets.token_hex(32), f"pw-{secrets.token_hex(8)}"
    assert (await client.tenant.trigger(order("S-1", "u"), headers={"x-api-key": wrong_key})).status == 401
    assert (
        await client.operator.http.call("GET", "/api/v1/admin/events", headers={"Authorization": f"Bearer {wrong_key}"})
    ).status == 401
    token = (await client.tenant.token("secret"))["token"]
    forged = token[:-4] + "AAAA"
    assert (await client.tenant.inbox("secret", headers={"Authorization": f"Bearer {forged}"})).status == 401
    context, pem = self_signed(tmp_path)
    options: dict[str, Any] = {"tls_context": context, "require_starttls": True, "auth_required": True}
    async with serving(Catcher(), authenticator=Password("us", "another"), **options) as port:
        settings = {"host": "127.0.0.1", "port": port, "ca_certificate": pem, "from_email": "us@tenant.example"}
        providers = {"EMAIL": ("smtp", {**settings, "username": "us", "password": password})}
        tenant = await client.operator.create_tenant("Secretive", providers=providers)
        await client.operator.create_template(tenant, "mail", "EMAIL", "<p>Hello</p>", subject="s")
        event_id = await tenant.accept(
            {"eventType": "mail", "payload": {"userId": "u", "recipientEmail": "u@example.com"}}
        )
        event = await until(lambda: client.operator.finished(event_id), "the event's end", deadline=30)
    assert event["timeline"][-1]["reason"] == "provider_credentials"
    assert password not in str(event)
    rotated = (await client.operator.must("POST", f"/tenants/{tenant.id}/rotate-key", json={}))["api_key"]
    more = (wrong_key, password, token, forged, tenant.api_key, rotated)
    assert secrets_in_logs(shared_stack, more) == []


async def test_a_failed_rendering_tells_the_log_nothing_of_whom(client: Client, shared_stack: Running) -> None:
    """Its detail may quote what was to be written to whom: it is on the timeline, which erasure reaches."""
    private = f"ada.{secrets.token_hex(8)}@example.com"
    tenant = await client.operator.create_tenant("Discreet")
    version_id = await client.operator.create_template(tenant, "failing", "SMS", "Hi {{> (lookup this 'name')}}")
    payload = {"userId": "u", "recipientPhone": "+254712345678"}
    event_id = await tenant.accept({"eventType": "failing", "payload": payload, "variables": {"name": private}})
    event = await until(lambda: client.operator.finished(event_id), "the event's end", deadline=30)
    assert event["timeline"][-1]["reason"] == "template_error"
    assert private in event["timeline"][-1]["detail"]

    def failed() -> set[str]:
        of_render = [line for line in lines(shared_stack, "render") if line["event"] == "render_failed"]
        return {line["reason"] for line in of_render if line["template_version_id"] == version_id}

    assert await eventually(failed) == {"template_error"}
    assert secrets_in_logs(shared_stack, [private]) == []
