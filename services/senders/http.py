"""The process's HTTP client for providers' APIs: one session, connections bounded in all and for each host."""

import asyncio
import ssl
from typing import TYPE_CHECKING

from services.senders.ports import Answer, Request, Unanswered
from services.senders.turns import WAIT_S, Turns

if TYPE_CHECKING:
    import aiohttp

MAX_ANSWER_BYTES = 64 * 1024
_MAX_CONNECTIONS = 512
# So that one API that hangs leaves enough for the others.
_MAX_PER_HOST = 128
_KEEP_ALIVE_S = 30.0

USER_AGENT = "Clarion/0.1"


class HttpClient:
    """See ports.Http. It follows no redirects and keeps no cookies; a proxy is taken from HTTPS_PROXY and NO_PROXY."""

    def __init__(self, *, limit: int = _MAX_CONNECTIONS, per_host: int = _MAX_PER_HOST, wait_s: float = WAIT_S) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._limit = limit
        self._per_host = per_host
        self._wait_s = wait_s
        self._turns = Turns(limit)
        # By host and port: as many as operators have configured.
        self._hosts: dict[str, Turns] = {}

    async def post(self, request: Request, *, deadline_s: float) -> Answer:
        """See ports.Http."""
        host = request.url.split("/", 3)[2]
        of_host = self._hosts.get(host)
        if of_host is None:
            of_host = self._hosts[host] = Turns(self._per_host)
        # In this order: who waits for a host that hangs holds nothing that the others need.
        if not await of_host.enter(self._wait_s):
            raise Unanswered("provider_busy", f"All {self._per_host} connections to {host} were in use.")
        try:
            if not await self._turns.enter(self._wait_s):
                raise Unanswered("provider_busy", f"All {self._limit} connections were in use.")
            try:
                return await self._exchange(request, deadline_s)
            finally:
                self._turns.leave()
        finally:
            of_host.leave()

    async def close(self) -> None:
        """Close what is open."""
        if self._session is not None:
            await self._session.close()

    async def _exchange(self, request: Request, deadline_s: float) -> Answer:
        import aiohttp

        try:
            async with asyncio.timeout(deadline_s):
                return await self._post(request)
        except TimeoutError as error:
            raise Unanswered("provider_timeout", f"No answer within {deadline_s:g} s.") from error
        except aiohttp.ClientSSLError as error:
            raise Unanswered("provider_tls", str(error)) from error
        except (aiohttp.ClientConnectionError, OSError) as error:
            raise Unanswered("provider_unreachable", str(error) or type(error).__name__) from error
        except (aiohttp.ClientError, ValueError) as error:
            raise Unanswered("provider_error", str(error) or type(error).__name__) from error

    async def _post(self, request: Request) -> Answer:
        headers = {"User-Agent": USER_AGENT, "Accept": "application/json", **request.headers}
        async with self._opened().post(
            request.url, data=request.body, headers=headers, allow_redirects=False
        ) as response:
            body = b""
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) >= MAX_ANSWER_BYTES:
                    break
            lower = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, lower, body[:MAX_ANSWER_BYTES])

    def _opened(self) -> "aiohttp.ClientSession":
        if self._session is None:
            import aiohttp  # a process whose tenants have no such provider never needs it

            self._session = aiohttp.ClientSession(
                # A context of our own: the library's is as old as its import, and knows no SSL_CERT_FILE set since.
                connector=aiohttp.TCPConnector(
                    limit=self._limit, keepalive_timeout=_KEEP_ALIVE_S, ssl=ssl.create_default_context()
                ),
                timeout=aiohttp.ClientTimeout(total=None),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=True,
                skip_auto_headers=("Accept-Encoding",),
            )
        return self._session


def parse_urls(entries: "tuple[str, ...]") -> dict[str, str]:
    """Return the API's address by kind, of entries such as "resend=http://127.0.0.1:8080". Raises ValueError."""
    urls = {}
    for entry in entries:
        kind, _, url = entry.partition("=")
        if not kind.strip() or not url.strip().startswith(("http://", "https://")):
            raise ValueError(f"{entry!r} is not of the form kind=https://host")
        urls[kind.strip()] = url.strip().rstrip("/")
    return urls
