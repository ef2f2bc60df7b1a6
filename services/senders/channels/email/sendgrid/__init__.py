"""E-mail over SendGrid's API."""

from services.senders.channels.email.sendgrid.api import open_sendgrid
from services.senders.channels.email.sendgrid.settings import SendgridSettings, check, kept_key
from services.senders.ports import Kind

KIND = Kind(
    settings=SendgridSettings,
    open=open_sendgrid,
    title="SendGrid",
    purpose="Sends e-mail over SendGrid's API.",
    setup=(
        "Authenticate your domain at SendGrid under Settings, Sender Authentication. "
        "Then create an API key with the permission Mail Send under Settings, API Keys."
    ),
    report_setup=(
        "Under Settings, Mail Settings, Event Webhooks add the callback URL with the deliverability events, spam "
        "reports and unsubscribes. Turn on Signed Event Webhook and enter its verification key here."
    ),
    check=check,
    reports=True,
    keys={"webhook_public_key": kept_key},
)
