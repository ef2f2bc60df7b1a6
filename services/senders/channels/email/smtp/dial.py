"""Opens a connection to an SMTP server, at an address that the guard has checked."""

import ssl

import aiosmtplib

from runtime.egress import EgressGuard
from services.senders.channels.email.smtp.settings import SmtpSettings


async def dial(
    guard: EgressGuard, settings: SmtpSettings, *, context: ssl.SSLContext | None, command_s: float, own_name: str
) -> aiosmtplib.SMTP:
    """Return a client that the server has greeted, over TLS if the settings say so. The caller closes it.

    The certificate is checked against the host as it is written in the settings, whatever address it leads to. Raises
    AddressNotAllowed (runtime.egress), OSError, ssl.SSLError, what aiosmtplib raises.
    """
    connected = await guard.connect(settings.host, settings.port)
    client = aiosmtplib.SMTP(
        # Certificates name hosts without the final dot.
        hostname=settings.host.removesuffix("."),
        sock=connected,
        timeout=command_s,
        use_tls=settings.tls == "tls",
        start_tls=False,
        tls_context=context,
        local_hostname=own_name,
    )
    try:
        await client.connect()
    except aiosmtplib.SMTPConnectError as error:  # aiosmtplib got a socket, so its message has no port
        error.args = (error.message.replace("port None", f"port {settings.port}"),)
        connected.close()
        raise
    except BaseException:
        client.close()
        connected.close()
        raise
    return client
