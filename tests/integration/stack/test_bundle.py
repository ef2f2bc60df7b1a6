"""The size of the console as it is built from the sources."""

import pytest

from stack import console
from stack.bundle import first_loads

# Compressed by gzip. The editor of templates may be larger: it is loaded when it is opened.
MOST_BYTES = 300_000
# The library of the editor: its words are in no chunk of another screen.
_OF_EDITOR = "cm-content"


@pytest.fixture(scope="session")
def built() -> None:
    """The console, built."""
    console.build(print)


def test_every_screen_is_small_enough(built: None) -> None:
    """What a browser loads for any screen, without what is loaded later."""
    loads = first_loads(console.FOLDER / console.DIST)
    assert len(loads) > 10
    assert {name: size for name, size in loads.items() if size > MOST_BYTES} == {}


def test_the_editor_is_not_part_of_what_every_screen_loads(built: None) -> None:
    """It is several times as large as a screen."""
    page = (console.FOLDER / console.DIST / "index.html").read_text()
    first = [path for path in (console.FOLDER / console.DIST / "assets").glob("*.js") if path.name in page]
    assert first
    assert [path.name for path in first if _OF_EDITOR in path.read_text()] == []


def test_small_files_are_sent_compressed(built: None) -> None:
    """The build writes both compressed forms beside each script and style that is worth it."""
    files = [path for path in (console.FOLDER / console.DIST / "assets").iterdir() if path.suffix in {".js", ".css"}]
    for path in files:
        if path.stat().st_size >= 512:
            sizes = [path.with_name(path.name + suffix).stat().st_size for suffix in (".br", ".gz")]
            assert max(sizes) < path.stat().st_size
