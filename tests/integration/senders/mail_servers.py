"""Real SMTP servers that behave as told: they accept, refuse, hang, hang up, speak TLS, ask for a password."""

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.conftest import free_port

Reply = Callable[[SMTP], Awaitable[str]]


def hang_up(server: SMTP) -> None:
    """End a connection without a word."""
    cast(asyncio.Transport, server.transport).abort()


@dataclass
class Catcher:
    """aiosmtpd's handler: keeps what it takes. rcpt and data answer in its place where they are set.

    hang_up_on_reuse: the second message of a connection finds nobody there. closes_on_reuse: it is answered so, and
    the connection closed, as servers do that take a number of messages per connection.
    """

    rcpt: str = ""
    data: Reply | None = None
    hang_up_on_reuse: bool = False
    closes_on_reuse: str = ""
    envelopes: list[Envelope] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name and arguments
        self, server: SMTP, session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Answer MAIL FROM."""
        known = any(session is one for one in self.sessions)
        if known and self.hang_up_on_reuse:
            hang_up(server)
        if known and self.closes_on_reuse:
            # After the reply, which is written as soon as this returns.
            asyncio.get_running_loop().call_soon(cast(asyncio.Transport, server.transport).close)
            return self.closes_on_reuse
        if not known:
            self.sessions.append(session)
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Answer RCPT TO."""
        if self.rcpt:
            return self.rcpt
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Answer the content."""
        if self.data is not None:
            return await self.data(server)
        self.envelopes.append(envelope)
        return f"250 2.0.0 Ok: queued as {len(self.envelopes):08X}"


# What a server answers that has nothing against anything.
_USUAL = {
    "GREETING": "220 test",
    "EHLO": "250-test\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES",
    "DATA": "354 Go on",
    "CONTENT": "250 2.0.0 Ok: queued as 4XyZ0001",
    "QUIT": "221 2.0.0 Bye",
}
HANGS_UP = "hangs up"


@dataclass
class Dialogue:
    """A server that answers each step as told, on plain sockets: aiosmtpd has no hook for some of them.

    reply: of the step (GREETING, EHLO, MAIL, RCPT, DATA, CONTENT, RSET, QUIT), the connection and the message on it,
    both from 1. "": the usual yes; HANGS_UP: the connection is closed without a word; after 421 it is closed, too.
    steps: (connection, step) as they came. taken: the connection of each message that was taken.
    """

    reply: Callable[[str, int, int], str]
    connections: int = 0
    steps: list[tuple[int, str]] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)
    idle: list[asyncio.StreamWriter] = field(default_factory=list)

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it ends."""
        self.connections += 1
        connection, message = self.connections, 0
        self.idle.append(writer)
        step = "GREETING"
        try:
            while step:
                message += step == "MAIL"
                self.steps.append((connection, step))
                said = self.reply(step, connection, max(message, 1)) or _USUAL.get(step, "250 2.1.0 Ok")
                if said == HANGS_UP:
                    break
                writer.write(said.encode() + b"\r\n")
                if said.startswith("421") or step == "QUIT":
                    break
                if step == "CONTENT" and said.startswith("250"):
                    self.taken.append(connection)
                step = await _next_step(reader, content=said.startswith("354"))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def _next_step(reader: asyncio.StreamReader, *, content: bool) -> str:
    if content:
        await reader.readuntil(b"\r\n.\r\n")
        return "CONTENT"
    return (await reader.readline()).decode()[:4].strip().upper()


@asynccontextmanager
async def conversing(reply: Callable[[str, int, int], str]) -> AsyncIterator[tuple[int, Dialogue]]:
    """Run a Dialogue on a port of 127.0.0.1."""
    dialogue = Dialogue(reply)
    server = await asyncio.start_server(dialogue.converse, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], dialogue
    finally:
        server.close()
        await _end([writer.transport for writer in dialogue.idle])


@dataclass
class Password:
    """aiosmtpd's authenticator."""

    username: str
    password: str

    def __call__(
        self, _server: SMTP, _session: Session, _envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        """Tell whether the password is right. A wrong one is repeated in the answer, as bad servers do."""
        if not isinstance(data, LoginPassword):
            return AuthResult(success=False, handled=False)
        if (data.login.decode(), data.password.decode()) == (self.username, self.password):
            return AuthResult(success=True)
        return AuthResult(
            success=False, handled=False, message=f"535 5.7.8 {data.password.decode()} is wrong ({mechanism})"
        )


@asynccontextmanager
async def serving(handler: Catcher, *, tls: ssl.SSLContext | None = None, **options: Any) -> AsyncIterator[int]:
    """Run aiosmtpd on a port of 127.0.0.1, with TLS from the first byte where tls is given."""
    loop = asyncio.get_running_loop()
    port = free_port()
    transports: list[asyncio.BaseTransport] = []

    class Server(SMTP):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            transports.append(transport)
            super().connection_made(transport)

    def session() -> SMTP:
        return Server(handler, hostname="test", loop=loop, **options)

    server = await loop.create_server(session, "127.0.0.1", port, ssl=tls)
    try:
        yield port
    finally:
        server.close()
        await _end(transports)


@asynccontextmanager
async def hanging(*, says: bytes = b"") -> AsyncIterator[int]:
    """Run a server that takes connections, says its piece, and then nothing at all."""
    transports: list[asyncio.BaseTransport] = []

    class Held(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            transports.append(transport)
            cast(asyncio.Transport, transport).write(says)

    server = await asyncio.get_running_loop().create_server(Held, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await _end(transports)


async def _end(transports: list[asyncio.BaseTransport]) -> None:
    """Close connections, those too that were just being taken, and see them closed."""
    for _ in range(20):
        await asyncio.sleep(0)
        for transport in transports:
            cast(asyncio.Transport, transport).abort()
    await asyncio.sleep(0)


def self_signed(folder: Path, *, name: str = "127.0.0.1") -> tuple[ssl.SSLContext, str]:
    """A server's TLS context for an address or a name, and its certificate as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([_alternative(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "server.pem"
    path.write_bytes(pem + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context, pem.decode()


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
