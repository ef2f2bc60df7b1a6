"""Text messages that are stored in the outbox, not sent."""

from services.senders.channels.sandbox import PURPOSE, SETUP, Sandbox
from services.senders.channels.sms.settings import SmsSettings
from services.senders.ports import Kind, Resources, Sms


def _open(_: SmsSettings, resources: Resources) -> Sandbox[Sms]:
    return Sandbox(resources.recorder.record_sms)


KIND = Kind(settings=SmsSettings, open=_open, title="Sandbox", purpose=PURPOSE, setup=SETUP)
