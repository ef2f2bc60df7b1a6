"""What is stored of an attempt, and what people read of it: nothing is lost, nothing is added."""

import json

import pytest

from clarion.common.v1 import event_pb2
from clarion.render.v1 import render_pb2
from clarion.senders.v1 import contents_pb2
from runtime.ids import derived_id_at, new_id
from runtime.settings import Secret
from services.delivery.ports import Handed
from services.senders.channels.email import mime
from services.senders.channels.email.resend import api as resend
from services.senders.channels.email.resend.settings import ResendSettings
from services.senders.channels.email.sendgrid import api as sendgrid
from services.senders.channels.email.sendgrid.settings import SendgridSettings
from services.senders.contents import capture, read
from services.senders.contents.ports import Captured, StoredRow
from services.senders.ports import Address, Email, HttpRequest, Sms
from tests.unit.senders import builders

_TEXT = render_pb2.Content(sms_segments=2, sms_encoding="UCS-2")
_NOW_US = 1_770_000_000_000_000


def _captured(message: Email | Sms, handed: Handed | None, content: render_pb2.Content = _TEXT) -> Captured:
    delivery, reference = builders.delivery(), message.reference
    delivery.event_id, delivery.id = reference.event_id, reference.delivery_id
    return capture.of_message(delivery, content, message, handed, "kind", "p1", _NOW_US)


def _read(one: Captured, *, with_source: bool = False) -> contents_pb2.SentContent:
    (row,) = capture.rows([one])
    stored = StoredRow(
        row.event_id,
        row.delivery_id,
        event_pb2.Channel.ValueType(row.channel),
        row.replay,
        row.attempt,
        row.captured_us,
        row.packing,
        row.content,
    )
    return read.shown(stored, one.tenant_id, with_source=with_source)


def _handed(request: HttpRequest) -> Handed:
    return Handed(request.body, request.url, request.headers)


def test_a_mail_server_got_these_bytes() -> None:
    """The file is them, and headers, parts and texts are read from them."""
    mail = builders.email(
        subject="Grüße, “Ada”", html="<p>" + "Zwölf Boxkämpfer. " * 200 + "</p>", reply_to=Address("help", "a.example")
    )
    raw = mime.to_bytes(mail)
    sent = _read(_captured(mail, Handed(raw)), with_source=True)
    assert sent.mail.source == raw
    assert (sent.size_bytes, sent.mail.is_composed, sent.HasField("request")) == (len(raw), False, False)
    assert (sent.mail.subject, sent.mail.html, sent.mail.text) == (mail.subject, mail.html, mail.text)
    assert (sent.mail.sender, sent.mail.recipient) == ("Acorn Shop <orders@acorn.example>", "ada@example.org")
    assert [part.content_type for part in sent.mail.parts] == ["text/plain", "text/html"]
    assert ("Subject", mail.subject) in [(header.name, header.value) for header in sent.mail.headers]
    assert _read(_captured(mail, Handed(raw))).mail.source == b""


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ('<p class="x">Hello “Ada” 😀</p>', "Hello\n\tAda\\"),
        ("<p>same</p>", "<p>same</p>"),
        ("", "only text"),
        ("<p>only html</p>", ""),
        ("<p>long</p>" * 20_000, "long"),
        ('"', '"type"'),
    ],
)
@pytest.mark.parametrize("kind", ["resend", "sendgrid"])
def test_a_providers_api_got_this_request(kind: str, html: str, text: str) -> None:
    """Byte by byte, although its texts are stored once; the file is composed of the same parts."""
    mail = builders.email(html=html, text=text)
    if kind == "resend":
        settings = ResendSettings(api_key=Secret("re_key"), from_email="a@acorn.example")
        request = resend.request(settings, "https://api.example", mail)
    else:
        settings_ = SendgridSettings(api_key=Secret("SG.key"), from_email="a@acorn.example")
        request = sendgrid.request(settings_, "https://api.example", mail)
    one = _captured(mail, _handed(request))
    sent = _read(one, with_source=True)
    assert sent.request.body == request.body
    assert json.loads(sent.request.body)["subject"] == mail.subject
    assert (sent.mail.is_composed, sent.mail.source) == (True, mime.to_bytes(mail))
    assert (sent.mail.html, sent.mail.text) == (html, text)
    assert sent.size_bytes == len(request.body)


def test_texts_are_not_stored_twice() -> None:
    """A request of an e-mail takes little more than the e-mail."""
    mail = builders.email(html="".join(f"<p>{number * 7919}</p>" for number in range(2_000)))
    settings = ResendSettings(api_key=Secret("re_key"), from_email="a@acorn.example")
    request = resend.request(settings, "https://api.example", mail)
    with_request = capture.rows([_captured(mail, _handed(request))])[0].content
    without = capture.rows([_captured(mail, None)])[0].content
    assert len(with_request) < len(without) + 500 < len(mail.html)


def test_a_text_message() -> None:
    """With its sender and what it is billed as."""
    message = Sms(builders.reference(), "+254712345678", "ACORN", "Hello 😀")
    sent = _read(_captured(message, None))
    assert (sent.text.sender, sent.text.recipient, sent.text.text) == ("ACORN", "+254712345678", "Hello 😀")
    assert (sent.text.segments, sent.text.encoding) == (2, "UCS-2")
    assert sent.captured_at_us == _NOW_US


def test_of_one_attempt_the_last_provider_stays() -> None:
    """After a failover two providers had the attempt; another attempt is another row."""
    first = _captured(builders.sms("one"), None)
    second = first._replace(message=builders.sms("two"), provider_id="p2")
    third = first._replace(attempt=2)
    rows = capture.rows([first, second, third])
    assert [row.attempt for row in rows] == [1, 2]
    assert capture.unpacked(rows[0].packing, rows[0].content).provider_id == "p2"


def test_only_what_erasures_find_is_stored() -> None:
    """An id of an early version does not begin with its event's time."""
    one, event_id = _captured(builders.sms(), None), new_id()
    assert capture.is_storable(one._replace(event_id=event_id, delivery_id=derived_id_at(event_id, event_id)))
    assert not capture.is_storable(one._replace(delivery_id=builders.delivery().id))
