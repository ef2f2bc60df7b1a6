"""Text messages over Twilio's API."""

from services.senders.channels.sms.twilio.api import open_twilio
from services.senders.channels.sms.twilio.settings import TwilioSettings, check, kept_token
from services.senders.ports import Kind

KIND = Kind(
    settings=TwilioSettings,
    open=open_twilio,
    title="Twilio",
    purpose="Sends text messages over Twilio.",
    setup=(
        "Take the account SID and the auth token from the first page of Twilio's console. "
        "Enter a number that you have there as the sender, or the SID of a messaging service."
    ),
    report_setup=(
        "Enter the callback URL as the status callback of the messaging service, or in the setting status callback "
        "here. Reports are verified with the auth token."
    ),
    check=check,
    reports=True,
    keys={"auth_token": kept_token, "shared_key": kept_token},
)
