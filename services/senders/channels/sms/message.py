"""From a delivery to a text message that any provider can take."""

from clarion.common.v1 import event_pb2
from clarion.render.v1 import render_pb2
from services import addresses
from services.senders.channels.sms.settings import SmsSettings
from services.senders.compose import Unsendable, clean_lines, reference
from services.senders.ports import Sms, Tenant


def compose(
    delivery: event_pb2.Delivery, content: render_pb2.Content, _tenant: Tenant | None, settings: SmsSettings
) -> Sms:
    """Return the message. Raises Unsendable: missing_recipient, invalid_recipient."""
    phone = delivery.recipient.phone
    if not addresses.trimmed(phone):
        raise Unsendable("missing_recipient", "The recipient has no phone number.")
    try:
        number = addresses.parse_phone(phone)
    except addresses.InvalidAddress as error:
        raise Unsendable("invalid_recipient", f"The phone number cannot be used: {error}.") from error
    return Sms(reference(delivery), number, settings.sender, clean_lines(content.text))
