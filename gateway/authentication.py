"""Authentication of API keys by ingest, cached for a few seconds."""

import asyncio
import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from aiohttp import web

from clarion.ingest.v1 import ingest_pb2
from gateway.addresses import FailedAttempts
from gateway.refusals.notes import CALLER, MALFORMED_KEY, PRESENTED
from runtime import clock
from runtime.errors import ClarionError, Code
from services.domain.credentials import API_KEY

# How long an answer is cached, in seconds. A change of a key takes effect within this time.
TTL_S = 2.0
# The size of each cache. Valid and invalid keys have one each, so that guesses do not evict customers.
MAX_REMEMBERED = 10_000
# The number of uncached keys that ingest is asked about at a time: gRPC servers cancel calls past a thousand.
MAX_ASKED = 256
# The same for addresses with too many failures, so that other callers do not wait behind them.
MAX_GUESSES = 16

_KEY = re.compile(r"[\x21-\x7e]{1,256}")

V = TypeVar("V")
Ask = Callable[[str], Awaitable[ingest_pb2.AuthenticateResponse]]


@dataclass(frozen=True, slots=True)
class AuthenticatedTenant:
    """The tenant that an API key belongs to."""

    id: str
    name: str
    account_id: str
    # Its events must be signed with one of these. Empty: no signature is needed.
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)
    # The kind of the key, and the scopes of the events that it may send. Empty: all.
    kind: str = API_KEY
    scopes: tuple[str, ...] = ()
    # Of a further key: its id, for NewEvent.key_id. Empty: it is the tenant's own key.
    key_id: str = ""
    # The key is good for nothing; only callers that ask for disabled keys get it.
    disabled: bool = False
    # The only endpoints that it may send to. Empty: any.
    endpoint_ids: tuple[str, ...] = ()
    # The most bytes that an event may carry. 0: not known.
    max_payload_bytes: int = 0


class CachedAuthenticator:
    """Authenticates keys and caches the result by the digest of the key. The key itself is not kept.

    attempts: counts failures per address; other code that finds a failure reports it there, too.
    """

    def __init__(
        self,
        ask: Ask,
        attempts: FailedAttempts,
        *,
        now: Callable[[], float] = time.monotonic,
        wall_clock: clock.Clock = clock.now_us,
    ) -> None:
        self._ask = ask
        self.attempts = attempts
        self._now = now
        self._wall_clock = wall_clock
        self._known: OrderedDict[bytes, tuple[float, AuthenticatedTenant]] = OrderedDict()
        self._unknown: OrderedDict[bytes, float] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[AuthenticatedTenant]] = {}
        self._strangers = asyncio.Semaphore(MAX_ASKED)
        self._guesses = asyncio.Semaphore(MAX_GUESSES)

    async def tenant(
        self, request: web.Request, key: str, kind: str = API_KEY, *, disabled_too: bool = False
    ) -> AuthenticatedTenant:
        """Return the tenant of the API key that the request carries; the caller knows where. Empty: it has none.

        kind: of the keys that the caller takes. Keys of another kind are refused as unknown ones are, and so are
        disabled keys, unless disabled_too: then the caller looks at AuthenticatedTenant.disabled. A valid key is
        accepted even if its address failed too often. Raises UNAUTHENTICATED without the reason, LIMITED instead if the
        address failed too often, or UNAVAILABLE.
        """
        if not _KEY.fullmatch(key):
            request[MALFORMED_KEY] = bool(key)
            raise self.attempts.refusal(request, _refusal())
        digest = hashlib.sha256(key.encode()).digest()
        request[PRESENTED] = key, digest
        try:
            tenant = await self._find(request, digest, key)
        except ClarionError as error:
            raise self.attempts.refusal(request, error) from None
        if tenant.kind != kind or (tenant.disabled and not disabled_too):
            raise self.attempts.refusal(request, _refusal())
        request[CALLER] = tenant.id
        return tenant

    async def kind_of(self, request: web.Request, key: str) -> str:
        """Return the kind of a key, for a path that keys of several kinds open. Counts no failure.

        Empty: the text is not a key, the key is unknown, or ingest is away; the handler of the request finds out which.
        """
        if not _KEY.fullmatch(key):
            return ""
        try:
            return (await self._find(request, hashlib.sha256(key.encode()).digest(), key)).kind
        except ClarionError:
            return ""

    def forget(self, tenant_id: str) -> None:
        """Drop the cached keys of a tenant that was changed through this gateway."""
        for digest in [digest for digest, (_, tenant) in self._known.items() if tenant.id == tenant_id]:
            del self._known[digest]
        # A key of this tenant may be cached as invalid, and invalid keys have no tenant.
        self._unknown.clear()

    async def _find(self, request: web.Request, digest: bytes, key: str) -> AuthenticatedTenant:
        """Return the tenant of a key: from the cache, or from ingest unless the key was unknown a moment ago."""
        known = self._known.get(digest)
        if known is not None and self._now() < known[0]:
            return known[1]
        if self._now() < self._unknown.get(digest, 0.0):
            raise _refusal()
        if known is not None:
            return await self._ask_once(digest, key)
        async with self._guesses if self.attempts.is_spent(request) else self._strangers:
            return await self._ask_once(digest, key)

    async def _ask_once(self, digest: bytes, key: str) -> AuthenticatedTenant:
        task = self._asking.get(digest)
        if task is None:
            task = asyncio.create_task(self._fetch(digest, key))
            self._asking[digest] = task
            task.add_done_callback(lambda _: self._asking.pop(digest, None))
        # Shielded: if one caller is cancelled, the others still get the answer.
        return await asyncio.shield(task)

    async def _fetch(self, digest: bytes, key: str) -> AuthenticatedTenant:
        try:
            answer = await self._ask(key)
        except ClarionError as error:
            if error.code is not Code.UNAUTHENTICATED:
                raise
            self._known.pop(digest, None)
            _remember(self._unknown, digest, self._now() + TTL_S)
            raise _refusal() from None
        tenant = AuthenticatedTenant(
            answer.tenant_id,
            answer.tenant_name,
            answer.account_id,
            tuple(answer.webhook_secrets),
            answer.kind or API_KEY,  # an ingest of the previous version sends none
            tuple(answer.scopes),
            answer.key_id,
            answer.disabled,
            tuple(answer.endpoint_ids),
            answer.max_payload_bytes,
        )
        _remember(self._known, digest, (self._now() + self._ttl_s(answer.expires_at_us), tenant))
        return tenant

    def _ttl_s(self, expires_at_us: int) -> float:
        """Return how long a key may be believed. expires_at_us: its end, Unix microseconds; 0: it has none."""
        if not expires_at_us:
            return TTL_S
        return min(TTL_S, (expires_at_us - self._wall_clock()) / 1_000_000)


def _remember(memory: "OrderedDict[bytes, V]", digest: bytes, value: V) -> None:
    memory[digest] = value
    memory.move_to_end(digest)
    while len(memory) > MAX_REMEMBERED:
        memory.popitem(last=False)


def _refusal() -> ClarionError:
    return ClarionError(Code.UNAUTHENTICATED, "The API key is missing, unknown or no longer valid.")
