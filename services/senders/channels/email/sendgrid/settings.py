"""What SendGrid is told."""

from typing import Literal

from runtime.settings import Secret
from services.senders.channels.email.settings import EmailSettings, check_sender
from services.senders.channels.http_api import check_key


class SendgridSettings(EmailSettings, frozen=True, kw_only=True):
    """api_key: "SG.…". region: where the account's data are kept.

    webhook_public_key: what the signed event webhook shows under "verification key", base64.
    """

    api_key: Secret
    region: Literal["global", "eu"] = "global"
    webhook_public_key: str = ""


def check(settings: SendgridSettings) -> list[tuple[str, str]]:
    """Return what is wrong beyond types."""
    return [*check_sender(settings), *check_key("api_key", settings.api_key)]
