"""From a delivery to a message, or to the reason why there is none."""

import pytest

from clarion.common.v1 import event_pb2
from clarion.render.v1 import render_pb2
from services.delivery.ports import Verdict
from services.senders.channels.email import message as email_message
from services.senders.channels.email.settings import EmailSettings
from services.senders.channels.sms import message as sms_message
from services.senders.channels.sms.settings import SmsSettings
from services.senders.compose import Unsendable
from services.senders.ports import Address, Email, TenantProfile
from tests.unit.senders.builders import TENANT, delivery

_CONTENT = render_pb2.Content(subject="Hello", text="text", html="<p>html</p>")
_TENANT = TenantProfile(TENANT)
_SETTINGS = EmailSettings(from_email="noreply@relay.example", from_name="Relay")


def _compose(
    to: str = "ada@example.org", content: render_pb2.Content = _CONTENT, tenant: TenantProfile | None = _TENANT
) -> Email:
    return email_message.compose(delivery(email=to), content, tenant, _SETTINGS)


def test_the_tenant_is_the_sender() -> None:
    """Name, address and Reply-To are the tenant's."""
    message = _compose(tenant=TenantProfile(TENANT, "Acorn", "orders@acorn.example", "help@acorn.example"))
    assert (message.sender_name, str(message.sender)) == ("Acorn", "orders@acorn.example")
    assert message.reply_to == Address("help", "acorn.example")


def test_a_direct_message_names_its_own_sender() -> None:
    """In place of the tenant's, each field by itself."""
    tenant = TenantProfile(TENANT, "Acorn", "orders@acorn.example", "help@acorn.example")
    order = delivery()
    order.direct.sender_email = "ada@acorn.example"
    message = email_message.compose(order, _CONTENT, tenant, _SETTINGS)
    assert (message.sender_name, str(message.sender), str(message.reply_to)) == (
        "Acorn",
        "ada@acorn.example",
        "help@acorn.example",
    )
    order.direct.sender_name, order.direct.reply_to = "Ada\r\nBcc: eve@evil.example", "team@acorn.example"
    message = email_message.compose(order, _CONTENT, tenant, _SETTINGS)
    assert (message.sender_name, str(message.reply_to)) == ("Ada Bcc: eve@evil.example", "team@acorn.example")


@pytest.mark.parametrize(
    ("named", "own", "any_sender", "is_allowed"),
    [
        ("Sales@ACORN.example", "orders@acorn.example", False, True),
        ("ceo@bank.example", "orders@acorn.example", False, False),
        ("orders@evil-acorn.example", "orders@acorn.example", False, False),
        ("orders@mail.acorn.example", "orders@acorn.example", False, False),
        ("noreply@relay.example", "", False, True),
        ("support@relay.example", "", False, False),
        ("ceo@bank.example", "", False, False),
        ("ceo@bank.example", "orders@acorn.example", True, True),
    ],
)
def test_whom_a_direct_message_may_name_as_its_sender(
    named: str, own: str, *, any_sender: bool, is_allowed: bool
) -> None:
    """An address of the tenant's domain, or the provider's own; any other only if the provider's settings say so."""
    order = delivery()
    order.direct.sender_email = named
    settings = EmailSettings(from_email="noreply@relay.example", any_sender=any_sender)
    tenant = TenantProfile(TENANT, sender_email=own)
    if is_allowed:
        sender = str(email_message.compose(order, _CONTENT, tenant, settings).sender)
        assert sender.lower() == named.lower()
    else:
        with pytest.raises(Unsendable) as caught:
            email_message.compose(order, _CONTENT, tenant, settings)
        assert (caught.value.reason, caught.value.verdict) == ("sender_not_allowed", Verdict.SKIPPED)


def test_a_sender_that_is_no_address() -> None:
    """Nothing is sent in its name."""
    order = delivery()
    order.direct.sender_email = "Ada <ada@acorn.example>"
    with pytest.raises(Unsendable) as caught:
        email_message.compose(order, _CONTENT, _TENANT, _SETTINGS)
    assert (caught.value.reason, caught.value.verdict) == ("invalid_sender", Verdict.PERMANENT)


def test_the_provider_is_the_sender_where_the_tenant_says_nothing() -> None:
    """A tenant without a sender of its own uses the provider's."""
    message = _compose()
    assert (message.sender_name, str(message.sender)) == ("Relay", "noreply@relay.example")
    assert message.reply_to is None


def test_an_unknown_tenant_waits() -> None:
    """The mail waits, and is not sent under the provider's name."""
    with pytest.raises(Unsendable) as caught:
        _compose(tenant=None)
    assert (caught.value.reason, caught.value.verdict) == ("tenant_unknown", Verdict.POSTPONED)


def test_the_message_id_is_the_same_for_every_attempt() -> None:
    """It is derived from the delivery's id."""
    order = delivery()
    first = email_message.compose(order, _CONTENT, TenantProfile(TENANT), _SETTINGS)
    order.attempt = 5
    again = email_message.compose(order, _CONTENT, TenantProfile(TENANT), _SETTINGS)
    assert first.message_id == again.message_id == f"<{order.id}@relay.example>"


@pytest.mark.parametrize(
    ("to", "recipient"),
    [
        (" ada@example.org\n", Address("ada", "example.org")),
        ("jose\u0301@bücher.example.", Address("josé", "xn--bcher-kva.example")),
    ],
)
def test_addresses_people_write(to: str, recipient: Address) -> None:
    """The provider gets the one form of an address."""
    message = _compose(to=to)
    assert message.recipient == recipient
    assert message.recipient.needs_smtputf8 is not recipient.local.isascii()


@pytest.mark.parametrize("to", ["", "  ", "\u200b\u00a0"])
def test_no_address(to: str) -> None:
    """A delivery without an address is refused."""
    with pytest.raises(Unsendable, match="missing_recipient"):
        _compose(to=to)


def test_malformed_addresses() -> None:
    """The reason says whether it is the recipient's or the sender's."""
    with pytest.raises(Unsendable, match="invalid_recipient"):
        _compose(to="ada@example.org\r\nBcc: eve@example.org")
    with pytest.raises(Unsendable, match="invalid_sender"):
        _compose(tenant=TenantProfile(TENANT, sender_email="nobody"))
    with pytest.raises(Unsendable, match="invalid_sender"):
        _compose(tenant=TenantProfile(TENANT, reply_to="a@b\nBcc: eve@example.org"))


def test_line_ends_never_get_into_a_header() -> None:
    """Subject and names become one line, whatever kind of line end they hold."""
    content = render_pb2.Content(subject="Hi\r\nBcc: eve@example.org\u2028x\x85y\x0bz", text="t")
    message = _compose(content=content, tenant=TenantProfile(TENANT, sender_name="A\r\nBcc: eve@example.org"))
    assert message.subject == "Hi Bcc: eve@example.org x y z"
    assert message.sender_name == "A Bcc: eve@example.org"


@pytest.mark.parametrize("phone", ["+254712345678", "+254 712 345-678", "+1 (415) 555.2671", "\u202a+254712345678\n"])
def test_sms_numbers_people_write(phone: str) -> None:
    """Blanks and marks between digits and around them are dropped."""
    order = delivery(event_pb2.CHANNEL_SMS, phone=phone)
    message = sms_message.compose(order, render_pb2.Content(text="a\r\nb"), None, SmsSettings(sender="ACORN"))
    assert message.recipient == "+" + "".join(filter(str.isdigit, phone))
    assert (message.text, message.sender, message.reference.delivery_id) == ("a\nb", "ACORN", order.id)


@pytest.mark.parametrize(
    ("segments", "limit", "refused"), [(1, 1, False), (2, 1, True), (10, 10, False), (11, 10, True), (255, 255, False)]
)
def test_a_text_of_too_many_segments_is_not_sent(segments: int, limit: int, *, refused: bool) -> None:
    """Up to the tenant's limit it is sent; above it fails for good, and the detail has both numbers."""
    order = delivery(event_pb2.CHANNEL_SMS, phone="+254712345678")
    content = render_pb2.Content(text="x", sms_segments=segments, sms_encoding="UCS-2")
    tenant = TenantProfile(TENANT, max_sms_segments=limit)
    if not refused:
        assert sms_message.compose(order, content, tenant, SmsSettings()).text == "x"
        return
    with pytest.raises(Unsendable) as caught:
        sms_message.compose(order, content, tenant, SmsSettings())
    assert (caught.value.reason, caught.value.verdict) == ("sms_too_long", Verdict.PERMANENT)
    expected = f"The text would be billed as {segments} segments (UCS-2); the tenant's limit is {limit}."
    assert caught.value.detail == expected


def test_a_long_text_waits_for_its_tenants_limit() -> None:
    """One segment is within any limit; for more, the limit must be known."""
    order = delivery(event_pb2.CHANNEL_SMS, phone="+254712345678")
    assert sms_message.compose(order, render_pb2.Content(text="x", sms_segments=1), None, SmsSettings())
    with pytest.raises(Unsendable) as caught:
        sms_message.compose(order, render_pb2.Content(text="x", sms_segments=2), None, SmsSettings())
    assert (caught.value.reason, caught.value.verdict) == ("tenant_unknown", Verdict.POSTPONED)


@pytest.mark.parametrize(
    ("phone", "reason"),
    [
        ("", "missing_recipient"),
        ("0712345678", "invalid_recipient"),
        ("+0712345678", "invalid_recipient"),
        ("+2547", "invalid_recipient"),
        ("+25471234567890123", "invalid_recipient"),
        (" \u200b", "missing_recipient"),
        ("+254712345678\n+1", "invalid_recipient"),
    ],
)
def test_sms_numbers_refused(phone: str, reason: str) -> None:
    """Only what is E.164 without marks is a number."""
    with pytest.raises(Unsendable, match=reason):
        sms_message.compose(delivery(event_pb2.CHANNEL_SMS, phone=phone), _CONTENT, None, SmsSettings())
