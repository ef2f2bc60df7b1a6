"""Finds the open dialog of a page: notices in the corner are dialogs, too."""

from playwright.async_api import Locator, Page


def open_dialog(page: Page) -> Locator:
    """Return the dialog that is open."""
    return page.locator("[role=dialog]:not([aria-label=Notice])")
