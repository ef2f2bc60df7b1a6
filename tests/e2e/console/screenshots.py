"""Takes pictures of every screen, full length: `python -m tests.e2e.console.screenshots FOLDER [SCREEN ...]`.

It starts a stack of its own, which has something to show on every screen, and signs in as its owner. A picture is
<screen>-<width>-<scheme>.png; FOLDER/index.html shows them side by side.
"""

import asyncio
import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

from playwright.async_api import Page
from playwright.async_api import TimeoutError as PlaywrightTimeout

from tests.e2e.browser import open_browser
from tests.e2e.console.fresh_stack import seeded_stack
from tests.e2e.console.screens import SCREENS
from tests.e2e.console.visit import ALL_LOOKS, WIDE_LIGHT, Look, Visit

# A mail is painted when it is in sight, a moment after its frame has it.
_PAINTED_MS = 700
_MAX_HEIGHT = 8000
_IDLE_MS = 10_000


async def be_idle(page: Page) -> None:
    """Wait until nothing is loaded any more, not for ever: a screen that renews itself is never idle."""
    with contextlib.suppress(PlaywrightTimeout):
        await page.wait_for_load_state("networkidle", timeout=_IDLE_MS)


async def take(page: Page, file: Path, *, whole: bool = True) -> None:
    """Take a picture of the open screen, once all of it has arrived. whole: in a window that is as high as the page."""
    await be_idle(page)
    if whole and page.viewport_size:
        height = await page.evaluate("document.documentElement.scrollHeight")
        await page.set_viewport_size({"width": page.viewport_size["width"], "height": min(height, _MAX_HEIGHT)})
    if await page.locator("iframe").count():
        await page.wait_for_timeout(_PAINTED_MS)
    await page.evaluate("window.scrollTo(0, 0)")
    await page.screenshot(path=file, animations="disabled")


async def take_all(folder: Path, names: Sequence[str] = ()) -> list[str]:
    """Take the pictures; names: only of these screens. Return what the pages complained about."""
    faults: list[str] = []
    async with (
        seeded_stack() as (running, world),
        open_browser() as browser,
        Visit.opened(browser, running.url, WIDE_LIGHT, "") as inside,
        Visit.opened(browser, running.url, WIDE_LIGHT, "") as outside,
    ):
        outside.allow("status of 401")
        await inside.sign_in(world.boss)
        for screen in SCREENS:
            if names and screen.name not in names:
                continue
            visit = outside if screen.signed_out else inside
            path = screen.path.format_map(world.ids)
            for width in dict.fromkeys(look.width for look in ALL_LOOKS):
                await _take(visit, path, [look for look in ALL_LOOKS if look.width == width], folder / screen.name)
        faults += [*inside.faults, *outside.left()]
    return faults


async def _take(visit: Visit, path: str, looks: Sequence[Look], name: Path) -> None:
    """Open a screen once, and take its picture in several colors. name: of the file, without the look."""
    await visit.look(looks[0])
    await visit.open(path)
    for look in looks:
        await visit.look(look)
        await take(visit.page, name.with_name(f"{name.name}-{look.name}.png"))


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
    faults = asyncio.run(take_all(folder, arguments[1:]))
    (folder / "index.html").write_text(_index(folder))
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
