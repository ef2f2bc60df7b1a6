"""Settings of an SMTP server."""

import ipaddress
import re
import ssl
from typing import Annotated, Literal

import msgspec

from runtime.settings import Secret
from services.senders.channels.email.settings import EmailSettings, check_sender
from services.senders.described import setting

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*\.?")


class SmtpSettings(EmailSettings, frozen=True, kw_only=True):
    """tls: "none", "starttls" (and never without) or "tls" from the first byte.

    ca_certificate: PEM; if given, the server's certificate must come from it, else from a public authority.
    ehlo: the name that Clarion gives in EHLO; empty: this machine's. max_connections: most at a time, in each process.
    """

    host: Annotated[str, setting("Server", "The name or IP address of the mail server.", example="smtp.example.com")]
    port: Annotated[
        int,
        msgspec.Meta(ge=1, le=65535),
        setting("Port", "Usually 587 with starttls, 465 with tls, and 25 between mail servers.", is_early=True),
    ] = 587
    username: Annotated[str, setting("User name", "Empty if the server wants no login.", example="mailer")] = ""
    password: Annotated[Secret, setting("Password", "It goes together with the user name.")] = Secret("")
    tls: Annotated[
        Literal["none", "starttls", "tls"],
        setting(
            "Encryption",
            "starttls: the connection is encrypted before anything is sent, or not used. tls: encrypted from the first "
            "byte. none: only for a server in your own network.",
        ),
    ] = "starttls"
    ca_certificate: Annotated[
        str,
        setting(
            "Certificate authority",
            "PEM. If it is set, the server's certificate must come from it. Empty: from a public authority.",
            example="-----BEGIN CERTIFICATE-----",
            is_long=True,
        ),
    ] = ""
    ehlo: Annotated[
        str,
        setting(
            "Own name",
            "The name with which Clarion greets the server. Empty: the name of its machine.",
            example="mail.acorn.example",
        ),
    ] = ""
    max_connections: Annotated[
        int,
        msgspec.Meta(ge=1, le=100),
        setting("Connections", "The most connections at a time, in each process that sends."),
    ] = 16


def check(settings: SmtpSettings) -> list[tuple[str, str]]:
    """Return the faults that types do not find."""
    faults = check_sender(settings)
    if not _is_host(settings.host):
        faults.append(("host", "This is not a host name or an IP address."))
    if settings.ehlo and not _NAME.fullmatch(settings.ehlo):
        faults.append(("ehlo", "This is not a host name."))
    if bool(settings.username) != bool(settings.password.reveal()):
        faults.append(("password" if settings.username else "username", "User name and password go together."))
    if settings.ca_certificate:
        try:
            ssl.create_default_context(cadata=settings.ca_certificate)
        except (ssl.SSLError, ValueError):
            faults.append(("ca_certificate", "This is not a PEM certificate."))
    return faults


def _is_host(text: str) -> bool:
    if _NAME.fullmatch(text):
        return True
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
