"""Turns PostgreSQL's errors into the errors that callers receive."""

import functools
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import asyncpg

from runtime import logs, postgres
from runtime.errors import ClarionError, Code

Res = TypeVar("Res")

log = logs.get(__name__)


def database_errors(method: Callable[..., Awaitable[Res]]) -> Callable[..., Awaitable[Res]]:
    """Make a servicer's method raise UNAVAILABLE while PostgreSQL is away, INVALID for values that it cannot store."""

    @functools.wraps(method)
    async def call(self: Any, request: Any, context: Any) -> Res:
        try:
            return await method(self, request, context)
        except asyncpg.DataError as error:
            raise _unstorable() from error
        except postgres.CONNECTION_ERRORS as error:
            if isinstance(error, ValueError):  # the driver raises it for a value that it cannot send
                raise _unstorable() from error
            log.warning("database_away", method=method.__qualname__, error=repr(error))
            raise ClarionError(Code.UNAVAILABLE, "The database does not answer.", retry_after=1) from error

    return call


def _unstorable() -> ClarionError:
    return ClarionError(Code.INVALID, "A value is out of range or contains characters that cannot be stored.")
