"""Which tests stay together, and which come first."""

from pathlib import Path
from typing import cast

import pytest

from tests.run import durations, sharing


class _Item:
    """A test of which only the id is known."""

    def __init__(self, nodeid: str) -> None:
        self.nodeid = nodeid


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tree in which one folder has a fixture for all of its tests."""
    for folder in ("tests/stack/deep", "tests/own"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "tests" / "conftest.py").write_text('@pytest.fixture(scope="session")\n')
    (tmp_path / "tests" / "stack" / "conftest.py").write_text('@pytest.fixture(scope="package")\n')
    (tmp_path / "tests" / "own" / "conftest.py").write_text("@pytest.fixture\n")
    return tmp_path


@pytest.mark.parametrize(
    ("nodeid", "unit"),
    [
        ("tests/stack/test_a.py::test_x[a/b::c]", "tests/stack"),
        ("tests/stack/deep/test_b.py::test_x", "tests/stack"),
        ("tests/own/test_c.py::Test::test_x", "tests/own/test_c.py"),
        ("test_d.py::test_x", "test_d.py"),
    ],
)
def test_a_unit_is_a_file_or_a_folder_that_shares_a_fixture(root: Path, nodeid: str, unit: str) -> None:
    """A folder that starts one stack for all of its tests is not torn apart."""
    assert sharing.unit_of(root, nodeid) == unit


def test_the_longest_unit_comes_first(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder counts with all of its files; a file's order stays."""
    seconds = {"tests/stack/test_a.py": 6.0, "tests/stack/deep/test_b.py": 5.0, "tests/own/test_long.py": 10.0}
    monkeypatch.setattr(durations, "expected", lambda name: seconds.get(name, 1.0))
    files = ("own/test_c", "own/test_long", "stack/test_a", "own/test_d", "stack/deep/test_b", "own/test_c")
    ids = [f"tests/{file}.py::test_{number}" for number, file in enumerate(files)]
    found = sharing.ordered(root, cast("list[pytest.Item]", [_Item(nodeid) for nodeid in ids]))
    assert [item.nodeid for item in found] == [
        "tests/stack/test_a.py::test_2",
        "tests/stack/deep/test_b.py::test_4",
        "tests/own/test_long.py::test_1",
        "tests/own/test_c.py::test_0",
        "tests/own/test_c.py::test_5",
        "tests/own/test_d.py::test_3",
    ]


def test_a_file_that_nobody_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts as much as its folder's others, or those of the folder around it; one of fast tests with a second."""
    names = {"own/deep/test_a": 30.0, "own/test_b": 10.0, "own/test_c": 12.0, "unit/test_d": 5.0}
    seconds = {f"tests/{name}.py": taken for name, taken in names.items()}
    monkeypatch.setattr(durations, "measured", lambda: seconds)
    new = ("own/test_x", "own/deep/test_x", "own/other/test_x", "unit/test_x", "unit/new/test_x", "alone/test_x")
    assert [durations.expected(f"tests/{name}.py") for name in new] == [12.0, 30.0, 12.0, 1.0, 1.0, 11.0]
    assert durations.expected("tests/own/test_b.py") == 10.0


def test_durations_are_those_of_the_last_run(tmp_path: Path) -> None:
    """Sorted, without short ones and files that are gone; files that did not run stay as they were."""
    file = tmp_path / "durations.json"
    file.write_text('{"test_gone.py": 3.0, "test_short.py": 5.0, "test_other.py": 2.0}')
    for name in ("test_short.py", "test_other.py"):
        (tmp_path / name).touch()
    durations.renew({"test_b.py": 12.345, "test_a.py": 1.0, "test_short.py": 0.99}, file, tmp_path)
    assert file.read_text() == '{\n "test_a.py": 1.0,\n "test_b.py": 12.3,\n "test_other.py": 2.0\n}\n'


def test_no_measured_file_is_gone() -> None:
    """A file that was moved has its old name here no longer: run `make durations`, or rename it there."""
    root = Path(__file__).parents[3]
    assert [name for name in durations.measured() if not (root / name).exists()] == []
