"""Prints a line per check with its time, and the totals at the end."""

import time
from collections.abc import Awaitable, Callable

import aiohttp

from checks.waiting import CheckError


class Report:
    """Runs checks and prints their results."""

    def __init__(self, write: Callable[[str], None] | None = None) -> None:
        self._write = write or (lambda text: print(text, flush=True))
        self.passed = 0
        self.failed = 0

    async def check(self, name: str, work: Callable[[], Awaitable[str | None]]) -> bool:
        """Run a check and print its name with its text, if any. A failure is printed, not raised."""
        began = time.perf_counter()
        try:
            said = await work()
        except (CheckError, aiohttp.ClientError, TimeoutError, OSError) as error:
            return self._failed(name, began, str(error) or type(error).__name__)
        except (KeyError, IndexError, TypeError, ValueError) as error:  # an answer of a shape that nobody promised
            return self._failed(name, began, f"an unexpected answer: {error!r}")
        self.passed += 1
        self._write(f"✓ {name}{f': {said}' if said else ''}  ({_ms(began)})")
        return True

    def end(self) -> int:
        """Print the totals and return the exit status."""
        self._write(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed or not self.passed else 0

    def _failed(self, name: str, began: float, why: str) -> bool:
        self.failed += 1
        self._write(f"✗ {name}: {why}  ({_ms(began)})")
        return False


def _ms(began: float) -> str:
    seconds = time.perf_counter() - began
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
