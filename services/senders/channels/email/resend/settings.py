"""Settings of Resend."""

import base64
import binascii
from typing import Annotated

from runtime.settings import Secret
from services.senders.channels.email.settings import EmailSettings, check_sender
from services.senders.channels.http_api import check_key
from services.senders.described import setting

_PREFIX = "whsec_"
# The signature's version, with which some pages show the secret.
_VERSION = "v1,"
# From the Standard Webhooks specification, which Resend's signatures follow.
_MIN_KEY_BYTES = 24


class ResendSettings(EmailSettings, frozen=True, kw_only=True):
    """api_key: "re_…". webhook_secret: "whsec_…", with which Resend signs its delivery reports."""

    api_key: Annotated[
        Secret, setting("API key", "From Resend's page API Keys, with the permission to send.", example="re_123")
    ]
    webhook_secret: Annotated[
        Secret,
        setting(
            "Signing secret of the webhook",
            "Resend shows it on the page of the webhook. Without it delivery reports are refused.",
            example="whsec_…",
        ),
    ] = Secret("")


def check(settings: ResendSettings) -> list[tuple[str, str]]:
    """Return the faults that types do not find."""
    return [*check_sender(settings), *check_key("api_key", settings.api_key)]


def signing_key(secret: str) -> bytes:
    """Return the key that a webhook's secret encodes. Raises ValueError for an invalid secret."""
    encoded = secret.strip().removeprefix(_VERSION).removeprefix(_PREFIX)
    try:
        # Padding may be missing, as with Svix's own libraries.
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError(f"{_PREFIX} and base64 are expected, as the webhook's page shows it") from error
    if len(key) < _MIN_KEY_BYTES:
        raise ValueError(f"it is shorter than {_MIN_KEY_BYTES} bytes")
    return key


def kept_secret(secret: str) -> str:
    """Return the webhook's secret in its usual form. Raises ValueError."""
    return _PREFIX + base64.b64encode(signing_key(secret)).decode()
