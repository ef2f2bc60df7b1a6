"""From a delivery to a text message that any provider can take."""

import re

from clarion.common.v1 import event_pb2
from clarion.render.v1 import render_pb2
from services.delivery.ports import Verdict
from services.not_sent import sms_too_long
from services.senders.channels.sms.settings import SmsSettings
from services.senders.compose import Unsendable, clean_lines, reference
from services.senders.ports import Sms, Tenant

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
# What people put between digits to read them.
_READABLE = str.maketrans("", "", " -.()\u00a0")


def compose(
    delivery: event_pb2.Delivery, content: render_pb2.Content, tenant: Tenant | None, settings: SmsSettings
) -> Sms:
    """Return the message. Raises Unsendable: missing_recipient, invalid_recipient, sms_too_long, tenant_unknown."""
    phone = delivery.recipient.phone
    if not phone.strip():
        raise Unsendable("missing_recipient", "The recipient has no phone number.")
    number = phone.translate(_READABLE)
    if not _E164.fullmatch(number):
        raise Unsendable("invalid_recipient", "The phone number is not in E.164 form, such as +254712345678.")
    _check_length(content, tenant)
    return Sms(reference(delivery), number, settings.sender, clean_lines(content.text))


def _check_length(content: render_pb2.Content, tenant: Tenant | None) -> None:
    """Raise Unsendable for a text that would be billed as more messages than the tenant wants to pay for."""
    if content.sms_segments <= 1:  # nobody's limit is less
        return
    if tenant is None:
        raise Unsendable("tenant_unknown", "The tenant's configuration has not arrived yet.", Verdict.POSTPONED)
    if refused := sms_too_long(content.sms_segments, content.sms_encoding, tenant.max_sms_segments):
        raise Unsendable(refused.reason, refused.detail)
