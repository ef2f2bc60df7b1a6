"""What is outside of the console in the story: the tenant's servers, its web page, and a shell."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from checks.client import Http, Tenant
from stack import processes
from stack.client import Running
from tests.e2e.recipients.site import Site
from tests.e2e.webhook_receiver import Receiver
from tests.integration.senders.mail_servers import Catcher

_SHELL_S = 30.0


@dataclass(frozen=True)
class World:
    """mailbox, mail_port: an SMTP server. receiver: of webhooks. site_port: where the tenant's own page may be."""

    running: Running
    mailbox: Catcher
    mail_port: int
    receiver: Receiver
    site_port: int

    @asynccontextmanager
    async def site(self, tenant_id: str, api_key: str, user_id: str) -> AsyncIterator[Site]:
        """Serve the tenant's own web page with <clarion-inbox>; its server has the key."""
        async with aiohttp.ClientSession() as session:
            tenant = Tenant(Http(session, [self.running.url]), tenant_id, api_key)
            async with Site(tenant, user_id, self.running.url, self.site_port).served() as site:
                yield site

    def mails(self) -> list[str]:
        """Return the messages that the mail server took, as it got them."""
        contents = [envelope.content for envelope in self.mailbox.envelopes]
        return [one.decode() if isinstance(one, bytes) else str(one) for one in contents]


async def shell(command: str, folder: Path = processes.ROOT, **variables: str) -> str:
    """Run a command as somebody who pastes it into a shell; return its output. Fails if the command fails.

    variables: what they had exported before.
    """
    process = await asyncio.create_subprocess_exec(
        "sh",
        "-eu",
        "-c",
        command,
        cwd=folder,
        env={**processes.inherited(), **variables},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_SHELL_S):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        raise
    assert process.returncode == 0, err.decode()
    return out.decode()
