"""E-mail over any SMTP server."""

from services.senders.channels.email.smtp.provider import open_smtp
from services.senders.channels.email.smtp.settings import SmtpSettings, check
from services.senders.ports import Kind, MailServer

KIND = Kind(
    settings=SmtpSettings,
    open=open_smtp,
    check=check,
    verbatim=frozenset({"password"}),
    mail_server=lambda settings: MailServer(settings.host, settings.port),
)
