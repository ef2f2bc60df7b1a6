"""E-mail over Resend's API."""

from services.senders.channels.email.resend.api import open_resend
from services.senders.channels.email.resend.settings import ResendSettings, check, kept_secret
from services.senders.ports import Kind

KIND = Kind(
    settings=ResendSettings,
    open=open_resend,
    title="Resend",
    purpose="Sends e-mail over Resend's API.",
    setup=(
        "Verify your domain at Resend, on its page Domains. Then create an API key that may send, on its page API Keys."
    ),
    report_setup=(
        "On Resend's page Webhooks add the callback URL with the events email.delivered, email.bounced, "
        "email.complained, email.failed and email.suppressed. Then enter the signing secret of that webhook here."
    ),
    check=check,
    reports=True,
    keys={"webhook_secret": kept_secret},
)
