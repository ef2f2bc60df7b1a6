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
        "administrator of the server. A server on this machine or in a private network must be allowed by an operator: "
        "CLARION_EGRESS_ALLOW=127.0.0.1:1025 in the environment in which Clarion starts."
    ),
    check=check,
    verbatim=frozenset({"password"}),
    mail_server=lambda settings: MailServer(settings.host, settings.port),
)
