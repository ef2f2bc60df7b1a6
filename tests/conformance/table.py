"""The table that a conformance suite prints at its end: rows passed of rows, each of its modules on a line."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Table:
    """vendor: in the heading. folder: whose tests are rows, but for those of the modules in without."""

    vendor: str
    folder: Path
    without: Collection[str] = field(default=())

    @property
    def _key(self) -> str:
        return f"{self.vendor} row"

    def name_rows(self, items: list[pytest.Item]) -> None:
        """Name each row: its module and the test's name within it."""
        for item in items:
            if item.path.parent == self.folder and item.path.stem not in self.without:
                row = f"{item.path.stem.removeprefix('test_')}.{item.name[5:]}"
                item.user_properties.append((self._key, row))

    def write(self, reporter: Any) -> None:
        """Print the table, if any row was run."""
        passed, rows, missing = Counter[str](), Counter[str](), []
        for outcome in ("passed", "failed", "error", "skipped"):
            for report in reporter.stats.get(outcome, []):
                row = dict(getattr(report, "user_properties", ())).get(self._key)
                if row is None or (outcome == "passed" and report.when != "call"):
                    continue
                module = row.partition(".")[0]
                rows[module] += 1
                passed[module] += outcome == "passed"
                missing += [f"  {outcome}: {row}"] if outcome != "passed" else []
        if not rows:
            return
        reporter.section(f"{self.vendor}, row by row")
        for module in rows:
            reporter.write_line(f"  {module.replace('_', ' '):<24} {passed[module]:>3} of {rows[module]:>3}")
        reporter.write_line("\n".join([f"  {'all rows':<24} {passed.total():>3} of {rows.total():>3}", *missing]))
