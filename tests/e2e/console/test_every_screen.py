"""Every screen, as its owner sees it: in light and dark, on a wide and on a narrow window, by its accessibility tree.

A screen is loaded once: its colors and its width change while it is open.
"""

from collections.abc import Awaitable, Callable

import pytest

from checks.client import Client
from stack.client import Running
from tests.e2e.console import trees
from tests.e2e.console.conftest import OpenVisit
from tests.e2e.console.screens import SCREENS, Screen
from tests.e2e.console.seeding import World, seeded
from tests.e2e.console.visit import WIDE_LIGHT, Look, Visit

_WIDE_DARK = Look(scheme="dark")
_NARROW_DARK = Look(width=390, scheme="dark")


async def _said_by(check: Callable[[], Awaitable[None] | None]) -> str:
    """Return why a check fails; empty: it does not."""
    try:
        if waiting := check():
            await waiting
    except AssertionError as error:
        return str(error)
    return ""


async def _faults(visit: Visit, screen: Screen, world: World) -> list[str]:
    """Open a screen and return all that is wrong with it."""
    await visit.look(WIDE_LIGHT)
    await visit.open(screen.path.format_map(world.ids))
    found = [
        ("wide", await _said_by(visit.assert_well_formed)),
        ("wide and light", await _said_by(visit.assert_accessible)),
        ("tree", await trees.difference(visit, screen)),
    ]
    await visit.look(_WIDE_DARK)
    found.append(("wide and dark", await _said_by(visit.assert_legible)))
    await visit.look(_NARROW_DARK)
    found += [
        ("narrow", await _said_by(visit.assert_well_formed)),
        ("narrow and dark", await _said_by(visit.assert_accessible)),
        ("complaints", await _said_by(visit.assert_faultless)),
    ]
    visit.faults.clear()
    return [f"{screen.name}, {what}: {said}" for what, said in found if said]


@pytest.mark.timeout(600)
async def test_every_screen_can_be_used_by_everybody(open_visit: OpenVisit, client: Client, running: Running) -> None:
    """axe-core finds nothing serious; one h1, one main region, nothing wider than the window; no complaint at all.

    And its accessibility tree is the kept one (trees.py), so that nothing loses its name or its heading unseen.
    """
    faults: list[str] = []
    async with seeded(client, running) as world, open_visit(token="") as inside, open_visit(token="") as outside:
        outside.allow("status of 401")
        await inside.sign_in(world.boss)
        for screen in SCREENS:
            faults += await _faults(outside if screen.signed_out else inside, screen, world)
    assert not faults, "\n\n".join(faults)


def test_every_tree_is_of_a_screen() -> None:
    """Whoever removes a screen removes its tree."""
    known = {screen.name for screen in SCREENS} | {trees.FRAME}
    assert {file.stem for file in trees.FOLDER.glob("*.yml")} == known


async def test_a_deep_link_shows_its_screen(visit: Visit) -> None:
    """The gateway answers each path with the page, which finds the screen; a reload finds it again."""
    await visit.open("/settings?tenant=none")
    await visit.page.reload()
    await visit.settled("Settings")
