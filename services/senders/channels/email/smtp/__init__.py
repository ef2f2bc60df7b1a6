"""E-mail over any SMTP server."""

from services.senders.channels.email.smtp.provider import open_smtp
from services.senders.channels.email.smtp.settings import SmtpSettings, check
from services.senders.ports import Kind, MailServer

KIND = Kind(
    settings=SmtpSettings,
    open=open_smtp,
    title="SMTP server",
    purpose="Sends e-mail over any SMTP server: your own, or that of a mail service.",
    setup=(
        "Take server, port, encryption, user name and password from the page of your mail service, or from the "
        "administrator of the server. A server in a private network must be allowed in CLARION_EGRESS_ALLOW."
    ),
    check=check,
    verbatim=frozenset({"password"}),
    mail_server=lambda settings: MailServer(settings.host, settings.port),
)
