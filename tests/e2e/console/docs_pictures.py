"""Renews the pictures of the console in docs/images: `python -m tests.e2e.console.docs_pictures [PICTURE ...]`.

Each is one window's height, in WebP, which the browser makes of it: at most 150 kB.
"""

import asyncio
import base64
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, Page, expect

from checks.client import connect, order
from stack.processes import ROOT
from tests.e2e.browser import open_browser
from tests.e2e.console.fresh_stack import seeded_stack
from tests.e2e.console.screenshots import be_idle, take
from tests.e2e.console.visit import WIDE_LIGHT, Look, Visit

FOLDER = ROOT / "docs" / "images"
_MAX_BYTES = 150_000
_DARK = Look(scheme="dark")
_TO_WEBP = """async ([png, quality]) => {
    const image = new Image();
    image.src = `data:image/png;base64,${png}`;
    await image.decode();
    const canvas = new OffscreenCanvas(image.width, image.height);
    canvas.getContext("2d").drawImage(image, 0, 0);
    const blob = await canvas.convertToBlob({ type: "image/webp", quality });
    return btoa(Array.from(new Uint8Array(await blob.arrayBuffer()), (byte) => String.fromCharCode(byte)).join(""));
}"""
_QUALITIES = (0.9, 0.8, 0.7, 0.6)


async def _break_template(page: Page) -> None:
    """Forget to close a condition, so that the error stands at its line."""
    await expect(page.get_by_title("Preview of the e-mail")).to_be_visible()
    await be_idle(page)
    body = page.get_by_role("textbox", name="Body", exact=True)
    await body.click()
    await page.keyboard.press("ControlOrMeta+End")
    await page.keyboard.insert_text("\n{{#if coupon}}")
    await expect(page.get_by_role("region", name="Errors")).to_be_visible()
    # The list of what could be inserted closes.
    await page.keyboard.press("Escape")


async def _open_bell(page: Page) -> None:
    await page.get_by_role("button", name="Notifications", exact=False).first.click()
    await expect(page.locator("clarion-inbox li").first).to_be_visible()


async def _try_workflow(page: Page) -> None:
    """Say what it would do for somebody with its tag, so that the result stands beside the steps."""
    await page.get_by_label("For whom").select_option("stored")
    await page.get_by_role("combobox", name="Recipient", exact=True).press("ArrowDown")
    await page.get_by_role("dialog").get_by_role("option").first.click()
    await page.get_by_role("button", name="Try it").click()
    await expect(page.get_by_role("list", name="What would happen")).to_be_visible()


@dataclass(frozen=True)
class Picture:
    """path: on the gateway, with ids as in screens.py. then: what is done before the picture is taken.

    height: of the window, in pixels.
    """

    name: str
    path: str
    looks: tuple[Look, ...] = (WIDE_LIGHT,)
    then: Callable[[Page], Awaitable[None]] | None = None
    height: int = 900


_BOTH = (WIDE_LIGHT, _DARK)
PICTURES = (
    Picture("messages", "/console/messages?tenant={tenant}", _BOTH),
    Picture("message-failed", "/console/messages/{event}?tenant={tenant}", _BOTH),
    Picture("template-editor", "/console/templates/{template}/edit?tenant={tenant}", _BOTH, _break_template),
    Picture("workflow", "/console/workflows/{workflow}?tenant={tenant}", _BOTH, _try_workflow, height=1200),
    Picture("schedule", "/console/schedules/{schedule}?tenant={tenant}"),
    Picture("trigger", "/console/triggers/{trigger}?tenant={tenant}"),
    Picture("segment", "/console/segments/{segment}?tenant={tenant}"),
    Picture("import", "/console/imports/{import}?tenant={tenant}"),
    Picture("providers", "/console/providers?tenant={tenant}"),
    Picture("endpoint", "/console/endpoints/{endpoint}?tenant={tenant}"),
    Picture("overview", "/console/overview?tenant={tenant}", height=1500),
    Picture("tenant", "/console/tenants/{tenant}?tenant={tenant}"),
    Picture("inbox", "/demo", then=_open_bell),
)


async def _webp(browser: Browser, png: bytes) -> bytes:
    """Return a picture as WebP, of the best quality that is small enough."""
    page = await browser.new_page()
    try:
        for quality in _QUALITIES:
            made = base64.b64decode(await page.evaluate(_TO_WEBP, [base64.b64encode(png).decode(), quality]))
            if len(made) <= _MAX_BYTES:
                return made
    finally:
        await page.close()
    raise SystemExit(f"A picture is larger than {_MAX_BYTES} bytes.")


async def renew(names: Sequence[str] = ()) -> None:
    """Take these pictures, all if none is named."""
    async with seeded_stack() as (running, world), open_browser() as browser:
        async with connect(running.state) as client:
            for number in (1041, 1042, 1043):
                await client.tenant.accept(order(f"A-{number}", client.user_id))
        for picture in PICTURES:
            if names and picture.name not in names:
                continue
            for look in picture.looks:
                async with Visit.opened(browser, running.url, look, "") as visit:
                    await visit.sign_in(world.boss)
                    await visit.page.goto(visit.url + picture.path.format_map(world.ids))
                    await visit.settled()  # a busy machine may be idle before it shows anything
                    await be_idle(visit.page)
                    await visit.page.set_viewport_size({"width": look.width, "height": picture.height})
                    if picture.then:
                        await picture.then(visit.page)
                    with tempfile.TemporaryDirectory() as folder:
                        png = Path(folder) / "picture.png"
                        await take(visit.page, png, whole=False)
                        made = await _webp(browser, png.read_bytes())
                suffix = "-dark" if look is _DARK else ""
                (FOLDER / f"console-{picture.name}{suffix}.webp").write_bytes(made)


if __name__ == "__main__":
    asyncio.run(renew(sys.argv[1:]))
