"""The mail server of the local stack. It stores each mail in senders' outbox before it answers 250.

`python -m stack.mail`. In production mail goes to a real SMTP server instead.
"""

import asyncio
import contextlib
import signal

import msgspec
from aiosmtpd.smtp import SMTP, Envelope, Session

from clarion.senders.v1 import senders_pb2, senders_pb2_grpc
from runtime import logs, telemetry
from runtime.errors import ClarionError, Code
from runtime.grpc import Caller, channel
from runtime.settings import Secret, load_or_exit

# The largest mail that OutboxService.RecordMail accepts.
_MAX_BYTES = 1024 * 1024
_RECORD_DEADLINE_S = 5.0

log = logs.get(__name__)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Read from CLARION_<NAME>."""

    # The address to listen on, host:port.
    smtp_address: str
    senders_address: str
    service_token: Secret
    metrics_address: str = ""
    log_level: str = "info"


class MailRecorder:
    """The handler for aiosmtpd, which passes each mail to senders."""

    def __init__(self, outbox: "senders_pb2_grpc.OutboxServiceAsyncStub", caller: Caller) -> None:
        self._outbox = outbox
        self._caller = caller

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - its name there
        """Answer DATA: 250 if the mail was stored, 451 (try again) if senders does not answer."""
        content = envelope.content or b""
        request = senders_pb2.RecordMailRequest(
            raw=content if isinstance(content, bytes) else content.encode(),
            envelope_sender=envelope.mail_from or "",
            envelope_recipients=envelope.rcpt_tos,
        )
        try:
            await self._caller(self._outbox.RecordMail, request, deadline=_RECORD_DEADLINE_S)
        except ClarionError as error:
            log.warning("mail_refused", code=error.code.name, detail=error.detail)
            if error.code is Code.INVALID:
                return f"554 {error.detail}"
            return "451 The outbox does not answer; try again."
        log.info("mail_recorded", recipients=len(envelope.rcpt_tos), bytes=len(request.raw))
        return "250 Recorded"


async def serve(settings: Settings) -> None:
    """Accept mail until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    telemetry.serve_metrics(settings.metrics_address)
    host, _, port = settings.smtp_address.rpartition(":")
    async with channel(settings.senders_address) as connection:
        recorder = MailRecorder(senders_pb2_grpc.OutboxServiceStub(connection), Caller(settings.service_token.reveal()))

        def session() -> SMTP:
            return SMTP(recorder, data_size_limit=_MAX_BYTES, enable_SMTPUTF8=True, hostname="clarion", loop=loop)

        server = await loop.create_server(session, host, int(port), reuse_address=True)
        log.info("serving", address=settings.smtp_address)
        await stop.wait()
        server.close()
        # Python 3.12 also waits here for open sessions.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                await server.wait_closed()


def main() -> None:
    """Read the environment and serve."""
    settings = load_or_exit(Settings)
    logs.configure("mail", settings.log_level)
    asyncio.run(serve(settings))


if __name__ == "__main__":
    main()
