"""tests/e2e/console/screens.py names every screen of the console, so that each is tried and pictured."""

import re
from collections.abc import Iterator

from stack.console import FOLDER
from tests.e2e.console.screens import SCREENS

_ROUTE = re.compile(r'const (\w+) = createRoute\(\{\s*getParentRoute: \(\) => (\w+),\s*path: "([^"]*)"')
# Seen without a session, which the screens of the list have: their own tests try them.
_SIGNED_OUT = {"/sign-in", "/join"}


def _paths() -> Iterator[str]:
    """Yield the path of each screen, with a $ for each parameter."""
    for file in (FOLDER / "src" / "screens").glob("*/routes.tsx"):
        routes = {name: (parent, path) for name, parent, path in _ROUTE.findall(file.read_text())}
        with_index = {parent for parent, path in routes.values() if path == "/"}
        for name, (parent, path) in routes.items():
            above = routes[parent][1] if parent in routes else ""
            if name not in with_index:
                yield re.sub(r"\$\w+", "$", (above + path).rstrip("/"))


def test_every_screen_is_listed() -> None:
    """Whoever adds a screen adds it to the list."""
    listed = {re.sub(r"\{\w+\}", "$", screen.path.partition("?")[0]) for screen in SCREENS}
    assert set(_paths()) - _SIGNED_OUT - listed == set()
