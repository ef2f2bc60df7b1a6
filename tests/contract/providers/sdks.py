"""The official SDKs, used as their documentation shows; each returns the provider's id of the message.

They block, so they run in a thread; they are unmodified, hosts included.
"""

import json
import warnings
from typing import Any

from services.senders.ports import Email, Sms

API_KEY = "key-0123456789abcdef"
ACCOUNT_SID = "AC" + "0" * 32
SERVICE_SID = "MG" + "1" * 32
KEY_SID = "SK" + "2" * 32


def resend(message: Email, sender: str, headers: dict[str, str]) -> str:
    """Return Resend's id. sender: as one writes it by hand."""
    import resend as sdk

    sdk.api_key = API_KEY
    params: dict[str, Any] = {
        "from": sender,
        "to": [str(message.recipient)],
        "subject": message.subject,
        "html": message.html,
        "text": message.text,
        "headers": headers,
    }
    if message.reply_to:
        params["reply_to"] = str(message.reply_to)
    options: Any = {"idempotency_key": f"{message.reference.delivery_id}.{message.reference.replay}"}
    made: Any = params
    return str(sdk.Emails.send(made, options)["id"])


def sendgrid(message: Email, region: str, headers: dict[str, str]) -> str:
    """Return SendGrid's id. region: "global" or "eu"."""
    from sendgrid import SendGridAPIClient
    from sendgrid.helpers.mail import From, Header, Mail, ReplyTo

    mail = Mail(
        from_email=From(str(message.sender), message.sender_name),
        to_emails=str(message.recipient),
        subject=message.subject,
        plain_text_content=message.text,
        html_content=message.html,
    )
    if message.reply_to:
        mail.reply_to = ReplyTo(str(message.reply_to))
    for name, value in headers.items():
        mail.header = Header(name, value)
    client = SendGridAPIClient(API_KEY)
    client.set_sendgrid_data_residency(region)
    return str(client.send(mail).headers["X-Message-Id"])


def twilio(message: Sms, **settings: str) -> str:
    """Return Twilio's id. settings: api_key_sid, region, edge, and what the call takes."""
    from twilio.rest import Client

    key = settings.pop("api_key_sid", "")
    region, edge = settings.pop("region", None), settings.pop("edge", None)
    if key:
        client = Client(key, API_KEY, ACCOUNT_SID, region=region, edge=edge)
    else:
        client = Client(ACCOUNT_SID, API_KEY, region=region, edge=edge)
    try:
        return str(client.messages.create(to=message.recipient, body=message.text, **settings).sid)
    finally:
        client.http_client.session.close()


def africastalking(message: Sms, username: str, *, enqueue: bool) -> str:
    """Return Africa's Talking's id."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that WhatsApp, which it sets up too, has no sandbox
        import africastalking as sdk

        sdk.initialize(username, API_KEY)
    answer = sdk.SMS.send(message.text, [message.recipient], sender_id=message.sender or None, enqueue=enqueue)
    said = answer if isinstance(answer, dict) else json.loads(answer)
    return str(said["SMSMessageData"]["Recipients"][0]["messageId"])
