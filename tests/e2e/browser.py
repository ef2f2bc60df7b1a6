"""A real headless Chromium for tests: found on this machine, never downloaded."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
_FLAGS = (
    "--headless",
    "--no-sandbox",  # as root there is none; the pages are our own
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)

# How long a page may take to show what is expected of it.
expect.set_options(timeout=30_000)


def chromium() -> str:
    """Return the path of Chromium. Skips the test where there is none; in CI that is a failure."""
    for name in _NAMES:
        if found := shutil.which(name):
            return found
    missing = "No Chromium is on PATH (Debian: apt-get install chromium): pages are not tested."
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(missing)
    pytest.skip(missing)


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """Give a fresh browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=list(_FLAGS))
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def page_of(browser: Browser) -> AsyncIterator[Page]:
    """Give a page of a fresh profile."""
    context = await browser.new_context()
    try:
        page = await context.new_page()
        page.set_default_timeout(30_000)
        yield page
    finally:
        await context.close()
