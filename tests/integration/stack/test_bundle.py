"""The size of the console as it is built from the sources."""

import pytest

from stack import console
from stack.bundle import first_loads, with_editor

# Compressed by gzip, without the library of the code editor.
MOST_BYTES = 300_000


@pytest.fixture(scope="session")
def built() -> None:
    """The console, built."""
    console.build(print)


def test_every_screen_is_small_enough(built: None) -> None:
    """What a browser loads for any screen."""
    loads = first_loads(console.FOLDER / console.DIST)
    assert len(loads) > 10
    assert {name: size for name, size in loads.items() if size > MOST_BYTES} == {}


def test_the_editor_is_loaded_by_screens_of_templates_only(built: None) -> None:
    """Its library is as large as half of the rest."""
    found = with_editor(console.FOLDER / console.DIST)
    assert found
    assert [name for name in found if not name.startswith("src/screens/templates/")] == []


def test_small_files_are_sent_compressed(built: None) -> None:
    """The build writes both compressed forms beside each script and style that is worth it."""
    files = [path for path in (console.FOLDER / console.DIST / "assets").iterdir() if path.suffix in {".js", ".css"}]
    for path in files:
        if path.stat().st_size >= 512:
            sizes = [path.with_name(path.name + suffix).stat().st_size for suffix in (".br", ".gz")]
            assert max(sizes) < path.stat().st_size
