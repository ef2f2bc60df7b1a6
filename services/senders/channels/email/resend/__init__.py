"""E-mail over Resend's API."""

from services.senders.channels.email.resend.api import open_resend
from services.senders.channels.email.resend.settings import ResendSettings, check, kept_secret
from services.senders.ports import Kind

KIND = Kind(settings=ResendSettings, open=open_resend, check=check, reports=True, keys={"webhook_secret": kept_secret})
