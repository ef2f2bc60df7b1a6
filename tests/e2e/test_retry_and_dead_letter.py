"""A mail server that says "later": tried again, and if it never takes the mail, a dead letter that can be replayed."""

import json
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from checks.client import Client, Tenant
from checks.waiting import until
from tests.integration.senders.mail_servers import Catcher, serving

BODY = "<mjml><mj-body><mj-section><mj-column><mj-text>No {{n}}</mj-text></mj-column></mj-section></mj-body></mjml>"
LATER = "451 4.3.0 Try again later"
# As many as tests/e2e/conftest.py has delays, and one.
ATTEMPTS = 3


class OnceLater(Catcher):
    """Refuses its first recipient for now, and takes all that follow."""

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name and arguments
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Answer RCPT TO."""
        answer = await super().handle_RCPT(server, session, envelope, address, options)
        self.rcpt = ""
        return answer


async def mail_tenant(client: Client, port: int) -> Tenant:
    """Make a tenant that sends by the server on a port."""
    settings = {"host": "127.0.0.1", "port": port, "tls": "none", "from_email": "us@tenant.example"}
    tenant = await client.operator.create_tenant("Retrying", providers={"EMAIL": ("smtp", settings)})
    await client.operator.create_template(tenant, "letter", "EMAIL", BODY, subject="Letter {{n}}")
    return tenant


def letter(number: int) -> dict[str, Any]:
    """Return an event that is a mail."""
    payload = {"userId": "u", "recipientEmail": "u@example.com"}
    return {"eventType": "letter", "payload": payload, "variables": {"n": number}}


def attempts(event: dict[str, Any]) -> list[tuple[str, int, str | None]]:
    """Return the attempts on a timeline: (step, number, reason)."""
    steps = [step for step in event["timeline"] if step["step"] in ("sent", "retrying", "dead", "failed")]
    return [(step["step"], step["attempt"], step["reason"]) for step in steps]


async def test_refused_for_now_it_is_sent_later(client: Client) -> None:
    """Both attempts are on the timeline, the first with the server's words and when the next one is due."""
    catcher = OnceLater(rcpt=LATER)
    async with serving(catcher) as port:
        tenant = await mail_tenant(client, port)
        event_id = await tenant.accept(letter(1))
        event = await until(lambda: client.operator.finished(event_id), "the event's end", deadline=30)
    first = next(step for step in event["timeline"] if step["step"] == "retrying")
    assert "Try again later" in first["detail"]
    assert first["next_attempt_at"] > first["time"]
    assert attempts(event) == [("retrying", 1, "provider_deferred"), ("sent", 2, None)]
    [delivery] = event["deliveries"]
    assert (delivery["status"], delivery["attempts"]) == ("sent", 2)
    [envelope] = catcher.envelopes
    assert envelope.rcpt_tos == ["u@example.com"]


async def test_never_taken_it_is_a_dead_letter_and_a_replay_delivers_it(client: Client) -> None:
    """Dead after the last attempt, listed; replayed too early it dies again; replayed once mended it is sent, once."""
    catcher = Catcher(rcpt=LATER)
    async with serving(catcher) as port:
        tenant = await mail_tenant(client, port)
        event_id = await tenant.accept(letter(2))
        event = await until(lambda: client.operator.finished(event_id), "the event's end", deadline=30)
        assert [step for step, _, _ in attempts(event)] == ["retrying"] * (ATTEMPTS - 1) + ["dead"]
        [delivery] = event["deliveries"]
        assert (delivery["status"], delivery["attempts"]) == ("dead", ATTEMPTS)
        [dead] = (await client.operator.must("GET", f"/dead-letters?tenant_id={tenant.id}"))["data"]
        assert (dead["delivery_id"], dead["event_id"], dead["channel"]) == (delivery["id"], event_id, "EMAIL")
        assert dead["reason"] == "provider_deferred"

        catcher.rcpt = ""
        assert (await client.operator.call("POST", f"/dead-letters/{dead['delivery_id']}/replay")).status == 202

        async def sent() -> dict[str, Any] | None:
            event = await client.operator.event(event_id)
            return event if event and event["deliveries"][0]["status"] == "sent" else None

        event = await until(sent, "the replay", deadline=30)
        assert attempts(event)[-1] == ("sent", 1, None)
        assert (await client.operator.must("GET", f"/dead-letters?tenant_id={tenant.id}"))["data"] == []
        again = await client.operator.call("POST", f"/dead-letters/{dead['delivery_id']}/replay")
        assert again.status in (404, 409), again.body
        later = await tenant.accept(letter(3))
        await until(lambda: client.operator.finished(later), "a later event's end", deadline=30)
    assert len(catcher.envelopes) == 2
    subjects = [str(envelope.content).count("Letter 2") > 0 for envelope in catcher.envelopes]
    assert subjects == [True, False], json.dumps(event["timeline"], indent=1)


async def test_a_final_no_is_not_tried_again(client: Client) -> None:
    """550: failed after one attempt, and no dead letter."""
    async with serving(Catcher(rcpt="550 5.1.1 No such user")) as port:
        tenant = await mail_tenant(client, port)
        event_id = await tenant.accept(letter(4))
        event = await until(lambda: client.operator.finished(event_id), "the event's end", deadline=30)
    assert attempts(event) == [("failed", 1, "recipient_refused")]
    assert (await client.operator.must("GET", f"/dead-letters?tenant_id={tenant.id}"))["data"] == []
