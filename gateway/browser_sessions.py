"""What the sessions of the portal and of the console share: their cookies, and the defense against forged requests."""

import hashlib
import hmac
import time
from urllib.parse import urlsplit

from aiohttp import web

from runtime.errors import ClarionError, Code

MAX_TOKEN = 256
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class PublicAddress:
    """Where browsers reach the gateway. public_url: of the settings; empty: where the request reached it."""

    def __init__(self, public_url: str = "") -> None:
        self._public_url = public_url.rstrip("/")

    def url(self, request: web.Request) -> str:
        """Return the gateway's URL without a slash at the end."""
        return self._public_url or f"{request.scheme}://{request.host}"

    def is_secure(self, request: web.Request) -> bool:
        """Return whether browsers reach it by https."""
        return self.url(request).startswith("https://")

    def origin(self, request: web.Request) -> str:
        """Return the origin of its pages, as browsers send it."""
        parts = urlsplit(self.url(request))
        return f"{parts.scheme}://{parts.netloc}"


class SessionCookie:
    """The cookie with a session's token. path: of the pages that need it, where the host has others, too.

    Over https browsers take the name only from this host, and send it to this host only.
    """

    def __init__(self, address: PublicAddress, name: str, *, path: str = "/") -> None:
        self.address = address
        self._name = name
        self._path = path

    def name(self, request: web.Request) -> str:
        """Return the cookie's name."""
        return f"__Host-{self._name}" if self.address.is_secure(request) else self._name

    def token(self, request: web.Request) -> str:
        """Return the token in the request; empty: there is none that could be one."""
        token = request.cookies.get(self.name(request), "")
        return token if len(token) <= MAX_TOKEN and token.isascii() else ""

    def keep(self, request: web.Request, response: web.Response, token: str, until_us: int) -> None:
        """Give the browser the cookie. until_us: Unix microseconds."""
        is_secure = self.address.is_secure(request)
        response.set_cookie(
            self.name(request),
            token,
            max_age=max(0, int(until_us / 1_000_000 - time.time())),
            path="/" if is_secure else self._path,
            secure=is_secure,
            httponly=True,
            samesite="Strict",
        )

    def drop(self, request: web.Request, response: web.Response) -> None:
        """Let the browser forget the cookie."""
        is_secure = self.address.is_secure(request)
        response.del_cookie(
            self.name(request),
            path="/" if is_secure else self._path,
            secure=is_secure,
            httponly=True,
            samesite="Strict",
        )

    def check_origin(self, request: web.Request) -> None:
        """Raise FORBIDDEN if a page of another site sent the request."""
        site = request.headers.get("Sec-Fetch-Site", "same-origin")
        origin = request.headers.get("Origin", "")
        known = (self.address.origin(request), f"{request.scheme}://{request.host}")
        if site != "same-origin" or (origin and origin not in known):
            raise ClarionError(Code.FORBIDDEN, "This request was sent by another site.")


def is_safe_url(url: str) -> bool:
    """Return whether nobody on the way can read or change what is exchanged with a URL: https, or this machine."""
    parts = urlsplit(url)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    )


def csrf_token(purpose: str, token: str) -> str:
    """Return what requests of a session carry beside its cookie. It does not reveal the session's token."""
    return hashlib.sha256(f"{purpose} {token}".encode()).hexdigest()


def is_equal(expected: str, shown: str) -> bool:
    """Compare two secrets in a time that does not depend on them."""
    return hmac.compare_digest(expected.encode(), shown.encode("utf-8", "surrogateescape"))
