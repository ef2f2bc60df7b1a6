"""Text messages over Twilio's API."""

from services.senders.channels.sms.twilio.api import open_twilio
from services.senders.channels.sms.twilio.settings import TwilioSettings, check, kept_token
from services.senders.ports import Kind

KIND = Kind(
    settings=TwilioSettings,
    open=open_twilio,
    check=check,
    reports=True,
    keys={"auth_token": kept_token, "shared_key": kept_token},
)
