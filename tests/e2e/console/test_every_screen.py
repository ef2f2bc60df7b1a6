"""Every screen, in light and dark, on a wide and on a narrow window."""

import pytest

from checks.client import Client
from tests.e2e.console.screens import SCREENS, find_objects
from tests.e2e.console.visit import ALL_LOOKS, Visit


@pytest.mark.parametrize("visit", [pytest.param(look, id=look.name) for look in ALL_LOOKS], indirect=True)
async def test_every_screen_can_be_used_by_everybody(visit: Visit, client: Client) -> None:
    """axe-core finds nothing serious; one h1, one main region, nothing wider than the window; no complaint at all."""
    known = await find_objects(client)
    for screen in SCREENS:
        await visit.open(screen.path.format_map(known))
        await visit.assert_well_formed()
        await visit.assert_accessible()
        visit.assert_faultless()


async def test_a_deep_link_shows_its_screen(visit: Visit) -> None:
    """The gateway answers each path with the page, which finds the screen; a reload finds it again."""
    await visit.open("/settings?tenant=none")
    await visit.page.reload()
    await visit.settled("Settings")
