"""Takes pictures of every screen of a running stack: `python -m tests.e2e.console.screenshots FOLDER`.

CLARION_DATA names the stack, as for `make run`. A picture is <screen>-<width>-<scheme>.png; FOLDER/index.html shows
them side by side.
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from playwright.async_api import Browser

from checks.client import connect
from stack.client import Running
from stack.local import Options
from tests.e2e.browser import open_browser
from tests.e2e.console.screens import SCREENS, find_objects
from tests.e2e.console.visit import ALL_LOOKS, Look, Visit


async def take(running: Running, folder: Path, names: Sequence[str] = ()) -> list[str]:
    """Take the pictures; names: only of these screens. Return what the pages complained about."""
    async with connect(running.state) as client, open_browser() as browser:
        known = await find_objects(client)
        faults = []
        for look in ALL_LOOKS:
            faults += await _take(browser, running, look, known, folder, names)
    return faults


async def _take(
    browser: Browser, running: Running, look: Look, known: dict[str, str], folder: Path, names: Sequence[str]
) -> list[str]:
    async with Visit.opened(browser, running.url, look, running.state.admin_token) as visit:
        for screen in SCREENS:
            if names and screen.name not in names:
                continue
            await visit.open(screen.path.format_map(known))
            await visit.page.wait_for_load_state("networkidle")  # a mail comes after its frame
            await visit.page.screenshot(path=folder / f"{screen.name}-{look.name}.png", full_page=True)
        return visit.faults


def _index(folder: Path) -> str:
    pictures = sorted(path.name for path in folder.glob("*.png"))
    shown = "".join(
        f'<figure><img src="{name}" width="700" alt=""><figcaption>{name}</figcaption></figure>' for name in pictures
    )
    return f'<!doctype html><meta charset="utf-8"><title>Screens</title>{shown}'


def main(arguments: Sequence[str]) -> int:
    """Take the pictures and print complaints. Return 1 if there were any."""
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    running = Running(Options.from_environment(os.environ).data)
    faults = asyncio.run(take(running, folder, arguments[1:]))
    (folder / "index.html").write_text(_index(folder))
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
