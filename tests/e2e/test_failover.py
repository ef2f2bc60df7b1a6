"""Providers in trouble, on a running stack: the next one sends; where all are down, a dead letter and its replay."""

import datetime as dt
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from checks.client import Client, Tenant
from checks.waiting import until
from tests.conftest import free_port
from tests.e2e.conftest import PROVIDER_PORT
from tests.e2e.provider_apis import RESEND, SENDGRID

BODY = "<mjml><mj-body><mj-section><mj-column><mj-text>No {{n}}</mj-text></mj-column></mj-section></mj-body></mjml>"
FROM = {"from_email": "us@tenant.example"}
ONE_AFTER_THE_OTHER = [("EMAIL", "resend", 1, RESEND), ("EMAIL", "sendgrid", 2, SENDGRID)]

Said = tuple[int, dict[str, Any], dict[str, str]]
_DOWN: Said = (503, {"name": "application_error", "message": "We are down for maintenance"}, {})
_WRONG_KEY: Said = (403, {"name": "invalid_api_key", "message": "API key is invalid"}, {})
_TIME_ASKED_FOR_S = 1
_TOO_FAST: Said = (
    429,
    {"name": "rate_limit_exceeded", "message": "Too many requests"},
    {"Retry-After": str(_TIME_ASKED_FOR_S)},
)
_TOO_BIG: Said = (413, {"name": "payload_too_large", "message": "Too large"}, {})
_RESEND_YES: Said = (200, {"id": "49a3999c-0ce1-4ea6-ab68-afcd6dc2e794"}, {})
_SENDGRID_YES: Said = (202, {}, {"X-Message-Id": "14c5d75ce93"})


@dataclass
class Providers:
    """Resend and SendGrid, answering as told. calls: which was asked, with which idempotency key.

    first: what the first call is answered, in place of that.
    """

    resend: Said = _RESEND_YES
    sendgrid: Said = _SENDGRID_YES
    first: Said | None = None
    calls: list[tuple[str, str]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        """Answer as the one whose path it is."""
        kind = "resend" if request.path == "/emails" else "sendgrid"
        self.calls.append((kind, request.headers.get("Idempotency-Key", "")))
        said = self.resend if kind == "resend" else self.sendgrid
        status, body, headers = self.first if self.first and len(self.calls) == 1 else said
        return web.json_response(body, status=status, headers=headers)

    def asked(self) -> list[str]:
        """Return who was asked, in order."""
        return [kind for kind, _ in self.calls]


@asynccontextmanager
async def _serving() -> AsyncIterator[Providers]:
    providers = Providers()
    app = web.Application()
    app.router.add_post("/{path:.*}", providers.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", PROVIDER_PORT).start()
    try:
        yield providers
    finally:
        await runner.cleanup()


@pytest_asyncio.fixture(loop_scope="session")
async def providers() -> AsyncIterator[Providers]:
    """Both are well, until told otherwise."""
    async with _serving() as providers:
        yield providers


async def _tenant(client: Client, kinds: list[tuple[str, str, int, dict[str, Any]]]) -> Tenant:
    tenant = await client.operator.create_tenant("Failing", providers={"SMS": ("sandbox", {})})
    for channel, kind, priority, settings in kinds:
        body = {"channel": channel, "kind": kind, "priority": priority, "settings": {**FROM, **settings}}
        await client.operator.must("POST", "/providers", json={"tenant_id": tenant.id, **body})
    await client.operator.create_template(tenant, "letter", "EMAIL", BODY, subject="Letter {{n}}")
    return tenant


async def _send(client: Client, tenant: Tenant, number: int) -> str:
    payload = {"userId": "u", "recipientEmail": "u@example.com"}
    return await tenant.accept({"eventType": "letter", "payload": payload, "variables": {"n": number}})


async def _end(client: Client, event_id: str) -> dict[str, Any]:
    return await until(lambda: client.operator.finished(event_id), "the event's end", deadline=30)


async def _finished(client: Client, tenant: Tenant, number: int) -> dict[str, Any]:
    return await _end(client, await _send(client, tenant, number))


def _tries(event: dict[str, Any]) -> list[tuple[str, int, str | None, str | None]]:
    """Return what became of each call: (step, attempt, provider, reason)."""
    steps = [step for step in event["timeline"] if step["service"] == "senders"]
    return [(step["step"], step["attempt"], step["provider"], step["reason"]) for step in steps]


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str]) -> Callable[[str, dict[str, Any]], None]:
    """Print a timeline, for people to read."""

    def print_timeline(title: str, event: dict[str, Any]) -> None:
        with capsys.disabled():
            print(f"\n{title} (event {event['id']})")
            for step in event["timeline"]:
                words = (step["provider"], step["reason"], step["detail"])
                attempt = f"attempt {step['attempt']}" if step["attempt"] else ""
                print(
                    f"  {step['time'][11:23]}  {step['service']:<8} {step['step']:<12} {attempt:<10}"
                    f" {'  '.join(word for word in words if word)}".rstrip()
                )

    return print_timeline


async def test_the_first_provider_is_down_and_the_next_one_sends(
    client: Client, providers: Providers, show: Callable[[str, dict[str, Any]], None]
) -> None:
    """Within one attempt; both calls are on the timeline, and the message id is of the one that sent."""
    providers.resend = _DOWN
    tenant = await _tenant(client, ONE_AFTER_THE_OTHER)
    event = await _finished(client, tenant, 1)
    show("failover", event)
    assert _tries(event) == [("failed_over", 1, "resend", "provider_error"), ("sent", 1, "sendgrid", None)]
    [delivery] = event["deliveries"]
    assert (delivery["status"], delivery["provider"], delivery["attempts"]) == ("sent", "sendgrid", 1)
    assert providers.asked() == ["resend", "sendgrid"]
    listed = (await client.operator.must("GET", f"/providers?tenant_id={tenant.id}"))["data"]
    ids = {provider["kind"]: provider["id"] for provider in listed}
    asked = [(one["provider_id"], one["provider_message_id"]) for one in event["timeline"] if one["provider"]]
    assert asked == [(ids["resend"], None), (ids["sendgrid"], "14c5d75ce93")]
    assert [step["step"] for step in event["timeline"]].count("rendered") == 1


async def test_a_wrong_key_is_not_tried_again_until_it_is_rotated(client: Client, providers: Providers) -> None:
    """The next provider sends; the first is asked again once its key is new."""
    providers.resend = _WRONG_KEY
    tenant = await _tenant(client, ONE_AFTER_THE_OTHER)
    event = await _finished(client, tenant, 1)
    assert _tries(event) == [("failed_over", 1, "resend", "provider_credentials"), ("sent", 1, "sendgrid", None)]
    event = await _finished(client, tenant, 2)
    assert _tries(event) == [("sent", 1, "sendgrid", None)]
    assert providers.asked() == ["resend", "sendgrid", "sendgrid"]

    providers.resend = _RESEND_YES
    listed = (await client.operator.must("GET", f"/providers?tenant_id={tenant.id}"))["data"]
    [resend] = [one for one in listed if one["kind"] == "resend"]
    changed = await client.operator.must(
        "PATCH", f"/providers/{resend['id']}", json={"settings": {"api_key": "re_another_0987"}}
    )
    assert changed["settings"]["api_key"] == "…0987"
    assert await client.operator.must("GET", f"/providers/{resend['id']}") == changed
    nothing_to_do = {"renewed": 0, "unreadable": []}
    renewed = await client.operator.must("POST", "/encryption/renew")
    assert renewed == {"providers": nothing_to_do, "webhook_secrets": nothing_to_do, "endpoints": nothing_to_do}

    async def sent_by_resend() -> bool:
        return _tries(await _finished(client, tenant, 3)) == [("sent", 1, "resend", None)]

    await until(sent_by_resend, "the new key to be used", deadline=30)


async def test_who_asks_for_time_gets_it(client: Client, providers: Providers) -> None:
    """With no other provider the delivery waits in TIMERS; what follows it is not even tried, and all are sent."""
    providers.first = _TOO_FAST
    tenant = await _tenant(client, ONE_AFTER_THE_OTHER[:1])
    first = await _send(client, tenant, 1)

    async def asked() -> bool:
        return bool(providers.calls)

    await until(asked, "the first call", deadline=30)
    followers = [await _send(client, tenant, number) for number in range(2, 5)]
    for event_id in (first, *followers):
        event = await _end(client, event_id)
        [delivery] = event["deliveries"]
        assert delivery["status"] == "sent"
        if event_id != first:
            assert _tries(event) == [("sent", 1, "resend", None)]
        else:
            [refused, sent] = _tries(event)
            assert refused == ("retrying", 1, "resend", "provider_throttled")
            assert sent == ("sent", 2, "resend", None)
            [waited] = [step for step in event["timeline"] if step["step"] == "retrying"]
            refused_at, due = (dt.datetime.fromisoformat(waited[name]) for name in ("time", "next_attempt_at"))
            assert due - refused_at >= dt.timedelta(seconds=_TIME_ASKED_FOR_S)
        [sent_at] = [step["time"] for step in event["timeline"] if step["step"] == "sent"]
        assert dt.datetime.fromisoformat(sent_at) >= due
    keys = [key for _, key in providers.calls]
    assert keys.count(keys[0]) == 2  # both calls for the first, under one key
    assert len(keys) == 5


async def test_too_big_is_final(client: Client, providers: Providers) -> None:
    """The next provider is not asked: the message is at fault."""
    providers.resend = _TOO_BIG
    tenant = await _tenant(client, ONE_AFTER_THE_OTHER)
    event = await _finished(client, tenant, 1)
    assert _tries(event) == [("failed", 1, "resend", "message_too_large")]
    assert providers.asked() == ["resend"]


async def test_all_down_a_dead_letter_and_its_replay(
    client: Client, providers: Providers, show: Callable[[str, dict[str, Any]], None]
) -> None:
    """Every attempt asks both; after the last one the letter is dead; replayed once they are back it is sent, once."""
    providers.resend = providers.sendgrid = _DOWN
    # A third one, where nobody listens at all.
    smtp = {"host": "127.0.0.1", "port": free_port(), "tls": "none"}
    tenant = await _tenant(client, [*ONE_AFTER_THE_OTHER, ("EMAIL", "smtp", 3, smtp)])
    event = await _finished(client, tenant, 1)
    show("dead letter", event)
    in_vain = [("failed_over", "resend", "provider_error"), ("failed_over", "sendgrid", "provider_error")]
    wanted = [
        (step, attempt, provider, reason)
        for attempt, last in ((1, "retrying"), (2, "retrying"), (3, "dead"))
        for step, provider, reason in [*in_vain, (last, "smtp", "provider_unreachable")]
    ]
    assert _tries(event) == wanted
    [dead] = (await client.operator.must("GET", f"/dead-letters?tenant_id={tenant.id}"))["data"]
    assert (dead["event_id"], dead["reason"]) == (event["id"], "provider_unreachable")

    providers.resend = _RESEND_YES
    before = len(providers.calls)
    await client.operator.must("POST", f"/dead-letters/{dead['delivery_id']}/replay")

    async def sent() -> dict[str, Any] | None:
        again = await client.operator.event(event["id"])
        return again if again and again["deliveries"][0]["status"] == "sent" else None

    event = await until(sent, "the replay", deadline=30)
    show("its replay", event)
    assert _tries(event)[len(wanted) :] == [("sent", 1, "resend", None)]
    [(kind, key)] = providers.calls[before:]
    assert kind == "resend"
    earlier = {key for kind, key in providers.calls[:before] if kind == "resend"}
    assert len(earlier) == 1  # one key for all attempts at the first message
    assert key not in earlier  # and another one for its replay, which Resend must not take for a repeat


async def test_a_circuit_opens_and_closes_again(client: Client, providers: Providers) -> None:
    """After five failures in a row the provider is not asked; the deliveries go to the next one all the same."""
    providers.resend = _DOWN
    tenant = await _tenant(client, ONE_AFTER_THE_OTHER)
    events = [await _finished(client, tenant, number) for number in range(8)]
    assert [delivery["status"] for event in events for delivery in event["deliveries"]] == ["sent"] * 8
    assert providers.asked().count("resend") == 5
    assert _tries(events[-1]) == [("sent", 1, "sendgrid", None)]
