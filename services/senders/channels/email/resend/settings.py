"""What Resend is told."""

from runtime.settings import Secret
from services.senders.channels.email.settings import EmailSettings, check_sender
from services.senders.channels.http_api import check_key


class ResendSettings(EmailSettings, frozen=True, kw_only=True):
    """api_key: "re_…". webhook_secret: "whsec_…", what Resend signs its delivery reports with."""

    api_key: Secret
    webhook_secret: Secret = Secret("")


def check(settings: ResendSettings) -> list[tuple[str, str]]:
    """Return what is wrong beyond types."""
    return [*check_sender(settings), *check_key("api_key", settings.api_key)]
