"""E-mail over SendGrid's API."""

from services.senders.channels.email.sendgrid.api import open_sendgrid
from services.senders.channels.email.sendgrid.settings import SendgridSettings, check, kept_key
from services.senders.ports import Kind

KIND = Kind(
    settings=SendgridSettings, open=open_sendgrid, check=check, reports=True, keys={"webhook_public_key": kept_key}
)
