"""Settings of Africa's Talking."""

from typing import Annotated

from runtime.settings import Secret
from services.senders.channels.http_api import check_key
from services.senders.channels.sms.settings import SmsSettings
from services.senders.described import setting

SANDBOX = "sandbox"


class AfricasTalkingSettings(SmsSettings, frozen=True, kw_only=True):
    """username: the application's; "sandbox" is their sandbox, which has a host of its own.

    sender: a registered short code or name; empty: theirs. enqueue: let them take the message before they send it.
    """

    username: Annotated[
        str,
        setting(
            "User name",
            'The user name of the application; "sandbox" for the sandbox of Africa\'s Talking.',
            example="acorn",
        ),
    ]
    api_key: Annotated[Secret, setting("API key", "From the application's page Settings, API Key.", example="atsk_…")]
    enqueue: Annotated[
        bool,
        setting("Enqueue", "Africa's Talking takes the message first and sends it later, which suits large numbers."),
    ] = False


def check(settings: AfricasTalkingSettings) -> list[tuple[str, str]]:
    """Return the faults that types do not find."""
    faults = check_key("api_key", settings.api_key)
    if not settings.username.strip():
        faults.append(("username", "The application's user name is needed."))
    return faults
