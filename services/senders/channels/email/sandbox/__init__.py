"""E-mail that is stored in the outbox, not sent."""

from typing import Annotated

from services.senders.channels.email.settings import EmailSettings, check_sender
from services.senders.channels.sandbox import PURPOSE, SETUP, Sandbox
from services.senders.described import setting
from services.senders.ports import Email, Kind, Resources


class SandboxEmailSettings(EmailSettings, frozen=True, kw_only=True):
    """All settings have defaults."""

    from_email: Annotated[
        str,
        setting("Sender's address", "The address that stored mail shows if the tenant has no sender of its own."),
    ] = "sandbox@clarion.invalid"
    from_name: Annotated[str, setting("Sender's name", "The name that stored mail shows beside the address.")] = (
        "Clarion sandbox"
    )


def _open(_: SandboxEmailSettings, resources: Resources) -> Sandbox[Email]:
    return Sandbox(resources.recorder.record_email)


KIND = Kind(
    settings=SandboxEmailSettings, open=_open, title="Sandbox", purpose=PURPOSE, setup=SETUP, check=check_sender
)
