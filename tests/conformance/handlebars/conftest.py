"""The specification, a worker as production runs it, and the figures that are printed at the end."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.render.frames import WorkerLimits
from services.render.pool import WorkerPool
from tests.conformance.handlebars import specification
from tests.waiting import end

# The property of a test that holds its line of the table.
FIGURES = "handlebars figures"
_LIMITS = WorkerLimits(cpu_s=1.0, output=256 * 1024, memory=96 * 1024 * 1024)


@pytest.fixture(scope="session", autouse=True)
def installed() -> None:
    """The specification is there."""
    specification.install()


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    """The render service's workers."""
    pool = WorkerPool(_LIMITS, workers=1, on_restart=lambda _: None)
    task = asyncio.create_task(pool.serve())
    await pool.ready()
    yield pool
    await end(task)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many cases of each file pass: here, and with pybars3 as it is."""
    reports = [report for kind in terminalreporter.stats.values() for report in kind]
    found = {dict(getattr(report, "user_properties", ())).get(FIGURES, "") for report in reports} - {""}
    rows = sorted(row.split("\t") for row in found)
    if not rows:
        return
    terminalreporter.section("Handlebars specification: cases passed, of those that need no JavaScript")
    terminalreporter.write_line(f"{'':<20}{'of':>5}{'Clarion':>9}{'pybars3':>9}")
    for file, total, ours, theirs in rows:
        terminalreporter.write_line(f"{file:<20}{total:>5}{ours:>9}{theirs:>9}")
    sums = [sum(int(row[column]) for row in rows) for column in (1, 2, 3)]
    terminalreporter.write_line(f"{'all':<20}{sums[0]:>5}{sums[1]:>9}{sums[2]:>9}")
