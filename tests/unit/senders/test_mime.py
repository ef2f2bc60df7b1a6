"""An e-mail as bytes, read back by the standard library and by our own parser."""

import email
import email.policy
import re
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.senders.channels.email import mime, parse
from services.senders.compose import clean_lines, one_line
from services.senders.ports import Address
from tests.unit.senders import builders

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)
# Headers that must not be forged, and so many there are.
_HEADERS = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "X-Clarion-Tenant",
    "X-Clarion-Event",
    "X-Clarion-Delivery",
    "MIME-Version",
    "Content-Type",
]


def _read(raw: bytes) -> EmailMessage:
    return email.message_from_bytes(raw, policy=email.policy.default)


def test_text_and_html() -> None:
    """The parts, best last; ids, date and Message-ID in the headers."""
    message = builders.email(reply_to=Address("help", "acorn.example"))
    read = _read(mime.to_bytes(message))
    assert read.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in read.iter_parts()] == ["text/plain", "text/html"]
    assert read["From"] == "Acorn Shop <orders@acorn.example>"
    assert read["Reply-To"] == "help@acorn.example"
    assert read["Message-ID"] == message.message_id
    assert read["Date"].datetime == message.date
    assert read["X-Clarion-Event"] == message.reference.event_id
    assert read["X-Clarion-Delivery"] == message.reference.delivery_id
    assert not read.defects


@pytest.mark.parametrize(
    ("text", "html", "kind"), [("t", "", "text/plain"), ("", "<p>", "text/html"), ("", "", "text/plain")]
)
def test_one_part(text: str, html: str, kind: str) -> None:
    """With only one of them, there is no multipart."""
    read = _read(mime.to_bytes(builders.email(text=text, html=html)))
    assert read.get_content_type() == kind


@given(subject=_TEXT, name=_TEXT, text=_TEXT, html=_TEXT)
def test_what_goes_in_comes_out(subject: str, name: str, text: str, html: str) -> None:
    """Any Unicode in subject, name and both bodies is preserved, and forges no header."""
    subject, name, text, html = one_line(subject), one_line(name), clean_lines(text), clean_lines(html)
    raw = mime.to_bytes(builders.email(subject=subject, sender_name=name, text=text, html=html))
    assert raw.isascii()
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert not re.search(rb"[^\r]\n|\r[^\n]", raw)
    read = _read(raw)
    extra = ["Content-Transfer-Encoding"] if not (text and html) else []
    assert list(read.keys()) == _HEADERS + extra
    assert str(read["Subject"]) == subject
    assert read["From"].addresses[0].addr_spec == "orders@acorn.example"
    parsed = parse.parse(raw)
    assert (parsed.text, parsed.html) == (text, html)


@pytest.mark.parametrize(
    "subject",
    [
        "=?utf-8?q?a=0d=0aBcc:_eve@example.org?=",
        "=?utf-8?b?YQ0KQmNjOiBldmVAZXhhbXBsZS5vcmc=?=",
        "x" * 2000,
        "word " * 300 + "end",
        "Grüße aus Köln, " * 30 + "Ende",
        "👩‍👩‍👧‍👦" * 40,
        'quotes " and \\ and <a@b>, (c)',
    ],
)
def test_subjects_made_to_break_things(subject: str) -> None:
    """Text that looks like an encoded word, endless words and long lines are preserved, and forge no header."""
    raw = mime.to_bytes(builders.email(subject=subject, sender_name=subject[:256]))
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert b"\r\nBcc" not in raw
    read = _read(raw)
    assert list(read.keys()) == _HEADERS
    assert parse.parse(raw).subject == subject


def test_a_local_part_in_another_script() -> None:
    """It stands in the header as UTF-8: the server must know SMTPUTF8."""
    raw = mime.to_bytes(builders.email(recipient=Address("用户", "xn--r8jz45g.jp")))
    assert "To: 用户@xn--r8jz45g.jp\r\n".encode() in raw


def test_the_boundary_never_stands_in_a_body() -> None:
    """A body that holds the boundary is one body."""
    message = builders.email()
    boundary = f"=_{message.reference.delivery_id.replace('-', '')}"
    text = f"--{boundary}\n--{boundary}--\nend"
    forged = builders.email(text=text, html=f"<p>\n--{boundary}--\n")
    parsed = parse.parse(mime.to_bytes(forged))
    assert parsed.text == text


@pytest.mark.parametrize("charset", ["klingon", "idna", "rot13", "a\x00b", ""])
def test_mail_of_strangers(charset: str) -> None:
    """Invalid ids are dropped; unknown charsets and invalid bytes are read as far as possible."""
    raw = (
        b"From: a@b\r\nTo: c@d\r\nX-Clarion-Event: not-an-id\r\n"
        + f"Subject: =?{charset}?b?Y2Fm6Q==?= x\r\n".encode()
        + f'Content-Type: text/plain; charset="{charset}"\r\n\r\n'.encode()
        + b"caf\xe9\x00\r\n"
    )
    parsed = parse.parse(raw)
    assert (parsed.sender, parsed.event_id, parsed.delivery_id) == ("a@b", "", "")
    assert parsed.subject.endswith("x")
    assert parsed.text.startswith("caf")
    assert "\x00" not in parsed.text


@given(st.binary(max_size=2000), st.sampled_from([b"", b"Content-Type: ", b"Subject: ", b"From: a\r\n\r\n"]))
def test_any_bytes_are_read_or_refused(raw: bytes, start: bytes) -> None:
    """No mail crashes the parser."""
    parsed = parse.parse(start + raw)
    for text in (parsed.sender, parsed.subject, parsed.text, parsed.html):
        assert "\x00" not in text
        text.encode()


def test_attachments_are_not_the_text() -> None:
    """The first part that is not an attachment is read."""
    raw = (
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Disposition: attachment\r\n\r\nno\r\n'
        b"--b\r\n\r\nyes\r\n--b\r\n\r\nlate\r\n--b--\r\n"
    )
    assert parse.parse(raw).text == "yes"


def test_headers_in_utf8() -> None:
    """As a server with SMTPUTF8 brings them."""
    raw = "To: 用户@例え.jp\r\nFrom: Zoë <z@x>\r\nSubject: a\r\n\tb\r\n\r\n".encode()
    parsed = parse.parse(raw)
    assert (parsed.to, parsed.sender, parsed.subject) == ("用户@例え.jp", "Zoë <z@x>", "a b")


def test_mail_nested_without_end() -> None:
    """Thousands of nested parts are refused without a crash."""
    raw = b"Content-Type: message/rfc822\r\n\r\n" * 20_000 + b"x"
    with pytest.raises(ValueError, match="nested too deeply"):
        parse.parse(raw)
