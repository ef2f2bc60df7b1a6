"""Finds the open dialog of a page: notices in the corner are dialogs, too."""

import contextlib

from playwright.async_api import Locator, Page
from playwright.async_api import TimeoutError as PlaywrightTimeout

_CLICK_MS = 2_000


def open_dialog(page: Page) -> Locator:
    """Return the dialog that is open."""
    return page.locator("[role=dialog]:not([aria-label=Notice])")


async def close_notices(page: Page) -> None:
    """Close the notices in the corner, which on a narrow window lie over buttons while the mouse is over them."""
    close = page.get_by_role("button", name="Close this notice")
    while await close.count():
        # A notice may end by itself before it is clicked.
        with contextlib.suppress(PlaywrightTimeout):
            await close.first.click(timeout=_CLICK_MS)
