"""Whose request it is by address, and how often that address may fail to show who it is."""

import ipaddress
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence

from aiohttp import web
from prometheus_client import Counter

from runtime import logs
from runtime.errors import ClarionError, Code

WINDOW_S = 60.0
# Addresses remembered at a time; past it the one that has not failed for longest is forgotten.
MAX_ADDRESSES = 4096
_WARN_EVERY_S = 60.0
# The warning that X-Forwarded-For came from a caller that is no trusted proxy.
FORWARDED_FOR_IGNORED = "forwarded_for_ignored"

_failures = Counter("clarion_authentication_failures_total", "Requests that did not show who sent them.", ["outcome"])

_ignored = Counter(
    "clarion_forwarded_for_ignored_total", "Requests with X-Forwarded-For from a caller that is no trusted proxy."
)

log = logs.get(__name__)

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Proxies:
    """The proxies whose X-Forwarded-For is believed."""

    def __init__(self, trusted: Sequence[str] = (), *, warnings: set[str] | None = None) -> None:
        """Take addresses and networks. Raises ValueError for what is neither. warnings: see gateway.life.Life."""
        self._trusted: list[_Network] = [ipaddress.ip_network(text) for text in trusted]
        self._warn_from = float("-inf")
        self._warnings = warnings if warnings is not None else set()

    def address_of(self, peer: str) -> str:
        """Return whose a connection is, as client_of names it; "": a trusted proxy's, or unknown."""
        address = _parsed(peer)
        return "" if address is None or self._is_trusted(address) else _name(address)

    def notice(self, request: web.Request) -> None:
        """Warn where a caller that is not trusted says that it forwards the request of another."""
        if "X-Forwarded-For" not in request.headers:
            return
        caller = _parsed(request.remote or "")
        if caller is not None and not self._is_trusted(caller):
            self._warn(caller)

    def client_of(self, request: web.Request) -> str:
        """Return the address that called: of IPv6 its network of 64 bits, which one customer has whole.

        Each proxy adds the address it was called from, so the list is read from its end for as long as
        trusted proxies wrote it; what stands before the first stranger is only that stranger's word.
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
        """Once a minute: a proxy that is not named makes all its callers one address, with one address' bounds."""
        self._warnings.add(FORWARDED_FOR_IGNORED)
        _ignored.inc()
        now = time.monotonic()
        if now >= self._warn_from:
            self._warn_from = now + _WARN_EVERY_S
            log.warning(FORWARDED_FOR_IGNORED, address=str(caller), setting="CLARION_TRUSTED_PROXIES")

    def _is_trusted(self, address: _Address) -> bool:
        return any(address in network for network in self._trusted)


class FailedAttempts:
    """Counts failures by address over a sliding minute; memory is bounded. limit: 0 is none.

    Only failures cost, and they decide only what a failure is answered with: a valid credential is always let in.
    """

    def __init__(self, limit: int, proxies: Proxies, *, now: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._proxies = proxies
        self._now = now
        self._failed: OrderedDict[str, deque[float]] = OrderedDict()

    def refusal(self, request: web.Request, error: ClarionError) -> ClarionError:
        """Return what to say to a failure: the error, or LIMITED where an UNAUTHENTICATED one is past the limit.

        Those within it are counted.
        """
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
        """Tell whether the address has failed as often as it may: it is still asked for, but behind others."""
        return self._wait_s(self._proxies.client_of(request)) > 0

    def _wait_s(self, address: str) -> float:
        """Return how long until the address may fail again, seconds; 0: it may."""
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
    detail = "Too many failed attempts from this address; try again later."
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
