"""The process's HTTP client for providers' APIs: one session, connections bounded in all and for each host."""

import asyncio
import base64
import ssl
import urllib.parse
from typing import TYPE_CHECKING, Any

from runtime.egress import AddressNotAllowed, Guard
from services.domain.reasons import Reason
from services.senders.ports import ADDRESS_NOT_ALLOWED, Answer, Request, Unanswered
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
    """See ports.Http. It connects where guard allows, follows no redirects and keeps no cookies.

    proxy: "http://user:password@proxy:3128", the operator's word, through which all calls go; it resolves the names of
    hosts, so it must refuse internal addresses itself. empty: none, whatever HTTPS_PROXY says.
    """

    def __init__(
        self,
        guard: Guard,
        *,
        proxy: str = "",
        limit: int = _MAX_CONNECTIONS,
        per_host: int = _MAX_PER_HOST,
        wait_s: float = WAIT_S,
    ) -> None:
        self._guard = guard
        self._proxy = _proxy_options(proxy)
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
            self._check(request.url)
            of_host = self._hosts[host] = Turns(self._per_host)
        # In this order: who waits for a host that hangs holds nothing that the others need.
        if not await of_host.enter(self._wait_s):
            raise Unanswered(Reason.PROVIDER_BUSY, f"All {self._per_host} connections to {host} were in use.")
        try:
            if not await self._turns.enter(self._wait_s):
                raise Unanswered(Reason.PROVIDER_BUSY, f"All {self._limit} connections were in use.")
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

    def _check(self, url: str) -> None:
        from runtime.egress import web

        try:
            web.check_url(self._guard, url)
        except AddressNotAllowed as error:
            raise Unanswered(ADDRESS_NOT_ALLOWED, str(error)) from error

    async def _exchange(self, request: Request, deadline_s: float) -> Answer:
        import aiohttp

        from runtime.egress import web

        try:
            async with asyncio.timeout(deadline_s):
                return await self._post(request)
        except TimeoutError as error:
            raise Unanswered(Reason.PROVIDER_TIMEOUT, f"No answer within {deadline_s:g} s.") from error
        except aiohttp.ClientSSLError as error:
            raise Unanswered(Reason.PROVIDER_TLS, str(error)) from error
        except (aiohttp.ClientConnectionError, OSError) as error:
            if (refused := web.refusal(error)) is not None:
                raise Unanswered(ADDRESS_NOT_ALLOWED, str(refused)) from error
            raise Unanswered(Reason.PROVIDER_UNREACHABLE, str(error) or type(error).__name__) from error
        except (aiohttp.ClientError, ValueError) as error:
            raise Unanswered(Reason.PROVIDER_ERROR, str(error) or type(error).__name__) from error

    async def _post(self, request: Request) -> Answer:
        headers = {"User-Agent": USER_AGENT, "Accept": "application/json", **request.headers}
        if request.url.startswith("http:"):  # such a call goes to the proxy itself, not through a tunnel
            headers.update(self._proxy.get("proxy_headers", {}))
        async with self._opened().post(
            request.url, data=request.body, headers=headers, allow_redirects=False, **self._proxy
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
                connector=self._connector(),
                timeout=aiohttp.ClientTimeout(total=None),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                skip_auto_headers=("Accept-Encoding",),
            )
        return self._session

    def _connector(self) -> "aiohttp.TCPConnector":
        import aiohttp

        from runtime.egress import web

        options: dict[str, Any] = {
            "limit": self._limit,
            "keepalive_timeout": _KEEP_ALIVE_S,
            # A context of our own: the library's is as old as its import, and knows no SSL_CERT_FILE set since.
            "ssl": ssl.create_default_context(),
        }
        # With a proxy there is no connection but to it, wherever the operator has it.
        return aiohttp.TCPConnector(**options) if self._proxy else web.connector(self._guard, **options)


def _proxy_options(url: str) -> dict[str, Any]:
    """Return aiohttp's options for a call: the password apart from the URL, which stands in errors."""
    if not url:
        return {}
    parts = urllib.parse.urlsplit(url)
    account, _, place = parts.netloc.rpartition("@")
    options: dict[str, Any] = {"proxy": f"{parts.scheme}://{place}"}
    if account:
        user = urllib.parse.unquote(account).encode()
        options["proxy_headers"] = {"Proxy-Authorization": f"Basic {base64.b64encode(user).decode()}"}
    return options


def parse_urls(entries: "tuple[str, ...]") -> dict[str, str]:
    """Return the API's address by kind, of entries such as "resend=http://127.0.0.1:8080". Raises ValueError."""
    urls = {}
    for entry in entries:
        kind, _, url = entry.partition("=")
        if not kind.strip() or not url.strip().startswith(("http://", "https://")):
            raise ValueError(f"{entry!r} is not of the form kind=https://host")
        urls[kind.strip()] = url.strip().rstrip("/")
    return urls
