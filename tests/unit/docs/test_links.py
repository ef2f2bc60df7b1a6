"""Links between the pages lead somewhere, to the heading too, and pictures are small."""

import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[3]
_PAGES = sorted(
    path.relative_to(_ROOT)
    for pattern in ("*.md", "docs/**/*.md", "services/**/*.md", "gateway/**/*.md", "runtime/*.md", "checks/**/*.md")
    for path in _ROOT.glob(pattern)
    if "node_modules" not in path.parts
)
_LINK = re.compile(r"\]\((?P<target>[^()\s]+)\)")
_CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_MAX_PICTURE_BYTES = 150_000


def _anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as code hosts make them."""
    text = _CODE.sub("", page.read_text(encoding="utf-8"))
    words = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(text))
    return {heading.replace(" ", "-") for heading in words}


@pytest.mark.parametrize("page", _PAGES, ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    """Of all that are not to the world outside."""
    text = _CODE.sub("", (_ROOT / page).read_text(encoding="utf-8"))
    for target in _LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (_ROOT / page.parent / path).resolve() if path else _ROOT / page
        assert found.exists(), target
        if anchor and found.suffix == ".md":
            assert anchor in _anchors(found), target


def test_pictures_are_small() -> None:
    """A page is read over slow lines, too."""
    pictures = list((_ROOT / "docs" / "images").iterdir())
    assert pictures
    for picture in pictures:
        assert picture.stat().st_size <= _MAX_PICTURE_BYTES, picture.name
