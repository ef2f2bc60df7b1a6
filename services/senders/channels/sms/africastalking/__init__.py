"""Text messages over Africa's Talking's API."""

from services.senders.channels.sms.africastalking.api import open_africastalking
from services.senders.channels.sms.africastalking.settings import AfricasTalkingSettings, check
from services.senders.ports import Kind

KIND = Kind(settings=AfricasTalkingSettings, open=open_africastalking, check=check, reports=True)
