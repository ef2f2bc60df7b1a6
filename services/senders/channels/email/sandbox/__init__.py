"""E-mail that is kept, not sent: see the outbox."""

from services.senders.channels.email.settings import EmailSettings, check_sender
from services.senders.channels.sandbox import Sandbox
from services.senders.ports import Email, Kind, Resources


class SandboxEmailSettings(EmailSettings, frozen=True, kw_only=True):
    """Nothing is needed."""

    from_email: str = "sandbox@clarion.invalid"
    from_name: str = "Clarion sandbox"


def _open(_: SandboxEmailSettings, resources: Resources) -> Sandbox[Email]:
    return Sandbox(resources.recorder.record_email)


KIND = Kind(settings=SandboxEmailSettings, open=_open, check=check_sender)
