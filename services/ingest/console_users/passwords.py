"""Passwords of console users: what a good one is, and Argon2id hashes, made in worker threads."""

import asyncio
import secrets
import unicodedata
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import NamedTuple, TypeVar

import argon2

from runtime.errors import ClarionError, Code

LEAST_CHARACTERS = 12
MOST_CHARACTERS = 256
_LEAST_DIFFERENT = 5

# A hash takes 32 MiB and about 60 ms of a processor; RFC 9106 and OWASP ask for at least 19 MiB and two rounds.
_ROUNDS, _MEMORY_KIB, _LANES = 3, 32 * 1024, 1
# Ingest also accepts events: at most so many hashes at a time, and so many callers that wait for one.
AT_ONCE = 2
MOST_WAITING = 32

R = TypeVar("R")


class Verdict(NamedTuple):
    """Whether a password is right. renewed: its hash by today's parameters if it was made by others."""

    is_right: bool
    renewed: str | None = None


def fault(password: str, *known: str) -> str:
    """Return what is wrong with a new password, to go on after "password"; empty: nothing.

    known: texts that everybody knows of the person, such as the e-mail address.
    """
    text = _normalized(password)
    if not LEAST_CHARACTERS <= len(text) <= MOST_CHARACTERS:
        return f"must have {LEAST_CHARACTERS} to {MOST_CHARACTERS} characters"
    if "\0" in text:
        return "must not contain the character NUL"
    folded = text.casefold()
    if len(set(folded)) < _LEAST_DIFFERENT:
        return f"must have at least {_LEAST_DIFFERENT} different characters"
    if any(word and folded == word.casefold() for word in known):
        return "must not be your e-mail address or name"
    return ""


class Passwords:
    """Hashes and verifies. Verifying takes the same work whether or not there is a hash."""

    def __init__(
        self, *, rounds: int = _ROUNDS, memory_kib: int = _MEMORY_KIB, most_waiting: int = MOST_WAITING
    ) -> None:
        self._hasher = argon2.PasswordHasher(rounds, memory_kib, _LANES)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="argon2")
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._most_waiting = most_waiting
        self._waiting = 0
        self._nobodys = self._hasher.hash(secrets.token_urlsafe())

    async def hashed(self, password: str) -> str:
        """Return a password's hash with its parameters and salt. Raises OVERLOADED."""
        text = _normalized(password)
        return await self._work(lambda: self._hasher.hash(text))

    async def verify(self, password: str, hashed: str | None) -> Verdict:
        """Compare a password with a hash; None: there is none, so that no password is right. Raises OVERLOADED."""
        text = _normalized(password[: MOST_CHARACTERS * 4])
        return await self._work(lambda: self._verdict(text, hashed))

    def _verdict(self, text: str, hashed: str | None) -> Verdict:
        try:
            self._hasher.verify(hashed or self._nobodys, text)
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return Verdict(is_right=False)
        if hashed is None:
            return Verdict(is_right=False)
        renewed = self._hasher.hash(text) if self._hasher.check_needs_rehash(hashed) else None
        return Verdict(is_right=True, renewed=renewed)

    async def _work(self, function: Callable[[], R]) -> R:
        async with self._turn():
            return await asyncio.get_running_loop().run_in_executor(self._threads, function)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._waiting >= self._most_waiting:
            raise ClarionError(Code.OVERLOADED, "Too many people sign in at once. Try again shortly.", retry_after=1)
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._turns.release()


def _normalized(password: str) -> str:
    """Return the password in one form, whatever keyboard composed its characters (RFC 8265, 4.2.2)."""
    return unicodedata.normalize("NFC", password)
