"""Direct messages on a running stack: contents that callers write, the person in templates, one-time codes."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from checks.client import Client
from checks.services import Services, services
from checks.waiting import until
from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from clarion.router.v1 import codes_pb2, codes_pb2_grpc, recipients_pb2
from runtime.errors import ClarionError, Code
from runtime.grpc import Caller, channel
from runtime.ids import new_id
from stack.client import Running
from tests.e2e import searching

EMAIL, SMS = event_pb2.CHANNEL_EMAIL, event_pb2.CHANNEL_SMS
ADA = event_pb2.Recipient(
    user_id="user_12345",
    email="ada@example.org",
    phone="+254712345678",
    name="Ada Lovelace",
    timezone="Africa/Nairobi",
    data=b'{"company":"Acorn"}',
)
EXTRA = b'{"event_data":{"order_id":"ORD-98765"},"source":{"type":"web_signup"}}'


@pytest_asyncio.fixture(loop_scope="session")
async def called(shared_stack: Running) -> AsyncIterator[Services]:
    """The services of the shared stack."""
    async with services(shared_stack) as connected:
        yield connected


def _new(direct: event_pb2.DirectMessage, **fields: Any) -> ingest_pb2.NewEvent:
    return ingest_pb2.NewEvent(
        event_type="direct.message",
        audience=[event_pb2.Target(recipient=ADA)],
        payload_extra=EXTRA,
        dedupe=ingest_pb2.Dedupe(kind=ingest_pb2.DEDUPE_KIND_NONE),
        direct=direct,
        **fields,
    )


async def _send(client: Client, called: Services, new: ingest_pb2.NewEvent) -> tuple[dict[str, Any], list[Any]]:
    """Send an event of the demo tenant; return its timeline and what the sandboxes have of it."""
    (event_id,) = await called.accept(client.tenant.id, [new])
    event = await until(lambda: client.operator.finished(event_id), "the event's end", deadline=30)
    return event, await client.operator.outbox(event_id)


@pytest.mark.parametrize("filler", [0, 90_000])
async def test_a_content_that_the_caller_wrote(client: Client, called: Services, filler: int) -> None:
    """It reads the person, the event and its source; a large one is read where the event is stored."""
    body = (
        "<p>Hi {{contact_first_name}} of {{contact_company}}: {{event_data.order_id}} from {{source.type}}, {{n}}</p>"
    )
    content = event_pb2.DirectContent(
        subject="For {{contact_name}}", body=body + f"<!--{'x' * filler}-->", text="Hi {{contact_email}}"
    )
    direct = event_pb2.DirectMessage(
        channel=EMAIL,
        content_given=content,
        sender_name="Ada's shop",
        sender_email="hello@acorn.example",
        reply_to="help@acorn.example",
    )
    event, (mail,) = await _send(client, called, _new(direct, variables=b'{"n":"<1>"}'))
    assert (mail["subject"], mail["text"]) == ("For Ada Lovelace", "Hi ada@example.org")
    assert "<p>Hi Ada of Acorn: ORD-98765 from web_signup, &lt;1&gt;</p>" in mail["html"]
    assert (mail["sender"], mail["reply_to"]) == ("Ada's shop <hello@acorn.example>", "help@acorn.example")
    assert mail["recipient"] == "ada@example.org"
    carried = await client.operator.must("GET", f"/events/{event['id']}/body")
    assert (carried["direct"]["text"], carried["request"]) == ("Hi {{contact_email}}", None)


async def test_a_template_by_its_key(client: Client, called: Services) -> None:
    """Its active version on the channel is sent; a key without one says so in the timeline."""
    key = f"receipt-{new_id()}"
    version = await client.operator.create_template(client.tenant, key, "SMS", "Hello {{contact_name}}, {{code}}")
    direct = event_pb2.DirectMessage(channel=SMS, template_key=key)
    event, (text,) = await _send(client, called, _new(direct, variables=b'{"code":"A1"}'))
    assert text["text"] == "Hello Ada Lovelace, A1"
    queued = next(step for step in event["timeline"] if step["step"] == "queued")
    assert queued["template_version_id"] == version
    event, none = await _send(client, called, _new(event_pb2.DirectMessage(channel=EMAIL, template_key=key)))
    assert none == []
    assert [step["reason"] for step in event["timeline"] if step["step"] == "skipped"] == ["no_active_template"]


async def test_a_content_that_is_no_template(client: Client, called: Services) -> None:
    """The delivery fails, and the timeline says where the fault is."""
    direct = event_pb2.DirectMessage(channel=SMS, content_given=event_pb2.DirectContent(body="Hi {{#if}}"))
    event, none = await _send(client, called, _new(direct))
    assert none == []
    (failed,) = [step for step in event["timeline"] if step["step"] == "failed"]
    assert failed["reason"] == "template_error"
    assert failed["detail"].startswith("body, line 1: ")


async def test_to_people_who_are_stored(client: Client, called: Services) -> None:
    """To all with a tag, each with what is stored of them; and to a contact, who is stored by it."""
    tag, direct = new_id(), event_pb2.DirectMessage(channel=EMAIL)
    direct.content_given.subject, direct.content_given.body = "Hi {{contact_first_name}}", "<p>{{contact_plan}}</p>"
    people = [
        recipients_pb2.StoredRecipient(
            recipient_id=f"{tag}-{name}", email=f"{name}@example.org", name=name, tags=[tag], data=data
        )
        for name, data in (("ada", b'{"plan":"gold"}'), ("bob", b'{"plan":"silver"}'))
    ]
    await called.store_group(client.tenant.id, tag, people)
    new = ingest_pb2.NewEvent(
        event_type="direct.message",
        audience=[event_pb2.Target(tags=event_pb2.TagSet(tags=[tag]))],
        dedupe=ingest_pb2.Dedupe(kind=ingest_pb2.DEDUPE_KIND_NONE),
        direct=direct,
    )
    _, mails = await _send(client, called, new)
    shown = {mail["recipient"]: (mail["subject"], mail["html"]) for mail in mails}
    assert shown == {
        "ada@example.org": ("Hi ada", "<p>gold</p>"),
        "bob@example.org": ("Hi bob", "<p>silver</p>"),
    }
    del new.audience[:]
    person = event_pb2.Recipient(user_id=f"{tag}-eve", email="eve@example.org", name="Eve", data=b'{"plan":"free"}')
    new.audience.add().contact.recipient.CopyFrom(person)
    _, (mail,) = await _send(client, called, new)
    assert (mail["subject"], mail["html"]) == ("Hi Eve", "<p>free</p>")
    # What is stored of her now is known without being said again.
    new.audience[0].contact.recipient.CopyFrom(event_pb2.Recipient(user_id=f"{tag}-eve"))
    _, (mail,) = await _send(client, called, new)
    assert (mail["recipient"], mail["subject"], mail["html"]) == ("eve@example.org", "Hi Eve", "<p>free</p>")


async def test_a_one_time_code(client: Client, called: Services, shared_stack: Running) -> None:
    """It is made, sent as a secret, and entered; of what was sent nothing is stored but what the sandbox received."""
    variables = shared_stack.variables
    router = channel(variables["CLARION_ROUTER_ADDRESS"])
    call, codes = Caller(variables["CLARION_SERVICE_TOKEN"]), codes_pb2_grpc.CodeServiceStub(router)
    try:
        made = await call(
            codes.CreateCode,
            codes_pb2.CreateCodeRequest(tenant_id=client.tenant.id, subject=f"sms:{new_id()}", digits=8),
            deadline=5.0,
        )
        content = event_pb2.DirectContent(body="Your code is {{code}}.{{marker}}")
        direct = event_pb2.DirectMessage(channel=SMS, content_given=content)
        # Found wherever it stands: the code alone may stand anywhere by chance.
        marker = new_id()
        code = f'{{"code":"{made.code}","marker":"{marker}"}}'.encode()
        event, (secret,) = await _send(client, called, _new(direct, variables=code, is_secret=True))
        _, (other,) = await _send(client, called, _new(direct, variables=b'{"code":"public"}'))
        assert (secret["text"], other["text"]) == (f"Your code is {made.code}.{marker}", "Your code is public.")

        async def stored(message: dict[str, Any]) -> dict[str, Any]:
            return dict(await client.operator.must("GET", f"/deliveries/{message['delivery_id']}/content"))

        # What was sent later is stored; so what was sent before would be, too.
        async def is_stored() -> bool:
            return bool((await stored(other))["stored"])

        await until(is_stored, "the other message's content", deadline=30)
        told = await stored(secret)
        assert (told["stored"], told["missing"]) == (False, "secret")
        assert marker not in repr(event)
        forms = searching.spellings(marker)
        url = shared_stack.variables["CLARION_POSTGRES_URL"]

        async def is_forgotten() -> bool:
            return {found.partition(":")[0] for found in await searching.in_tables(url, forms)} == {"senders.outbox"}

        # What the event carried is deleted when the ledger knows that it has ended.
        await until(is_forgotten, "that the secret is in the sandbox alone", deadline=30)
        assert searching.in_files([shared_stack.data / "log"], forms) == set()
        carried = await client.operator.must("GET", f"/events/{event['id']}/body")
        assert (carried["stored"], carried["variables"]) == (False, None)
        assert "secret" in carried["why"]
        checked = await call(
            codes.CheckCode,
            codes_pb2.CheckCodeRequest(
                tenant_id=client.tenant.id, session_token=made.session_token, code=secret["text"][13:21]
            ),
            deadline=5.0,
        )
        assert checked.outcome == codes_pb2.CODE_OUTCOME_VERIFIED
        with pytest.raises(ClarionError) as refused:
            await call(
                codes.RenewCode,
                codes_pb2.RenewCodeRequest(tenant_id=client.tenant.id, session_token=made.session_token),
                deadline=5.0,
            )
        assert refused.value.code is Code.NOT_FOUND
    finally:
        await router.close()
