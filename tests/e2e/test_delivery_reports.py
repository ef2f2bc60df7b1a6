"""What providers say later, on a running stack: statuses, suppressions, and the way out of subscribed mail."""

import re
from typing import Any

from checks.client import Client, Tenant
from checks.waiting import until
from runtime.ids import new_id
from tests.e2e import provider_apis
from tests.e2e.provider_apis import AFRICASTALKING, RESEND, SENDGRID, TWILIO, Apis, callback_path
from tests.integration.senders import mail_servers

BODY = "<mjml><mj-body><mj-section><mj-column><mj-text>Hello</mj-text></mj-column></mj-section></mj-body></mjml>"
FROM = {"from_email": "us@tenant.example"}
ADA = {"userId": "ada", "recipientEmail": "Ada@Example.com", "recipientPhone": "+254712345678"}


async def _tenant(client: Client, channel: str, kind: str, settings: dict[str, Any]) -> Tenant:
    given = {**(FROM if channel == "EMAIL" else {}), **settings}
    tenant = await client.operator.create_tenant("Reporting", providers={channel: (kind, given)})
    await client.operator.create_template(tenant, "letter", channel, BODY if channel == "EMAIL" else "Hello")
    return tenant


async def _event(client: Client, event_id: str, status: str) -> dict[str, Any]:
    async def reached() -> dict[str, Any] | None:
        event = await client.operator.event(event_id)
        return event if event and [one["status"] for one in event["deliveries"]] == [status] else None

    return await until(reached, f"{event_id}'s delivery to be {status}", deadline=30)


async def _send(client: Client, tenant: Tenant, status: str = "sent", event_type: str = "letter") -> dict[str, Any]:
    """Trigger an event for Ada, and wait until it is so."""
    event_id = await tenant.accept({"eventType": event_type, "eventId": new_id(), "payload": ADA})
    return await _event(client, event_id, status)


async def _is_suppressed(client: Client, tenant: Tenant, reason: str, event_type: str = "letter") -> None:
    """Wait until the router knows: it follows within milliseconds, not at once."""
    path = (
        f"/route-explain?tenant_id={tenant.id}&event_type={event_type}&user_id=ada"
        f"&email={ADA['recipientEmail']}&phone=%2B254712345678"
    )

    async def told() -> bool:
        answer = await client.operator.must("GET", path)
        return [one["reason"] for one in answer["deliveries"]] == [reason or None]

    await until(told, f"the router to say {reason or 'nothing'}", deadline=30)


def _steps(event: dict[str, Any]) -> list[str]:
    return [step["step"] for step in event["timeline"] if step["service"] == "senders"]


def _show(title: str, event: dict[str, Any]) -> None:
    print(f"\n{title}: event {event['id']}")
    for step in event["timeline"]:
        told = " ".join(filter(None, (step["provider"], step["reason"], step["detail"])))
        print(f"  {step['time'][11:23]} {step['step']:<12} {step['service']:<8} {told}")


async def test_a_bounce_suppresses_until_an_operator_lifts_it(client: Client) -> None:
    """Sent, bounced by callback, the next one skipped, lifted, sent again: on the timelines."""
    async with provider_apis.serving() as apis:
        tenant = await _tenant(client, "EMAIL", "resend", RESEND)
        path = await callback_path(client, tenant)
        first = await _send(client, tenant)
        bounce = {"type": "Permanent", "subType": "General", "message": "550 5.1.1 no such user"}
        assert (
            await provider_apis.resend_says(client, path, "email.bounced", apis.ids("resend")[0], bounce=bounce) == 204
        )
        first = await _event(client, first["id"], "bounced")
        assert _steps(first) == ["sent", "bounced"]
        assert first["deliveries"][0]["reason"] == "hard_bounce"

        await _is_suppressed(client, tenant, "suppressed_bounced")
        second = await _send(client, tenant, "skipped")
        assert second["deliveries"][0]["reason"] == "suppressed_bounced"
        [held] = (await client.operator.must("GET", f"/suppressions?tenant_id={tenant.id}&address=ada@example.com"))[
            "data"
        ]
        assert (held["address"], held["reason"], held["source"]) == ("a…@example.com", "bounced", "resend")
        assert held["detail"] == "Permanent General 550 5.1.1 no such user"

        assert (await client.operator.call("DELETE", f"/suppressions/{held['id']}")).status == 204
        await _is_suppressed(client, tenant, "")
        third = await _send(client, tenant)
        assert len(apis.taken) == 2
    _show("sent, then bounced by the provider's callback", first)
    _show("suppressed", second)
    _show("lifted by an operator", third)


async def test_reports_in_a_batch_in_any_order_and_repeated(client: Client) -> None:
    """The furthest status wins and stands once; what nobody here has sent is answered 204; a forger gets 403."""
    async with provider_apis.serving() as apis:
        tenant = await _tenant(client, "EMAIL", "sendgrid", SENDGRID)
        path = await callback_path(client, tenant)
        first, second = await _send(client, tenant), await _send(client, tenant)
        one, two = [f"{message_id}.recvd-canary-1.0" for message_id in apis.ids("sendgrid")]
        events: list[dict[str, Any]] = [
            {"event": "spamreport", "sg_message_id": one, "sg_event_id": "e1"},
            {"event": "processed", "sg_message_id": one},
            {"event": "delivered", "sg_message_id": one, "sg_event_id": "e2", "response": "250 OK"},
            {"event": "delivered", "sg_message_id": two, "sg_event_id": "e3", "response": "250 OK"},
            {"event": "delivered", "sg_message_id": two, "sg_event_id": "e4", "response": "250 OK"},
            {"event": "bounce", "type": "bounce", "sg_message_id": "nobody.knows", "timestamp": 1},
        ]
        assert await provider_apis.sendgrid_says(client, path, *events) == 204
        assert await provider_apis.sendgrid_says(client, path, *events[:3]) == 204
        first = await _event(client, first["id"], "complained")
        second = await _event(client, second["id"], "delivered")
        assert sorted(_steps(first)) == ["complained", "delivered", "sent"]
        assert _steps(second) == ["sent", "delivered"]
        await _is_suppressed(client, tenant, "suppressed_complained")
        forged = await client.http.call("POST", path, headers={}, data=b"[]")
        assert forged.status == 403, forged.body
        unknown = await client.http.call("POST", path[:-4] + "AAAA", headers={}, data=b"[]")
        assert unknown.status == 404, unknown.body
    _show("reported by SendGrid", first)


async def test_a_bounce_that_names_no_message_suppresses(client: Client) -> None:
    """As SendGrid posts it when the server has answered long after it took the mail."""
    async with provider_apis.serving():
        tenant = await _tenant(client, "EMAIL", "sendgrid", SENDGRID)
        path = await callback_path(client, tenant)
        event = await _send(client, tenant)
        bounce = {"event": "bounce", "type": "bounce", "sg_message_id": "", "email": "ada@example.com"}
        assert await provider_apis.sendgrid_says(client, path, {**bounce, "reason": "550 no such user"}) == 204
        await _is_suppressed(client, tenant, "suppressed_bounced")
        [held] = (await client.operator.must("GET", f"/suppressions?tenant_id={tenant.id}"))["data"]
        assert (held["address"], held["source"], held["detail"]) == ("a…@example.com", "sendgrid", "550 no such user")
        assert _steps(await _event(client, event["id"], "sent")) == ["sent"]


async def test_a_secret_pasted_with_a_line_end_proves_reports(client: Client) -> None:
    """And what Resend leaves null costs nothing."""
    async with provider_apis.serving() as apis:
        pasted = {**RESEND, "webhook_secret": f" v1,{RESEND['webhook_secret']}\r\n"}
        tenant = await _tenant(client, "EMAIL", "resend", pasted)
        path = await callback_path(client, tenant)
        event = await _send(client, tenant)
        bounce = {"type": "Permanent", "subType": None, "message": None}
        message_id = apis.ids("resend")[0]
        assert await provider_apis.resend_says(client, path, "email.bounced", message_id, bounce=bounce) == 204
        assert _steps(await _event(client, event["id"], "bounced")) == ["sent", "bounced"]
        await _is_suppressed(client, tenant, "suppressed_bounced")


async def test_a_number_as_people_write_it_is_one_number(client: Client) -> None:
    """The event keeps it as it was written, the provider is given E.164, and its bounce stops every way to write it."""
    async with provider_apis.serving() as apis:
        tenant = await _tenant(client, "SMS", "africastalking", AFRICASTALKING)
        path = await callback_path(client, tenant)
        payload = {**ADA, "recipientPhone": "\u202a+254 (0)712 345-678\u202c"}
        event_id = await tenant.accept({"eventType": "letter", "eventId": new_id(), "payload": payload})
        event = await _event(client, event_id, "sent")
        assert event["recipient"]["phone"] == payload["recipientPhone"]
        assert [body["to"] for _, _, body in apis.taken] == ["+254712345678"]
        fields = {"id": apis.ids("africastalking")[0], "status": "Failed", "failureReason": "UserDoesNotExist"}
        assert await provider_apis.africastalking_says(client, path, **fields) == 204
        await _is_suppressed(client, tenant, "suppressed_bounced")
        event_id = await tenant.accept({"eventType": "letter", "eventId": new_id(), "payload": payload})
        skipped = await _event(client, event_id, "skipped")
        assert skipped["deliveries"][0]["reason"] == "suppressed_bounced"


async def test_text_messages_are_reported_too(client: Client) -> None:
    """Twilio signs, Africa's Talking has only its URL; a number that is none is suppressed for SMS."""
    async with provider_apis.serving() as apis:
        tenant = await _tenant(client, "SMS", "twilio", TWILIO)
        path = await callback_path(client, tenant)
        event = await _send(client, tenant)
        fields = {"MessageSid": apis.ids("twilio")[0], "MessageStatus": "delivered", "To": "+254712345678"}
        for base in ("", "http://127.0.0.1", "https://127.0.0.1:443"):  # it leaves out ports, and a proxy may end TLS
            assert await provider_apis.twilio_says(client, path, base=base, **fields) == 204
        assert await provider_apis.twilio_says(client, path, base="https://elsewhere.example", **fields) == 403
        assert _steps(await _event(client, event["id"], "delivered")) == ["sent", "delivered"]

        tenant = await _tenant(client, "SMS", "africastalking", AFRICASTALKING)
        path = await callback_path(client, tenant)
        event = await _send(client, tenant)
        fields = {"id": apis.ids("africastalking")[0], "status": "Failed", "failureReason": "UserDoesNotExist"}
        assert await provider_apis.africastalking_says(client, path, **fields) == 204
        event = await _event(client, event["id"], "bounced")
        await _is_suppressed(client, tenant, "suppressed_bounced")
        _show("reported by Africa's Talking", event)

        suppressions = f"/suppressions?tenant_id={tenant.id}"
        [held] = (await client.operator.must("GET", suppressions))["data"]
        assert (await client.operator.call("DELETE", f"/suppressions/{held['id']}")).status == 204
        # It carries no time, but the message is from before.
        assert await provider_apis.africastalking_says(client, path, **fields) == 204
        assert (await client.operator.must("GET", suppressions))["data"] == []


async def _subscribed(client: Client, kind: str, settings: dict[str, Any]) -> Tenant:
    tenant = await _tenant(client, "EMAIL", kind, settings)
    news = {"tenant_id": tenant.id, "event_type": "news", "channel": "EMAIL", "body": BODY, "subscribed": True}
    made = await client.operator.must("POST", "/templates", json={**news, "subject": "News", "activate": True})
    assert made["subscribed"]
    return tenant


def _link(headers: dict[str, str]) -> str:
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    found = re.fullmatch(r"<http://[^/]+(/unsubscribe/[A-Za-z0-9_-]+)>", headers["List-Unsubscribe"])
    assert found is not None, headers
    return found.group(1)


def _headers(apis: Apis, kind: str) -> list[dict[str, str]]:
    return [dict(body["headers"]) for of, _, body in apis.taken if of == kind]


async def test_one_click_ends_subscribed_mail_alone(client: Client) -> None:
    """A link that is followed changes nothing, its POST unsubscribes; receipts still arrive; the headers everywhere."""
    async with provider_apis.serving() as apis:
        tenant = await _subscribed(client, "resend", RESEND)
        first = await _send(client, tenant, event_type="news")
        await _send(client, tenant)
        subscribed, transactional = _headers(apis, "resend")
        assert "List-Unsubscribe" not in transactional
        link = _link(subscribed)
        async with client.http.session.get(client.http.url + link) as page:
            assert page.status == 200
            assert "a…@example.com" in await page.text()
        await _is_suppressed(client, tenant, "", "news")
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        click = await client.http.call("POST", link, headers=form, data=b"List-Unsubscribe=One-Click")
        assert click.status == 200
        await _is_suppressed(client, tenant, "suppressed_unsubscribed", "news")
        skipped = await _send(client, tenant, "skipped", "news")
        assert skipped["deliveries"][0]["reason"] == "suppressed_unsubscribed"
        await _send(client, tenant)
        assert len(_headers(apis, "resend")) == 3

        async def told() -> dict[str, Any] | None:
            event = await client.operator.event(first["id"])
            return event if event and "unsubscribed" in _steps(event) else None

        _show("unsubscribed by one click", await until(told, "the click on the timeline", deadline=30))
        cut = await client.http.call("GET", link[:-3], headers={})
        assert cut.status == 404

        tenant = await _subscribed(client, "sendgrid", SENDGRID)
        await _send(client, tenant, event_type="news")
        [by_sendgrid] = _headers(apis, "sendgrid")
        _link(by_sendgrid)
    catcher = mail_servers.Catcher()
    async with mail_servers.serving(catcher) as port:
        tenant = await _subscribed(client, "smtp", {"host": "127.0.0.1", "port": port, "tls": "none"})
        await _send(client, tenant, event_type="news")
    [envelope] = catcher.envelopes
    assert isinstance(envelope.content, bytes)
    head = envelope.content.partition(b"\r\n\r\n")[0].decode()
    _link(dict(line.split(": ", 1) for line in head.splitlines() if line.startswith("List-")))
