"""Makes an e-mail of a delivery, for any provider."""

from datetime import UTC, datetime

from clarion.common.v1 import event_pb2
from clarion.render.v1 import render_pb2
from services.delivery.ports import Verdict
from services.domain import addresses
from services.domain.reasons import Reason
from services.senders.channels.email.settings import EmailSettings
from services.senders.compose import Unsendable, clean_lines, one_line, reference
from services.senders.ports import Address, Email, TenantProfile

_MAX_NAME = 256


def compose(
    delivery: event_pb2.Delivery, content: render_pb2.Content, tenant: TenantProfile | None, settings: EmailSettings
) -> Email:
    """Return the e-mail.

    Raises Unsendable: missing_recipient, invalid_recipient, invalid_sender, tenant_unknown,
    sender_not_allowed.
    """
    if not addresses.trimmed(delivery.recipient.email):
        raise Unsendable(Reason.MISSING_RECIPIENT, "The recipient has no e-mail address.")
    recipient = _parsed(delivery.recipient.email, Reason.INVALID_RECIPIENT, "The recipient's address")
    if tenant is None:
        # It waits, because the provider's name may not be the tenant's.
        raise Unsendable(Reason.TENANT_UNKNOWN, "The tenant's configuration has not arrived yet.", Verdict.POSTPONED)
    # What a direct message says comes before the tenant's own; of others it is empty.
    own = delivery.direct
    sender_email = own.sender_email or tenant.sender_email or settings.from_email
    sender = _parsed(sender_email, Reason.INVALID_SENDER, "The sender's address")
    if own.sender_email and not _may_send_as(sender, tenant, settings):
        detail = f"The message names {sender} as its sender, which is not an address of the tenant's domain."
        raise Unsendable(Reason.SENDER_NOT_ALLOWED, detail, Verdict.SKIPPED)
    replies = own.reply_to or tenant.reply_to
    reply_to = _parsed(replies, Reason.INVALID_SENDER, "The address for replies") if replies else None
    return Email(
        reference=reference(delivery),
        sender_name=one_line(own.sender_name or tenant.sender_name or settings.from_name)[:_MAX_NAME],
        sender=sender,
        reply_to=reply_to,
        recipient=recipient,
        subject=one_line(content.subject),
        text=clean_lines(content.text),
        html=clean_lines(content.html),
        message_id=f"<{one_line(delivery.id)}@{sender.domain}>",
        date=datetime.now(UTC),
    )


def _may_send_as(sender: Address, tenant: TenantProfile, settings: EmailSettings) -> bool:
    """Return whether a message of the tenant may name this sender itself.

    The account at the provider may serve several tenants, so it would let one write in another's name.
    """
    if settings.any_sender or str(sender).lower() == settings.from_email.lower():
        return True
    own = tenant.sender_email
    domain = _parsed(own, Reason.INVALID_SENDER, "The tenant's address").domain if own else ""
    return sender.domain.lower() == domain.lower()


def _parsed(text: str, reason: str, what: str) -> Address:
    try:
        local, _, domain = addresses.parse_email(text).rpartition("@")
    except addresses.InvalidAddress as error:
        raise Unsendable(reason, f"{what} cannot be used: {error}.") from error
    return Address(local, domain)
