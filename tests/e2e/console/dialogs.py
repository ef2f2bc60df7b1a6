"""Finds the open dialog of a page: notices in the corner are dialogs, too."""

from playwright.async_api import Locator, Page


def open_dialog(page: Page) -> Locator:
    """Return the dialog that is open."""
    return page.locator("[role=dialog]:not([aria-label=Notice])")


async def close_notices(page: Page) -> None:
    """Close the notices in the corner, which on a narrow window lie over buttons while the mouse is over them."""
    close = page.get_by_role("button", name="Close this notice")
    while await close.count():
        await close.first.click()
