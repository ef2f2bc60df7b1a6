"""The sandbox's memory on real PostgreSQL."""

import asyncio
import dataclasses
from typing import Any

import asyncpg
import pytest

from clarion.common.v1 import event_pb2
from clarion.senders.v1 import senders_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from runtime.parts import PartAway
from services.senders.outbox import SandboxOutbox
from services.senders.ports import Address, Sms
from services.senders.servicer import OutboxServicer
from tests.conftest import PostgresServer
from tests.integration.senders.conftest import OpenSmtp
from tests.integration.senders.mail_servers import Catcher, serving
from tests.unit.senders import builders
from tests.waiting import eventually

CONTEXT: Any = None  # the servicers do not look at it


async def _page(outbox: SandboxOutbox, **filters: Any) -> senders_pb2.ListMessagesResponse:
    return await OutboxServicer(outbox).ListMessages(senders_pb2.ListMessagesRequest(**filters), CONTEXT)


async def test_thousands_in_a_few_statements(outbox: SandboxOutbox, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """5,000 text messages at once are 5,000 rows, written in groups of up to 500."""
    messages = [builders.sms(f"text {number}") for number in range(5000)]
    await asyncio.gather(*[outbox.record_sms(message) for message in messages])
    rows = await pool.fetch("SELECT delivery_id, body_text, recorded_at FROM senders.outbox")
    assert {(str(row["delivery_id"]), row["body_text"]) for row in rows} == {
        (message.reference.delivery_id, message.text) for message in messages
    }
    assert len(rows) == 5000
    # now() is the same within a statement.
    assert len({row["recorded_at"] for row in rows}) <= 12


async def test_text_message_as_it_is_shown(outbox: SandboxOutbox) -> None:
    """Every field that an SMS has."""
    message = dataclasses.replace(builders.sms("Grüße 💚"), sender="ACORN")
    await outbox.record_sms(message)
    (shown,) = (await _page(outbox)).messages
    assert shown.recorded_at_us > 0
    assert shown == senders_pb2.OutboxMessage(
        id=shown.id,
        tenant_id=message.reference.tenant_id,
        delivery_id=message.reference.delivery_id,
        event_id=message.reference.event_id,
        channel=event_pb2.CHANNEL_SMS,
        recipient="+254712345678",
        sender="ACORN",
        text="Grüße 💚",
        recorded_at_us=shown.recorded_at_us,
        via="sandbox",
        trace_id="trace-1",
    )


async def test_email_as_it_is_shown(outbox: SandboxOutbox) -> None:
    """HTML only when asked for one message; long texts are cut in the list."""
    message = builders.email(text="x" * 3000, reply_to=Address("help", "acorn.example"))
    await outbox.record_email(message)
    (listed,) = (await _page(outbox)).messages
    assert (listed.html, len(listed.text)) == ("", 2000)
    request = senders_pb2.GetMessageRequest(message_id=listed.id)
    whole = (await OutboxServicer(outbox).GetMessage(request, CONTEXT)).message
    assert (whole.html, whole.text, whole.subject) == (message.html, message.text, message.subject)
    assert (whole.sender, whole.reply_to) == ("Acorn Shop <orders@acorn.example>", "help@acorn.example")
    assert (whole.channel, whole.via) == (event_pb2.CHANNEL_EMAIL, "sandbox")


async def test_pages_and_filters(outbox: SandboxOutbox) -> None:
    """Newest first, page by page, without gaps or repeats; by tenant, event and channel."""
    messages = []
    for number in range(25):
        message = builders.sms(str(number))
        reference = dataclasses.replace(message.reference, tenant_id=f"tenant-{number % 2}")
        messages.append(Sms(reference, message.recipient, "", message.text))
        await outbox.record_sms(messages[-1])
    await outbox.record_email(builders.email())
    texts, cursor = [], ""
    while True:
        page = await _page(outbox, channel=event_pb2.CHANNEL_SMS, limit=10, cursor=cursor)
        texts += [one.text for one in page.messages]
        cursor = page.next_cursor
        if not cursor:
            break
    assert texts == [str(number) for number in reversed(range(25))]
    of_tenant = await _page(outbox, tenant_id="tenant-1", limit=1000)
    assert [one.text for one in of_tenant.messages] == [str(number) for number in reversed(range(1, 25, 2))]
    event_id = messages[3].reference.event_id
    assert [one.text for one in (await _page(outbox, event_id=event_id)).messages] == ["3"]
    assert not (await _page(outbox, event_id=event_id, tenant_id="tenant-0")).messages
    assert not (await _page(outbox, event_id=event_id, channel=event_pb2.CHANNEL_EMAIL)).messages


@pytest.mark.parametrize("filters", [{"event_id": "no-id"}, {"event_id": new_id()}, {"tenant_id": "nobody"}])
async def test_nothing_found(outbox: SandboxOutbox, filters: dict[str, str]) -> None:
    """An empty list, not an error."""
    await outbox.record_sms(builders.sms())
    assert not (await _page(outbox, **filters)).messages


@pytest.mark.parametrize("filters", [{"cursor": "x"}, {"cursor": "9" * 30}, {"limit": 1001}, {"limit": -1}])
async def test_wrong_paging(outbox: SandboxOutbox, filters: dict[str, Any]) -> None:
    """Refused as INVALID."""
    with pytest.raises(ClarionError) as caught:
        await _page(outbox, **filters)
    assert caught.value.code is Code.INVALID


@pytest.mark.parametrize("message_id", ["", "1", "x", "-1", "9" * 18, "9" * 40])
async def test_no_such_message(outbox: SandboxOutbox, message_id: str) -> None:
    """NOT_FOUND, whatever is asked for."""
    with pytest.raises(ClarionError) as caught:
        await OutboxServicer(outbox).GetMessage(senders_pb2.GetMessageRequest(message_id=message_id), CONTEXT)
    assert caught.value.code is Code.NOT_FOUND


async def test_one_bad_message_spoils_no_group(outbox: SandboxOutbox, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """A message that PostgreSQL or its driver refuses does not affect the others."""
    good = [builders.sms(str(number)) for number in range(40)]
    zero = builders.sms("a\x00b")
    no_id = Sms(dataclasses.replace(builders.reference(), event_id="no-id"), "+254712345678", "", "x")
    batch = [*good[:20], zero, *good[20:], no_id]
    results = await asyncio.gather(*[outbox.record_sms(one) for one in batch], return_exceptions=True)
    failures = [(index, result) for index, result in enumerate(results) if result is not None]
    assert [index for index, _ in failures] == [20, 41]
    assert all(isinstance(failure, ClarionError) and failure.code is Code.INVALID for _, failure in failures)
    assert await pool.fetchval("SELECT count(*) FROM senders.outbox") == 40


async def test_database_away(outbox: SandboxOutbox, postgres_server: PostgresServer) -> None:
    """UNAVAILABLE within seconds, and it works again when the database is back."""
    await outbox.record_sms(builders.sms())
    postgres_server.kill()
    try:
        with pytest.raises(ClarionError) as caught:
            await outbox.record_sms(builders.sms())
        with pytest.raises(ClarionError) as unread:
            await _page(outbox)
    finally:
        postgres_server.start()
    assert {caught.value.code, unread.value.code} == {Code.UNAVAILABLE}

    async def is_recorded() -> bool:
        try:
            await outbox.record_sms(builders.sms())
        except PartAway:  # whose turn it is to try the database again is not decided yet
            return False
        return True

    await eventually(is_recorded)
    assert len((await _page(outbox)).messages) == 2


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("Thank you.\n\n  Grüße 💚\n.\nend\n", "<p>Thank <b>you</b> &amp; bye</p>\n"),
        ("only text ", ""),
        ("", "<p>only html</p>"),
        ("=\n=20 \ntrailing   \n\n", "<p>" + "long " * 500 + "</p>"),
    ],
)
async def test_over_smtp_into_the_outbox(outbox: SandboxOutbox, open_smtp: OpenSmtp, text: str, html: str) -> None:
    """A mail that was built, sent over a real server and recorded has the same text, HTML and ids."""
    catcher = Catcher()
    message = builders.email(text=text, html=html, subject="Größe", reply_to=Address("help", "acorn.example"))
    async with serving(catcher) as port:
        await open_smtp(port).send(message)
    envelope = catcher.envelopes[0]
    assert isinstance(envelope.content, bytes)
    request = senders_pb2.RecordMailRequest(
        raw=envelope.content, envelope_sender=envelope.mail_from or "", envelope_recipients=envelope.rcpt_tos
    )
    await OutboxServicer(outbox).RecordMail(request, CONTEXT)
    (listed,) = (await _page(outbox, event_id=message.reference.event_id)).messages
    whole = await outbox.get(listed.id)
    # A single part ends where the mail ends, and a mail always ends with a line end.
    extra = "\n" if not (text and html) else ""
    assert (whole.text, whole.html) == (text + extra if text else "", html + extra if html else "")
    assert (whole.subject, whole.via, whole.channel) == ("Größe", "smtp", event_pb2.CHANNEL_EMAIL)
    assert (whole.tenant_id, whole.delivery_id) == (message.reference.tenant_id, message.reference.delivery_id)
    assert (whole.recipient, whole.reply_to) == ("ada@example.org", "help@acorn.example")


async def test_mail_to_several(outbox: SandboxOutbox) -> None:
    """One row per recipient of the envelope; a mail that Clarion did not make has no event."""
    request = senders_pb2.RecordMailRequest(
        raw=b"Subject: hi\r\n\r\nhello\r\n", envelope_sender="a@b", envelope_recipients=["c@d", "e@f"]
    )
    await OutboxServicer(outbox).RecordMail(request, CONTEXT)
    listed = (await _page(outbox)).messages
    assert {(one.recipient, one.sender, one.text, one.event_id) for one in listed} == {
        ("c@d", "a@b", "hello\n", ""),
        ("e@f", "a@b", "hello\n", ""),
    }


@pytest.mark.parametrize(
    "request_",
    [
        senders_pb2.RecordMailRequest(raw=b"x" * (1024 * 1024 + 1)),
        senders_pb2.RecordMailRequest(raw=b"x", envelope_recipients=["a@b"] * 101),
        senders_pb2.RecordMailRequest(raw=b"Content-Type: message/rfc822\r\n\r\n" * 20_000),
    ],
    ids=["large", "many", "deep"],
)
async def test_mail_refused(outbox: SandboxOutbox, request_: senders_pb2.RecordMailRequest) -> None:
    """Too large, too many, too deep: INVALID."""
    with pytest.raises(ClarionError) as caught:
        await OutboxServicer(outbox).RecordMail(request_, CONTEXT)
    assert caught.value.code is Code.INVALID
