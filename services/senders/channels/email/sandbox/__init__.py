"""E-mail that is stored in the outbox, not sent."""

from services.senders.channels.email.settings import EmailSettings, check_sender
from services.senders.channels.sandbox import Sandbox
from services.senders.ports import Email, Kind, Resources


class SandboxEmailSettings(EmailSettings, frozen=True, kw_only=True):
    """All settings have defaults."""

    from_email: str = "sandbox@clarion.invalid"
    from_name: str = "Clarion sandbox"


def _open(_: SandboxEmailSettings, resources: Resources) -> Sandbox[Email]:
    return Sandbox(resources.recorder.record_email)


KIND = Kind(settings=SandboxEmailSettings, open=_open, check=check_sender)
