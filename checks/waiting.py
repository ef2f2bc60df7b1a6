"""Waiting for a condition by polling, with a deadline."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


class CheckError(Exception):
    """A check failed. The text describes what was found."""


def expect(is_so: object, otherwise: str) -> None:
    """Raise CheckError with the text unless is_so."""
    if not is_so:
        raise CheckError(otherwise)


async def until(ask: Callable[[], Awaitable[T | None]], what: str, *, deadline: float, every: float = 0.02) -> T:
    """Return the first result that is neither None nor False. Raises CheckError after deadline seconds.

    A CheckError inside ask counts as "not yet", and ends up in the final one's text.
    """
    end = time.monotonic() + deadline
    seen = ""
    while True:
        try:
            answer = await ask()
        except CheckError as error:
            answer, seen = None, f"; last seen: {error}"
        if answer is not None and answer is not False:
            return answer
        if time.monotonic() > end:
            raise CheckError(f"{what}: not within {deadline:g} s{seen}")
        await asyncio.sleep(every)
