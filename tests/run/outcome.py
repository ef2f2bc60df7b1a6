"""What came of a run of pytest, and what follows from it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

# More flaky tests than this in one run are a failure.
MOST_FLAKY = 3
# If more tests failed, something is broken and no test runs a second time.
MOST_AGAIN = 20


@dataclass(eq=False)  # pytest puts its plugins into sets
class Outcome:
    """A pytest plugin that notes which tests passed and failed, also if other processes run them."""

    collected: set[str] = field(default_factory=set)
    passed: set[str] = field(default_factory=set)
    # In the order in which they failed: in the test, its setup or its teardown, or by the end of its process.
    failed: dict[str, None] = field(default_factory=dict)
    # Modules and folders that could not be read.
    unreadable: list[str] = field(default_factory=list)
    # By file: setup, test and teardown of all of its tests.
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    _reported: set[str] = field(default_factory=set)

    @property
    def not_run(self) -> set[str]:
        """The collected tests that never ran."""
        return self.collected - self._reported

    @property
    def measured(self) -> dict[str, float]:
        """The seconds of each file of which all collected tests ran."""
        unfinished = {test.partition("::")[0] for test in self.not_run}
        return {file: taken for file, taken in self.seconds.items() if file not in unfinished}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note the tests of this process."""
        self.collected.update(item.nodeid for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: object, ids: Sequence[str]) -> None:
        """Note the tests of another process."""
        self.collected.update(ids)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note what could not be read."""
        if report.failed:
            self.unreadable.append(report.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the result of a test's setup, of the test, or of its teardown."""
        self._reported.add(report.nodeid)
        self.seconds[report.nodeid.partition("::")[0]] += report.duration
        if report.failed:
            self.failed[report.nodeid] = None
        elif report.when == "call" and report.passed:
            self.passed.add(report.nodeid)


@dataclass(frozen=True)
class Verdict:
    """The last lines of a run and its exit status."""

    status: int
    lines: tuple[str, ...] = ()


def first_verdict(status: int, outcome: Outcome) -> Verdict | None:
    """Return the verdict of a first run; None if the failed tests must run once more. status: pytest's."""
    interrupted = status not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}
    if interrupted or outcome.unreadable:
        return Verdict(status or 1)
    if outcome.not_run:
        return Verdict(1, (f"{len(outcome.not_run)} tests did not run",))
    if len(outcome.failed) > MOST_AGAIN:
        return Verdict(1, (f"{len(outcome.failed)} tests failed: too many to run each once more",))
    if outcome.failed:
        return None
    return Verdict(status)


def second_verdict(passed_alone: dict[str, bool]) -> Verdict:
    """Return the verdict after each failed test ran once more. passed_alone: in the order of their failures."""
    flaky = [test for test, passed in passed_alone.items() if passed]
    again = [test for test, passed in passed_alone.items() if not passed]
    lines = [f"failed twice: {test}" for test in again]
    lines += [f"flaky: {test}" for test in flaky]
    lines.append(f"{len(again)} failed twice, {len(flaky)} flaky (at most {MOST_FLAKY} may be)")
    return Verdict(1 if again or len(flaky) > MOST_FLAKY else 0, tuple(lines))
