"""From an API key to its tenant: ingest's word, remembered for seconds."""

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
from runtime.errors import ClarionError, Code

# How long an answer is believed: a revoked key ends, and a revived one works, within this, seconds.
TTL_S = 2.0
# Each of known and unknown keys is remembered apart, so that guesses do not push out customers.
MAX_REMEMBERED = 10_000
# Keys not known here that ingest is asked about at a time: a gRPC server cancels calls where a thousand are pending.
MAX_ASKED = 256
# Those of addresses that failed too often are counted apart: the others' never wait behind them.
MAX_GUESSES = 16

_KEY = re.compile(r"[\x21-\x7e]{1,256}")

V = TypeVar("V")
Ask = Callable[[str], Awaitable[ingest_pb2.AuthenticateResponse]]


@dataclass(frozen=True, slots=True)
class AuthenticatedTenant:
    """Whom a key belongs to."""

    id: str
    name: str
    account_id: str
    # With which of them its events may be signed; none: they need not be.
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)


class CachedAuthenticator:
    """Remembers tenants by the digest of their key; the key itself is kept nowhere.

    attempts: where failures are counted by address; whoever finds another failure reports it there.
    """

    def __init__(self, ask: Ask, attempts: FailedAttempts, *, now: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self.attempts = attempts
        self._now = now
        self._known: OrderedDict[bytes, tuple[float, AuthenticatedTenant]] = OrderedDict()
        self._unknown: OrderedDict[bytes, float] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[AuthenticatedTenant]] = {}
        self._strangers = asyncio.Semaphore(MAX_ASKED)
        self._guesses = asyncio.Semaphore(MAX_GUESSES)

    async def tenant(self, request: web.Request) -> AuthenticatedTenant:
        """Return the tenant whose key the request shows as x-api-key.

        A valid key is always let in, however often its address failed. Raises UNAUTHENTICATED, without saying
        why; LIMITED in its place where the address failed too often; UNAVAILABLE.
        """
        key = request.headers.get("x-api-key", "")
        if not _KEY.fullmatch(key):
            raise self.attempts.refusal(request, _refusal())
        digest = hashlib.sha256(key.encode()).digest()
        now = self._now()
        known = self._known.get(digest)
        if known is not None and now < known[0]:
            return known[1]
        if now < self._unknown.get(digest, 0.0):
            raise self.attempts.refusal(request, _refusal())
        try:
            if known is not None:
                return await self._ask_once(digest, key)
            async with self._guesses if self.attempts.is_spent(request) else self._strangers:
                return await self._ask_once(digest, key)
        except ClarionError as error:
            raise self.attempts.refusal(request, error) from None

    def forget(self, tenant_id: str) -> None:
        """Ask again for this tenant's keys: they were changed through this gateway."""
        for digest in [digest for digest, (_, tenant) in self._known.items() if tenant.id == tenant_id]:
            del self._known[digest]
        # A revived tenant's key may be among the refused ones, which name no tenant.
        self._unknown.clear()

    async def _ask_once(self, digest: bytes, key: str) -> AuthenticatedTenant:
        task = self._asking.get(digest)
        if task is None:
            task = asyncio.create_task(self._fetch(digest, key))
            self._asking[digest] = task
            task.add_done_callback(lambda _: self._asking.pop(digest, None))
        # A request that is gone must not take the answer from the others that wait for it.
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
            answer.tenant_id, answer.tenant_name, answer.account_id, tuple(answer.webhook_secrets)
        )
        _remember(self._known, digest, (self._now() + TTL_S, tenant))
        return tenant


def _remember(memory: "OrderedDict[bytes, V]", digest: bytes, value: V) -> None:
    memory[digest] = value
    memory.move_to_end(digest)
    while len(memory) > MAX_REMEMBERED:
        memory.popitem(last=False)


def _refusal() -> ClarionError:
    return ClarionError(Code.UNAUTHENTICATED, "The API key is missing, unknown or no longer valid.")
