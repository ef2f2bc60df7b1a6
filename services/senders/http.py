"""The process's HTTP client for providers' APIs: one session, with bounds in all and per host."""

import asyncio
import base64
import ssl
import urllib.parse
from typing import TYPE_CHECKING, Any

from runtime import tracing
from runtime.egress import AddressNotAllowed, EgressGuard
from services.domain.reasons import Reason
from services.senders.fair_semaphore import WAIT_S, FairSemaphore
from services.senders.ports import ADDRESS_NOT_ALLOWED, USER_AGENT, HttpRequest, HttpResponse, NoResponse

if TYPE_CHECKING:
    import aiohttp

MAX_ANSWER_BYTES = 64 * 1024
_MAX_CONNECTIONS = 512
# An API that hangs leaves the rest for the others.
_MAX_PER_HOST = 128
_KEEP_ALIVE_S = 30.0


class HttpClient:
    """See ports.HttpTransport. It connects where guard allows, follows no redirects and keeps no cookies.

    proxy: "http://user:password@proxy:3128", set by the operator; all calls go through it. It resolves host names, so
    it must refuse internal addresses itself. empty: no proxy, even if HTTPS_PROXY is set.
    """

    def __init__(
        self,
        guard: EgressGuard,
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
        self._connections = FairSemaphore(limit)
        # By host and port. Operators configure them, so there are few.
        self._host_limits: dict[str, FairSemaphore] = {}

    async def post(self, request: HttpRequest, *, deadline_s: float) -> HttpResponse:
        """See ports.HttpTransport."""
        host = request.url.split("/", 3)[2]
        host_limit = self._host_limits.get(host)
        if host_limit is None:
            self._check(request.url)
            host_limit = self._host_limits[host] = FairSemaphore(self._per_host)
        # The host's first: a call that waits for a host that hangs must hold nothing that others need.
        if not await host_limit.acquire(self._wait_s):
            raise NoResponse(Reason.PROVIDER_BUSY, f"All {self._per_host} connections to {host} are in use.")
        try:
            if not await self._connections.acquire(self._wait_s):
                raise NoResponse(Reason.PROVIDER_BUSY, f"All {self._limit} connections are in use.")
            try:
                return await self._exchange(request, deadline_s)
            finally:
                self._connections.release()
        finally:
            host_limit.release()

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()

    def _check(self, url: str) -> None:
        from runtime.egress import web

        try:
            web.check_url(self._guard, url)
        except AddressNotAllowed as error:
            raise NoResponse(ADDRESS_NOT_ALLOWED, str(error)) from error

    async def _exchange(self, request: HttpRequest, deadline_s: float) -> HttpResponse:
        import aiohttp

        from runtime.egress import web

        try:
            with _span(request.url) as span:
                async with asyncio.timeout(deadline_s):
                    answer = await self._post(request)
                span.status(answer.status)
                return answer
        except TimeoutError as error:
            raise NoResponse(Reason.PROVIDER_TIMEOUT, f"No answer within {deadline_s:g} s.") from error
        except aiohttp.ClientSSLError as error:
            raise NoResponse(Reason.PROVIDER_TLS, str(error)) from error
        except (aiohttp.ClientConnectionError, OSError) as error:
            if (refused := web.refusal(error)) is not None:
                raise NoResponse(ADDRESS_NOT_ALLOWED, str(refused)) from error
            raise NoResponse(Reason.PROVIDER_UNREACHABLE, str(error) or type(error).__name__) from error
        except (aiohttp.ClientError, ValueError) as error:
            raise NoResponse(Reason.PROVIDER_ERROR, str(error) or type(error).__name__) from error

    async def _post(self, request: HttpRequest) -> HttpResponse:
        headers = {"User-Agent": USER_AGENT, "Accept": "application/json", **request.headers}
        if request.url.startswith("http:"):  # the proxy itself receives such a call; there is no tunnel
            headers.update(self._proxy.get("proxy_headers", {}))
        async with self._open_session().post(
            request.url, data=request.body, headers=headers, allow_redirects=False, **self._proxy
        ) as response:
            body = b""
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) >= MAX_ANSWER_BYTES:
                    break
            lower = {name.lower(): value for name, value in response.headers.items()}
            return HttpResponse(response.status, lower, body[:MAX_ANSWER_BYTES])

    def _open_session(self) -> "aiohttp.ClientSession":
        if self._session is None:
            import aiohttp  # only processes with such a provider load it

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
            # Not the library's context: that is made at import, before SSL_CERT_FILE may be set.
            "ssl": ssl.create_default_context(),
        }
        # With a proxy the only connection is the one to it, which the operator has chosen.
        return aiohttp.TCPConnector(**options) if self._proxy else web.connector(self._guard, **options)


def _span(url: str) -> tracing.Span:
    if not tracing.is_on():
        return tracing.OFF
    parts = urllib.parse.urlsplit(url)
    return tracing.web_client("POST", parts.hostname or "", parts.port)


def _proxy_options(url: str) -> dict[str, Any]:
    """Return aiohttp's options for a call. The password is not in the URL, because errors show the URL."""
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
    """Parse entries such as "resend=http://127.0.0.1:8080" to URLs by kind. Raises ValueError."""
    urls = {}
    for entry in entries:
        kind, _, url = entry.partition("=")
        if not kind.strip() or not url.strip().startswith(("http://", "https://")):
            raise ValueError(f"{entry!r} is not of the form kind=https://host")
        urls[kind.strip()] = url.strip().rstrip("/")
    return urls
