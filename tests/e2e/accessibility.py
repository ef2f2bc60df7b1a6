"""What axe-core finds on a page."""

from typing import Any

from playwright.async_api import Page

from stack import npm
from stack.console import FOLDER
from tests.packages import installed

_GRAVE = ("serious", "critical")
_RUN = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations.map((one) => ({
    id: one.id, impact: one.impact, help: one.help, nodes: one.nodes.slice(0, 5).map((node) => node.html),
}))"""


async def grave_faults(page: Page) -> list[dict[str, Any]]:
    """Return what stops people from using the page as it is now."""
    installed(FOLDER)
    await page.evaluate((FOLDER / npm.MODULES / "axe-core" / "axe.min.js").read_text())
    found: list[dict[str, Any]] = await page.evaluate(_RUN)
    return [one for one in found if one["impact"] in _GRAVE]
