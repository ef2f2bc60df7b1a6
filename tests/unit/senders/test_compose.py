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
from services.senders.ports import Address, Email, Tenant
from tests.unit.senders.builders import TENANT, delivery

_CONTENT = render_pb2.Content(subject="Hello", text="text", html="<p>html</p>")
_TENANT = Tenant(TENANT)
_SETTINGS = EmailSettings(from_email="noreply@relay.example", from_name="Relay")


def _compose(
    to: str = "ada@example.org", content: render_pb2.Content = _CONTENT, tenant: Tenant | None = _TENANT
) -> Email:
    return email_message.compose(delivery(email=to), content, tenant, _SETTINGS)


def test_the_tenant_is_the_sender() -> None:
    """Name, address and Reply-To are the tenant's."""
    message = _compose(tenant=Tenant(TENANT, "Acorn", "orders@acorn.example", "help@acorn.example"))
    assert (message.sender_name, str(message.sender)) == ("Acorn", "orders@acorn.example")
    assert message.reply_to == Address("help", "acorn.example")


def test_the_provider_is_the_sender_where_the_tenant_says_nothing() -> None:
    """A tenant without a sender of its own uses the provider's."""
    message = _compose()
    assert (message.sender_name, str(message.sender)) == ("Relay", "noreply@relay.example")
    assert message.reply_to is None


def test_an_unknown_tenant_waits() -> None:
    """Rather late than under the provider's name."""
    with pytest.raises(Unsendable) as caught:
        _compose(tenant=None)
    assert (caught.value.reason, caught.value.verdict) == ("tenant_unknown", Verdict.POSTPONED)


def test_the_message_id_is_the_same_for_every_attempt() -> None:
    """It is derived from the delivery's id."""
    order = delivery()
    first = email_message.compose(order, _CONTENT, Tenant(TENANT), _SETTINGS)
    order.attempt = 5
    again = email_message.compose(order, _CONTENT, Tenant(TENANT), _SETTINGS)
    assert first.message_id == again.message_id == f"<{order.id}@relay.example>"


@pytest.mark.parametrize(
    ("to", "recipient"),
    [
        (" ada@example.org\n", Address("ada", "example.org")),
        ("jose\u0301@bücher.example.", Address("josé", "xn--bcher-kva.example")),
    ],
)
def test_addresses_people_write(to: str, recipient: Address) -> None:
    """The provider is given their one form."""
    message = _compose(to=to)
    assert message.recipient == recipient
    assert message.recipient.needs_smtputf8 is not recipient.local.isascii()


@pytest.mark.parametrize("to", ["", "  ", "\u200b\u00a0"])
def test_no_address(to: str) -> None:
    """Nobody to write to."""
    with pytest.raises(Unsendable, match="missing_recipient"):
        _compose(to=to)


def test_malformed_addresses() -> None:
    """The recipient's and the sender's are told apart."""
    with pytest.raises(Unsendable, match="invalid_recipient"):
        _compose(to="ada@example.org\r\nBcc: eve@example.org")
    with pytest.raises(Unsendable, match="invalid_sender"):
        _compose(tenant=Tenant(TENANT, sender_email="nobody"))
    with pytest.raises(Unsendable, match="invalid_sender"):
        _compose(tenant=Tenant(TENANT, reply_to="a@b\nBcc: eve@example.org"))


def test_line_ends_never_get_into_a_header() -> None:
    """Subject and names become one line, whatever kind of line end they hold."""
    content = render_pb2.Content(subject="Hi\r\nBcc: eve@example.org\u2028x\x85y\x0bz", text="t")
    message = _compose(content=content, tenant=Tenant(TENANT, sender_name="A\r\nBcc: eve@example.org"))
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
