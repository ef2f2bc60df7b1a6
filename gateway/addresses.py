"""The client address of a request, and the limit of failed authentications per address."""

import ipaddress
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence

from aiohttp import web
from prometheus_client import Counter

from runtime import logs
from runtime.errors import ClarionError, Code

WINDOW_S = 60.0
# The number of addresses that are remembered. Past it, the one whose last failure is the oldest is forgotten.
MAX_ADDRESSES = 4096
_WARN_EVERY_S = 60.0
# The warning that a caller that is not a trusted proxy sent X-Forwarded-For.
FORWARDED_FOR_IGNORED = "forwarded_for_ignored"

_failures = Counter("clarion_authentication_failures_total", "Requests without a valid credential.", ["outcome"])

_ignored = Counter(
    "clarion_forwarded_for_ignored_total", "Requests with X-Forwarded-For from a caller that is not a trusted proxy."
)

log = logs.get(__name__)

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Proxies:
    """The proxies whose X-Forwarded-For is trusted."""

    def __init__(self, trusted: Sequence[str] = (), *, warnings: set[str] | None = None) -> None:
        """Take addresses and networks. Raises ValueError for anything else. warnings: see gateway.life.Life."""
        self._trusted: list[_Network] = [ipaddress.ip_network(text) for text in trusted]
        self._warn_from = float("-inf")
        self._warnings = warnings if warnings is not None else set()

    def address_of(self, peer: str) -> str:
        """Return the address of a connection as client_of() does. Empty: a trusted proxy, or unknown."""
        address = _parsed(peer)
        return "" if address is None or self._is_trusted(address) else _name(address)

    def notice(self, request: web.Request) -> None:
        """Warn if a caller that is not trusted sends X-Forwarded-For."""
        if "X-Forwarded-For" not in request.headers:
            return
        caller = _parsed(request.remote or "")
        if caller is not None and not self._is_trusted(caller):
            self._warn(caller)

    def client_of(self, request: web.Request) -> str:
        """Return the address of the client. For IPv6 it is the /64 network, which usually belongs to one customer.

        Each proxy appends the address that called it, so the list is read backwards for as long as trusted proxies
        wrote it. Entries before the first untrusted address could be forged.
        """
        caller = _parsed(request.remote or "")
        if caller is None:
            return ""
        forwarded = request.headers.getall("X-Forwarded-For", [])
        if forwarded and self._is_trusted(caller):
            for text in reversed(",".join(forwarded).split(",")):
                earlier = _parsed(text.strip())
                if earlier is None:
                    break
                caller = earlier
                if not self._is_trusted(caller):
                    break
        return _name(caller)

    def _warn(self, caller: _Address) -> None:
        """Log at most once a minute. All clients of a proxy that is not trusted share the limits of one address."""
        self._warnings.add(FORWARDED_FOR_IGNORED)
        _ignored.inc()
        now = time.monotonic()
        if now >= self._warn_from:
            self._warn_from = now + _WARN_EVERY_S
            log.warning(FORWARDED_FOR_IGNORED, address=str(caller), setting="CLARION_TRUSTED_PROXIES")

    def _is_trusted(self, address: _Address) -> bool:
        return any(address in network for network in self._trusted)


class FailedAttempts:
    """Counts failed authentications per address over a sliding minute, in bounded memory. limit 0: no limit.

    Past the limit only further failures get another answer: a valid credential is always accepted.
    """

    def __init__(self, limit: int, proxies: Proxies, *, now: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._proxies = proxies
        self._now = now
        self._failed: OrderedDict[str, deque[float]] = OrderedDict()

    def refusal(self, request: web.Request, error: ClarionError) -> ClarionError:
        """Count a failure and return the error to answer: LIMITED instead of UNAUTHENTICATED past the limit."""
        if error.code is not Code.UNAUTHENTICATED:
            return error
        address = self._proxies.client_of(request)
        if (wait_s := self._wait_s(address)) > 0:
            return _limited(wait_s)
        _failures.labels("refused").inc()
        if self._limit:
            self._failed.setdefault(address, deque()).append(self._now())
            self._failed.move_to_end(address)
            if len(self._failed) > MAX_ADDRESSES:
                self._failed.popitem(last=False)
        return error

    def is_spent(self, request: web.Request) -> bool:
        """Return whether the address is past its limit. Its keys are still checked, with lower priority."""
        return self._wait_s(self._proxies.client_of(request)) > 0

    def retry_after(self, request: web.Request) -> int:
        """Return the number of seconds until the address is below its limit again, 0 if it is."""
        wait_s = self._wait_s(self._proxies.client_of(request))
        return int(wait_s) + 1 if wait_s > 0 else 0

    def _wait_s(self, address: str) -> float:
        """Return the number of seconds until the address is below its limit again, 0 if it is."""
        failed = self._failed.get(address)
        if failed is None:
            return 0.0
        now = self._now()
        while failed and failed[0] <= now - WINDOW_S:
            failed.popleft()
        if not failed:
            del self._failed[address]
            return 0.0
        return failed[0] + WINDOW_S - now if len(failed) >= self._limit else 0.0


def _limited(wait_s: float) -> ClarionError:
    _failures.labels("limited").inc()
    detail = "Too many failed authentications from this address. Try again later, or send a valid key."
    return ClarionError(Code.LIMITED, detail, retry_after=int(wait_s) + 1)


def _parsed(text: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _name(address: _Address) -> str:
    if address.version == 6:
        return str(ipaddress.ip_network((int(address), 64), strict=False))
    return str(address)


PROXIES = web.AppKey("proxies", Proxies)
