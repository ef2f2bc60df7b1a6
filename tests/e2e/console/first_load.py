"""Figures of the console's first load on a running stack: `python -m tests.e2e.console.first_load`.

CLARION_DATA names the stack, as for `make run`. A load is that of a browser without a cache; a screen is interactive
when its h1 is there, the list is read, and the script has nothing left to do.
"""

import asyncio
import os
import statistics
from typing import NamedTuple

from playwright.async_api import Browser

from stack import console
from stack.bundle import first_loads
from stack.client import Running
from stack.local import Options
from tests.e2e.browser import open_browser
from tests.e2e.console.visit import WIDE_LIGHT, Visit

_LOADS = 10
_SCREEN, _SOURCE = "/messages", "src/screens/messages/MessagesScreen.tsx"
# Since the navigation began, in milliseconds.
_INTERACTIVE = """() => new Promise((resolve) => requestIdleCallback(() => resolve(performance.now())))"""
_TRANSFERRED = """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
    .reduce((sum, one) => sum + one.transferSize, 0)"""
# What was asked for, in the order in which it was: path, begin and end in milliseconds, bytes.
_REQUESTS = """() => performance.getEntriesByType("resource")
    .map((one) => [new URL(one.name).pathname, one.startTime, one.responseEnd, one.transferSize])"""


class _Load(NamedTuple):
    """Milliseconds until the first paint and until the screen was interactive, the bytes sent, and the requests."""

    painted: float
    ready: float
    sent: int
    requests: list[tuple[str, float, float, int]]


async def _load(browser: Browser, running: Running) -> _Load:
    async with Visit.opened(browser, running.url, WIDE_LIGHT, running.state.admin_token) as visit:
        await visit.open(_SCREEN)
        ready = await visit.page.evaluate(_INTERACTIVE)
        painted = await visit.page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        sent = await visit.page.evaluate(_TRANSFERRED)
        return _Load(painted, ready, sent, await visit.page.evaluate(_REQUESTS))


async def _measure(running: Running) -> None:
    async with open_browser() as browser:
        loads = [await _load(browser, running) for _ in range(_LOADS)]
    painted, ready, sent, requests = zip(*loads, strict=True)
    print(f"first paint   median {statistics.median(painted):5.0f} ms, slowest of {_LOADS} {max(painted):5.0f} ms")
    print(f"interactive   median {statistics.median(ready):5.0f} ms, slowest of {_LOADS} {max(ready):5.0f} ms")
    print(f"sent          {max(sent) / 1000:5.0f} kB, answers of the API among them")
    print(f"requests      {len(requests[-1]):5}, those of the last load:")
    for path, begin, end, size in requests[-1]:
        print(f"  {begin:6.0f} to {end:6.0f} ms {size:8,} bytes  {path}")


def main() -> None:
    """Print the figures."""
    sizes = first_loads(console.FOLDER / console.DIST)
    largest = max(sizes, key=lambda name: sizes[name])
    print(f"{_SCREEN[1:]:13} {sizes[_SOURCE] / 1000:5.0f} kB of scripts and styles, gzip")
    print(f"largest       {sizes[largest] / 1000:5.0f} kB: {largest}")
    asyncio.run(_measure(Running(Options.from_environment(os.environ).data)))


if __name__ == "__main__":
    main()
