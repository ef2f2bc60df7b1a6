"""Makes a text message of a delivery, for any provider."""

from clarion.common.v1 import event_pb2
from clarion.render.v1 import render_pb2
from services.delivery.ports import Verdict
from services.domain import addresses
from services.domain.reasons import Reason
from services.domain.sms_limit import too_long
from services.senders.channels.sms.settings import SmsSettings
from services.senders.compose import Unsendable, clean_lines, reference
from services.senders.ports import Sms, TenantProfile


def compose(
    delivery: event_pb2.Delivery, content: render_pb2.Content, tenant: TenantProfile | None, settings: SmsSettings
) -> Sms:
    """Return the message. Raises Unsendable: missing_recipient, invalid_recipient, sms_too_long, tenant_unknown."""
    phone = delivery.recipient.phone
    if not addresses.trimmed(phone):
        raise Unsendable(Reason.MISSING_RECIPIENT, "The recipient has no phone number.")
    try:
        number = addresses.parse_phone(phone)
    except addresses.InvalidAddress as error:
        raise Unsendable(Reason.INVALID_RECIPIENT, f"The phone number cannot be used: {error}.") from error
    _check_length(content, tenant)
    return Sms(reference(delivery), number, settings.sender, clean_lines(content.text))


def _check_length(content: render_pb2.Content, tenant: TenantProfile | None) -> None:
    """Raise Unsendable for a text with more segments than the tenant allows."""
    if content.sms_segments <= 1:  # every limit allows one
        return
    if tenant is None:
        raise Unsendable(Reason.TENANT_UNKNOWN, "The tenant's configuration has not arrived yet.", Verdict.POSTPONED)
    if detail := too_long(content.sms_segments, content.sms_encoding, tenant.max_sms_segments):
        raise Unsendable(Reason.SMS_TOO_LONG, detail)
