"""A mail server that keeps mail in memory, so that sends are recorded without a database."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiosmtpd.smtp import SMTP, Envelope, Session

# What a stack needs in its environment to send to servers that a check opens on loopback.
EGRESS_TO_LOOPBACK = {"CLARION_EGRESS_ALLOW": "127.0.0.1:*"}

# The id stands between two # in the subject: see checks.siege.neighbour.
_SUBJECT = re.compile(rb"^Subject:[^\n]*?#([^#\n]+)#", re.MULTILINE)


class Catcher:
    """The handler for aiosmtpd. mails: the number of mails per id. recipients: whom the last one of each id was for."""

    def __init__(self) -> None:
        self.mails: Counter[str] = Counter()
        self.recipients: dict[str, Sequence[str]] = {}

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - its name there
        """Count the mail and answer 250."""
        content = envelope.content or b""
        raw = content if isinstance(content, bytes) else content.encode()
        if found := _SUBJECT.search(raw):
            id_ = found.group(1).decode()
            self.mails[id_] += 1
            self.recipients[id_] = envelope.rcpt_tos
        return "250 Caught"


@asynccontextmanager
async def catching() -> AsyncIterator[tuple[Catcher, int]]:
    """Listen on loopback for the length of a block. Yield the catcher and its port."""
    loop = asyncio.get_running_loop()
    catcher = Catcher()

    def session() -> SMTP:
        return SMTP(catcher, hostname="catcher", loop=loop)

    server = await loop.create_server(session, "127.0.0.1", 0)
    try:
        yield catcher, int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
