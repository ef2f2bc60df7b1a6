"""Text messages over Africa's Talking's API."""

from services.senders.channels.sms.africastalking.api import open_africastalking
from services.senders.channels.sms.africastalking.settings import AfricasTalkingSettings, check
from services.senders.ports import Kind

KIND = Kind(
    settings=AfricasTalkingSettings,
    open=open_africastalking,
    title="Africa's Talking",
    purpose="Sends text messages over Africa's Talking.",
    setup=(
        "Open your application at Africa's Talking and create an API key under Settings, API Key. "
        "A sender's name or short code must be registered there first."
    ),
    report_setup=(
        "In the application open SMS, SMS Callback URLs, Delivery Reports, and enter the callback URL. "
        "Reports are not signed, so keep the URL secret."
    ),
    check=check,
    reports=True,
)
