"""One-time codes in PostgreSQL, by their hashes."""

import asyncio
import hashlib
import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias

import asyncpg

from clarion.router.v1 import codes_pb2
from runtime import logs, postgres
from runtime.clock import micros_of
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.domain import code_subjects
from services.domain.pseudonyms import Pseudonyms
from services.router.codes import code as codes
from services.router.codes.code import NewCode

# Of random bytes.
_TOKEN_BYTES = 32
_ACQUIRE_S = 5.0
# How often old sessions are deleted, seconds, and how many at a time.
_SWEEP_S, _SWEEP_PAUSE_S = 600.0, 0.5
_SWEPT = 1000

_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Made:
    """A code and its session. token: empty: the caller has it already. expires_at_us: Unix microseconds."""

    session_id: str
    token: str
    code: str
    expires_at_us: int
    memo: bytes = b""


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of an attempt. memo: empty until the code was verified."""

    outcome: codes_pb2.CodeOutcome.ValueType
    attempts_left: int
    subject: str
    session_id: str
    memo: bytes = b""


class CodeStore:
    """Reads and writes router.codes. Methods raise UNAVAILABLE while PostgreSQL is away."""

    def __init__(self, pool: Pool, keyed: Pseudonyms) -> None:
        self._pool = pool
        self._keyed = keyed

    async def create(self, new: NewCode) -> Made:
        """Make a code and a session. Raises LIMITED if its subject had too many within an hour."""
        session_id, token, code = new_id(), secrets.token_urlsafe(_TOKEN_BYTES), codes.random_code(new.digits)
        subject = new.tenant_id, new.scope, new.subject
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=_ACQUIRE_S) as connection, connection.transaction():
                await connection.execute(_SQL.lock_subject, *subject)
                lately = await connection.fetchrow(_SQL.made_lately, *subject)
                if lately is not None and lately["made"] >= codes.MAX_PER_HOUR:
                    raise codes.too_many(lately["until_s"])
                expires_at = await connection.fetchval(
                    _SQL.insert,
                    session_id,
                    new.tenant_id,
                    _digest(token),
                    new.scope,
                    new.subject,
                    self._keyed.code(_digest(token), code),
                    new.digits,
                    timedelta(seconds=new.ttl_s),
                    timedelta(seconds=new.resend_after_s),
                    new.max_attempts,
                    new.memo,
                )
        return Made(session_id, token, code, micros_of(expires_at))

    async def renew(self, tenant_id: str, token: str) -> Made:
        """Make another code for an open session. Raises NOT_FOUND and CONFLICT, see CodeService."""
        digest = _digest(token)
        with postgres.unavailable_while_down():
            session = await self._pool.fetchrow(_SQL.session, digest, tenant_id)
            if session is None:
                raise ClarionError(Code.NOT_FOUND, "There is no such session.")
            if (refused := codes.renewal_refused(dict(session))) is not None:
                raise refused
            code = codes.random_code(session["digits"])
            hashed = self._keyed.code(digest, code)
            expires_at = await self._pool.fetchval(_SQL.renew, digest, tenant_id, hashed)
        if expires_at is None:  # another call was faster, or the last attempt was made meanwhile
            raise codes.too_early(0)
        return Made(str(session["id"]), "", code, micros_of(expires_at), session["memo"])

    async def check(self, tenant_id: str, token: str, code: str) -> Checked:
        """Make an attempt. Raises NOT_FOUND."""
        digest = _digest(token)
        with postgres.unavailable_while_down():
            tried = await self._pool.fetchrow(_SQL.attempt, digest, tenant_id, self._keyed.code(digest, code))
            if tried is not None:
                if tried["is_right"]:
                    outcome, memo = codes_pb2.CODE_OUTCOME_VERIFIED, tried["memo"]
                else:
                    outcome, memo = codes_pb2.CODE_OUTCOME_WRONG, b""
                return Checked(outcome, tried["attempts_left"], tried["subject"], str(tried["id"]), memo)
            session = await self._pool.fetchrow(_SQL.session, digest, tenant_id)
        if session is None:
            raise ClarionError(Code.NOT_FOUND, "There is no such session.")
        left = max(0, session["attempts_left"])
        memo = session["memo"] if session["is_verified"] else b""
        return Checked(codes.outcome_of_closed(dict(session)), left, session["subject"], str(session["id"]), memo)

    async def erase(self, tenant_id: str, *, emails: Sequence[str] = (), phones: Sequence[str] = ()) -> int:
        """Delete the sessions for a person's addresses, open ones too; return their number."""
        named = ((code_subjects.EMAIL, emails), (code_subjects.SMS, phones))
        subjects = [code_subjects.subject(channel, address) for channel, some in named for address in some]
        if not subjects:
            return 0
        with postgres.unavailable_while_down():
            return len(await self._pool.fetch(_SQL.erase, tenant_id, subjects))

    async def delete_old(self) -> int:
        """Delete sessions whose codes expired an hour ago, the oldest first; return their number."""
        with postgres.unavailable_while_down():
            return len(await self._pool.fetch(_SQL.delete_old, _SWEPT))

    async def keep_deleting_old(self) -> None:
        """Delete old sessions every ten minutes, for ever."""
        while True:
            pause = _SWEEP_S * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
            try:
                if await self.delete_old() == _SWEPT:
                    pause = _SWEEP_PAUSE_S
            except (ClarionError, asyncpg.PostgresError) as error:
                log.warning("old_codes_wait", error=repr(error))
            await asyncio.sleep(pause)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
