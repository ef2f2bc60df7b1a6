"""The specification, a worker as production runs it, and the figures that are printed at the end."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from services.render.engines import CLARION, PYBARS3
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
async def pools() -> AsyncIterator[dict[str, WorkerPool]]:
    """The render service's workers, by engine."""
    pools = {
        name: WorkerPool(replace(_LIMITS, engine=name), workers=1, on_restart=lambda _: None)
        for name in (CLARION, PYBARS3)
    }
    tasks = [asyncio.create_task(pool.serve()) for pool in pools.values()]
    for pool in pools.values():
        await pool.ready()
    yield pools
    for task in tasks:
        await end(task)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many cases of each file pass: with each engine, and with pybars3 as it is published."""
    reports = [report for kind in terminalreporter.stats.values() for report in kind]
    found = {dict(getattr(report, "user_properties", ())).get(FIGURES, "") for report in reports} - {""}
    rows = sorted(row.split("\t") for row in found)
    if not rows:
        return
    terminalreporter.section("Handlebars specification: cases passed, of those that need no JavaScript")
    terminalreporter.write_line(f"{'':<20}{'of':>5}{'clarion':>9}{'pybars3':>9}{'published':>11}")
    sums = [str(sum(int(row[column]) for row in rows)) for column in range(1, 5)]
    for file, total, ours, theirs, published in [*rows, ["all", *sums]]:
        terminalreporter.write_line(f"{file:<20}{total:>5}{ours:>9}{theirs:>9}{published:>11}")
