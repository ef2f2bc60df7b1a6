"""How several processes share the tests: a file at a time, those that take longest first.

A folder whose conftest.py has a fixture of scope "package", such as a running stack, stays in one process.
"""

import functools
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from tests.run import durations

_SHARED = 'scope="package"'


def unit_of(root: Path, nodeid: str) -> str:
    """Return what of the tests stays in one process with this one: a folder or a file."""
    file = nodeid.partition("::")[0]
    return _shared_folder(root, file.rpartition("/")[0]) or file


def ordered(root: Path, items: list[pytest.Item]) -> list[pytest.Item]:
    """Return the tests by unit, the unit that takes longest first."""
    units = {item: unit_of(root, item.nodeid) for item in items}
    totals: defaultdict[str, float] = defaultdict(float)
    for file, unit in {(item.nodeid.partition("::")[0], unit) for item, unit in units.items()}:
        totals[unit] += durations.expected(file)
    return sorted(items, key=lambda item: (-totals[units[item]], units[item]))


class ByUnit(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist is not typed
    """Gives each process the next unit when it has nearly done its last one."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False  # they are in order already

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(self.config.rootpath, nodeid)

    def remove_node(self, node: WorkerController) -> str | None:
        """Take back what a process had left when it ended, and return the test that ended it: it does not run again."""
        work: dict[str, dict[str, bool]] = self.assigned_work[node]
        left = [(unit, test) for unit in work.values() for test, done in unit.items() if not done]
        if not left:
            super().remove_node(node)
            return None
        unit, crashed = left[0]
        unit[crashed] = True
        # Left in, a finished unit would be given out again; it sends no tests, and its process would wait for ever.
        for name in [name for name, tests in work.items() if all(tests.values())]:
            del work[name]
        super().remove_node(node)
        return crashed


@functools.cache
def _shared_folder(root: Path, folder: str) -> str:
    while folder:
        conftest = root / folder / "conftest.py"
        if conftest.exists() and _SHARED in conftest.read_text():
            return folder
        folder = folder.rpartition("/")[0]
    return ""
