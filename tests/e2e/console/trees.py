"""The accessibility trees of the screens, kept in trees/. `python -m tests.e2e.console.trees` renews them.

A tree has what assistive programs go by: landmarks, headings, names and states of controls, headers of tables, names of
facts. Texts and values are left out, and of the rows of a table only the controls of the first one: they are data.
What stands around a screen (navigation, tenant, search) is the same everywhere, and kept once, in frame.yml.
"""

import asyncio
import difflib
import itertools
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Page

from tests.e2e.browser import open_browser
from tests.e2e.console.fresh_stack import seeded_stack
from tests.e2e.console.screens import SCREENS, Screen
from tests.e2e.console.visit import WIDE_LIGHT, Visit

FOLDER = Path(__file__).parent / "trees"
FRAME = "frame"
_COMMAND = "python -m tests.e2e.console.trees"
# How long the last parts of a screen may take to arrive, in seconds, and how often it is looked at.
_ARRIVES_S = 15.0
_LOOK_S = 0.25

_LANDMARKS = "banner complementary contentinfo form main navigation region search"
_CONTROLS = "button checkbox combobox link menuitem meter radio searchbox slider spinbutton switch tab textbox"
_STRUCTURE = "alert alertdialog columnheader dialog group heading iframe img list listitem table tablist tabpanel term"
_KEPT = frozenset(f"{_LANDMARKS} {_CONTROLS} {_STRUCTURE}".split())
_NAMED_BY_TEXT = frozenset({"alert", "group", "term"})
# Lists are kept for what they hold, not for themselves.
_EMPTY_LEFT_OUT = frozenset({"list", "listitem"})
# Of a table with more rows than are shown.
_MORE = 'button "Show more"'
_LINE = re.compile(r'(?P<role>[a-z]+)(?: (?P<name>"(?:[^"\\]|\\.)*"))?(?P<states>(?: \[[^\]]*\])*)')
# What differs from run to run, and stands in names of controls.
_VARIES = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<id>"),
    (re.compile(r"[0-9a-f]{8}…[0-9a-f]{6}"), "<id>"),
    (re.compile(r"…[0-9a-zA-Z_-]{4}\b"), "<last4>"),
    (re.compile(r"127\.0\.0\.1:\d+"), "<host>"),
    (re.compile(r"Tenant: [^\"]+"), "Tenant: <name>"),
)


@dataclass
class _Node:
    depth: int
    role: str
    text: str


def _nodes(snapshot: str) -> Iterator[_Node]:
    """Read what Playwright writes: one line per node, nested by two spaces, quoted like YAML where it must be."""
    for line in snapshot.splitlines():
        content = line.lstrip(" ")
        text = content.removeprefix("- ")
        if text.startswith("'"):
            text = text[1:].replace("''", "\0").partition("'")[0].replace("\0", "'")
        if not content.startswith("- ") or not (found := _LINE.match(text)):
            continue
        shown = f"{found['role']} {found['name'] or ''}".strip() + found["states"]
        if found["role"] in _NAMED_BY_TEXT:
            shown += text[found.end() :]
        for pattern, word in _VARIES:
            shown = pattern.sub(word, shown)
        yield _Node((len(line) - len(content)) // 2, found["role"], shown)


def _without_rows(nodes: Sequence[_Node], *, keeps_first: bool) -> Iterator[_Node]:
    """Leave out the rows of tables, but for the headers and, with keeps_first, the first row that is none."""
    had_row: list[tuple[int, bool]] = []  # of each open table its depth, and whether a row without headers was in it
    skips_below = -1
    for at, node in enumerate(nodes):
        if -1 < skips_below < node.depth:
            continue
        skips_below = -1
        while had_row and node.depth <= had_row[-1][0]:
            had_row.pop()
        if node.role == "table":
            had_row.append((node.depth, False))
        if node.role == "row" and had_row and not _has_headers(nodes, at):
            depth, had = had_row.pop()
            had_row.append((depth, True))
            if had or not keeps_first:
                skips_below = node.depth
                continue
        yield node


def _without_items(nodes: Sequence[_Node]) -> Iterator[_Node]:
    """Leave out the items of lists, and the button that a long table has."""
    skips_below = -1
    for node in nodes:
        if -1 < skips_below < node.depth:
            continue
        skips_below = node.depth if node.role == "listitem" else -1
        if skips_below == -1 and node.text != _MORE:
            yield node


def _has_headers(nodes: Sequence[_Node], at: int) -> bool:
    return any(node.role == "columnheader" for node in _inside(nodes, at))


def _inside(nodes: Sequence[_Node], at: int) -> Iterator[_Node]:
    """Yield what is in a node."""
    return itertools.takewhile(lambda node: node.depth > nodes[at].depth, nodes[at + 1 :])


def _outline(nodes: Sequence[_Node]) -> str:
    """Return the kept ones as text, each below the kept one that it is in."""
    lines: list[str] = []
    above: list[tuple[int, bool]] = []  # depths of the nodes that the next one may be in, and whether they are kept
    for at, node in enumerate(nodes):
        while above and node.depth <= above[-1][0]:
            above.pop()
        is_kept = node.role in _KEPT and not _is_hollow(nodes, at)
        if is_kept:
            lines.append(f"{'  ' * sum(kept for _, kept in above)}- {node.text}")
        above.append((node.depth, is_kept))
    return "\n".join(lines) + "\n"


def _is_hollow(nodes: Sequence[_Node], at: int) -> bool:
    """Tell whether a list or an item holds nothing that is kept."""
    if nodes[at].role not in _EMPTY_LEFT_OUT:
        return False
    return not any(node.role in _KEPT - _EMPTY_LEFT_OUT for node in _inside(nodes, at))


@dataclass(frozen=True)
class Trees:
    """screen: the tree of the main part. frame: that of what stands around it; empty without a session."""

    screen: str
    frame: str


def outlined(snapshot: str, screen: Screen) -> Trees:
    """Return the trees of a page. snapshot: Playwright's, of its body."""
    nodes = list(_without_rows(list(_nodes(snapshot)), keeps_first=not screen.lists_all))
    main: list[_Node] = []
    around: list[_Node] = []
    inside: int | None = None
    for node in nodes:
        if inside is not None and node.depth <= inside:
            inside = None
        if node.role == "main":
            inside = node.depth
            around.append(node)
        (around if inside is None else main).append(node)
    if screen.lists_all:
        main = list(_without_items(main))
    return Trees(_outline(main), "" if screen.signed_out else _outline(around))


async def _trees(page: Page, screen: Screen) -> Trees:
    return outlined(await page.locator("body").aria_snapshot(), screen)


def _kept(name: str) -> str:
    file = FOLDER / f"{name}.yml"
    return file.read_text(encoding="utf-8") if file.exists() else ""


def _difference(name: str, found: str) -> str:
    """Return how a tree differs from the kept one, line by line; empty: not at all."""
    lines = difflib.unified_diff(
        _kept(name).splitlines(), found.splitlines(), f"trees/{name}.yml", "the page", lineterm="", n=2
    )
    return "\n".join(lines)


async def difference(visit: Visit, screen: Screen) -> str:
    """Return how the open screen differs from its kept tree; waits for parts that arrive late. Empty: not at all."""
    until = time.monotonic() + _ARRIVES_S
    while True:
        trees = await _trees(visit.page, screen)
        found = {screen.name: trees.screen} | ({FRAME: trees.frame} if trees.frame else {})
        differs = "\n".join(filter(None, (_difference(name, tree) for name, tree in found.items())))
        if not differs:
            return ""
        if time.monotonic() > until:
            return f"{differs}\nIf this is what it should be: {_COMMAND} {screen.name}"
        await asyncio.sleep(_LOOK_S)


async def _settled(page: Page, screen: Screen) -> Trees:
    """Return the trees once they have stayed the same for a second."""
    await page.wait_for_load_state("networkidle")
    trees, since = await _trees(page, screen), time.monotonic()
    while time.monotonic() - since < 1:
        await asyncio.sleep(_LOOK_S)
        now = await _trees(page, screen)
        if now != trees:
            trees, since = now, time.monotonic()
    return trees


async def renew(names: Sequence[str] = ()) -> None:
    """Write the trees of these screens, all if none is named."""
    FOLDER.mkdir(exist_ok=True)
    async with seeded_stack() as (running, world), open_browser() as browser:
        for screen in SCREENS:
            if names and screen.name not in names:
                continue
            async with Visit.opened(browser, running.url, WIDE_LIGHT, "") as visit:
                if not screen.signed_out:
                    await visit.sign_in(world.boss)
                await visit.open(screen.path.format_map(world.ids))
                trees = await _settled(visit.page, screen)
            (FOLDER / f"{screen.name}.yml").write_text(trees.screen, encoding="utf-8")
            if trees.frame:
                (FOLDER / f"{FRAME}.yml").write_text(trees.frame, encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(renew(sys.argv[1:]))
