"""One tenant's SMTP server."""

import asyncio
import base64
import dataclasses
import re

import aiosmtplib

from runtime import tracing
from runtime.egress import EgressGuard
from runtime.printable import printable
from services.delivery.ports import Handed, SendResult, Verdict
from services.domain.reasons import Reason
from services.senders.channels.email import mime
from services.senders.channels.email.smtp.classify import PROVIDER, SmtpPhase, classify, ends_connection
from services.senders.channels.email.smtp.pool import FAILURES, SmtpConnection, SmtpPool, SmtpProgress
from services.senders.channels.email.smtp.settings import SmtpSettings
from services.senders.fair_semaphore import WAIT_S
from services.senders.ports import Email, Resources

DEADLINE_S = 15.0
_RESET_S = 2.0

# "250 2.0.0 Ok: queued as 4XyZ", "250 Ok 0102018f-…": the server's own id of the message.
_QUEUED_AS = re.compile(r"(?:queued as|\bok:?)\s+<?([A-Za-z0-9@._-]{8,128})>?", re.IGNORECASE)

_BUSY = SendResult(Verdict.POSTPONED, PROVIDER, Reason.PROVIDER_BUSY, "All connections to the server are in use.")


class Smtp:
    """Sends over a bounded number of connections: waits at most wait_s seconds for one, then sends within deadline_s.

    Waiting does not count towards deadline_s: a message that is cut off while it is handed over has often been
    accepted, and the retry would send it twice.
    """

    def __init__(
        self, settings: SmtpSettings, guard: EgressGuard, *, deadline_s: float = DEADLINE_S, wait_s: float = WAIT_S
    ) -> None:
        self._host, self._port = settings.host, settings.port
        self._pool = SmtpPool(settings, guard, command_s=deadline_s)
        self._deadline_s = deadline_s
        self._wait_s = wait_s
        self._secrets = _forms(settings.username, settings.password.reveal())

    async def send(self, message: Email) -> SendResult:
        """See services.senders.ports.Provider."""
        if not await self._pool.connections.acquire(self._wait_s):
            return _BUSY
        progress, raw = SmtpProgress(), mime.to_bytes(message)
        handed = Handed(raw)
        try:
            with tracing.web_client("SMTP", self._host, self._port, protocol="smtp"):
                async with asyncio.timeout(self._deadline_s):
                    answer = await self._send(message, raw, progress)
        except FAILURES as error:
            return self._without_secrets(dataclasses.replace(classify(error, progress.phase), handed=handed))
        finally:
            self._pool.connections.release()
        match = _QUEUED_AS.search(answer)
        return self._without_secrets(
            SendResult(
                Verdict.SENT,
                provider=PROVIDER,
                detail=answer,
                provider_message_id=match.group(1) if match else "",
                handed=handed,
            )
        )

    async def close(self) -> None:
        """See services.senders.ports.Provider."""
        await self._pool.close()

    def _without_secrets(self, result: SendResult) -> SendResult:
        """Return the result without secrets that the server repeated."""
        detail = result.detail
        for secret in self._secrets:
            detail = detail.replace(secret, "…")
        return dataclasses.replace(result, detail=detail)

    async def _send(self, message: Email, raw: bytes, progress: SmtpProgress) -> str:
        connection = await self._pool.take(progress)
        if connection.uses:
            try:
                return await self._send_over(connection, message, raw, progress)
            except FAILURES as error:
                # On a reused connection such an answer may be about that connection only.
                if not ends_connection(error, progress.phase):
                    raise
                if isinstance(error, aiosmtplib.SMTPServerDisconnected):
                    self._pool.drop_idle()
            connection = await self._pool.take(progress, fresh=True)
        return await self._send_over(connection, message, raw, progress)

    async def _send_over(self, connection: SmtpConnection, message: Email, raw: bytes, progress: SmtpProgress) -> str:
        reusable = False
        try:
            answer = await _transact(connection, message, raw, progress)
            reusable = True
            return answer
        except aiosmtplib.SMTPResponseException as error:
            reusable = not ends_connection(error, progress.phase) and await _reset(connection)
            raise
        except aiosmtplib.SMTPNotSupported:
            reusable = True  # nothing was sent yet
            raise
        finally:
            self._pool.give_back(connection, reusable=reusable)


async def _transact(connection: SmtpConnection, message: Email, raw: bytes, progress: SmtpProgress) -> str:
    client = connection.client
    options, encoding = [], "ascii"
    addresses = (message.sender, message.recipient, message.reply_to)
    if any(address is not None and address.needs_smtputf8 for address in addresses):
        if not client.supports_extension("smtputf8"):
            raise aiosmtplib.SMTPNotSupported("The mail server does not support addresses in this script (SMTPUTF8).")
        options, encoding = ["SMTPUTF8", "BODY=8BITMIME"], "utf-8"
    progress.phase = SmtpPhase.MAIL
    await client.mail(str(message.sender), options=options, encoding=encoding)
    progress.phase = SmtpPhase.RECIPIENT
    await client.rcpt(str(message.recipient), encoding=encoding)
    progress.phase = SmtpPhase.DATA
    return (await client.data(raw)).message


async def _reset(connection: SmtpConnection) -> bool:
    """Send RSET after a refusal; return whether the connection can be used again."""
    try:
        await connection.client.rset(timeout=_RESET_S)
    except FAILURES:
        return False
    return True


def _forms(username: str, password: str) -> list[str]:
    """Return the password as it is and as it is sent (AUTH PLAIN and LOGIN), longest first."""
    if not password:
        return []
    travelling = [f"\0{username}\0{password}", f"{username}\0{username}\0{password}", password]
    encoded = [base64.b64encode(text.encode()).decode() for text in travelling]
    # As printable() shows it: without invisible characters, with single blanks.
    shown = printable(password, 2 * len(password))
    return sorted({*encoded, password, *filter(None, [shown])}, key=len, reverse=True)


def open_smtp(settings: SmtpSettings, resources: Resources) -> Smtp:
    """Return the provider. It connects when first used."""
    return Smtp(settings, resources.mail_guard)
