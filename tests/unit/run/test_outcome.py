"""What follows from a run, and from each failed test's second run."""

import pytest

from tests.run.outcome import MOST_AGAIN, MOST_FLAKY, Outcome, first_verdict, second_verdict


def _outcome(passed: int, failed: int) -> Outcome:
    outcome = Outcome()
    results = {f"test_x.py::test_{number}": number >= failed for number in range(passed + failed)}
    outcome.pytest_xdist_node_collection_finished(object(), list(results))
    for test, is_passed in results.items():
        outcome.pytest_runtest_logreport(_report(test, "passed" if is_passed else "failed"))
    return outcome


def _report(test: str, result: str, when: str = "call") -> pytest.TestReport:
    return pytest.TestReport(
        test,
        (test, 0, test),
        {},
        result,  # type: ignore[arg-type]  # a parameter of the tests, not a literal
        None,
        when,  # type: ignore[arg-type]  # xdist itself reports a crash with a phase of its own
        duration=0.5,
    )


def test_nothing_failed() -> None:
    """A green run is not repeated."""
    verdict = first_verdict(pytest.ExitCode.OK, _outcome(passed=2, failed=0))
    assert verdict is not None
    assert verdict.status == 0


def test_failed_tests_run_once_more() -> None:
    """There is no verdict after the first run."""
    assert first_verdict(pytest.ExitCode.TESTS_FAILED, _outcome(passed=1, failed=MOST_AGAIN)) is None


def test_a_broken_tree_is_not_run_again() -> None:
    """Too many failures are no flakiness."""
    verdict = first_verdict(pytest.ExitCode.TESTS_FAILED, _outcome(passed=1, failed=MOST_AGAIN + 1))
    assert verdict is not None
    assert verdict.status == 1


@pytest.mark.parametrize(
    "status", [pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.NO_TESTS_COLLECTED]
)
def test_what_is_no_result_stands(status: pytest.ExitCode) -> None:
    """Ctrl-C, an error of pytest's own and a run without tests are never turned into a green run."""
    verdict = first_verdict(status, _outcome(passed=0, failed=1))
    assert verdict is not None
    assert verdict.status == status


def test_failing_without_a_failed_test_is_red() -> None:
    """A plugin may fail the run."""
    verdict = first_verdict(pytest.ExitCode.TESTS_FAILED, _outcome(passed=1, failed=0))
    assert verdict is not None
    assert verdict.status == 1


@pytest.mark.parametrize("status", [pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED])
def test_an_unreadable_module_is_red(status: pytest.ExitCode) -> None:
    """Its tests are not known."""
    outcome = _outcome(passed=1, failed=1)
    outcome.pytest_collectreport(pytest.CollectReport("test_y.py", "failed", None, []))
    verdict = first_verdict(status, outcome)
    assert verdict is not None
    assert verdict.status == 1


@pytest.mark.parametrize("status", [pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED])
def test_a_run_that_ended_early_is_red(status: pytest.ExitCode) -> None:
    """After --maxfail, or when too many processes ended, some tests have no result."""
    outcome = _outcome(passed=1, failed=1)
    outcome.pytest_xdist_node_collection_finished(object(), ["test_x.py::test_never"])
    verdict = first_verdict(status, outcome)
    assert verdict is not None
    assert verdict.status == 1
    assert verdict.lines == ("1 tests did not run",)
    assert outcome.measured == {}


@pytest.mark.parametrize("when", ["setup", "teardown", "???"])
def test_every_phase_counts(when: str) -> None:
    """A test fails by its setup, its teardown, and by the end of its process, also when it passed before."""
    outcome = _outcome(passed=1, failed=0)
    outcome.pytest_runtest_logreport(_report("test_x.py::test_0", "failed", when))
    assert list(outcome.failed) == ["test_x.py::test_0"]
    assert outcome.seconds == {"test_x.py": 1.0}


def test_a_skipped_test_has_not_passed() -> None:
    """Skipped when it runs alone, it is not flaky: it fails."""
    outcome = Outcome()
    outcome.pytest_runtest_logreport(_report("test_x.py::test_0", "skipped"))
    outcome.pytest_runtest_logreport(_report("test_x.py::test_0", "passed", "teardown"))
    assert outcome.passed == set()


def test_flaky_tests_are_named() -> None:
    """Up to three of them."""
    verdict = second_verdict({f"test_{number}": True for number in range(MOST_FLAKY)})
    assert verdict.status == 0
    assert verdict.lines == (
        "flaky: test_0",
        "flaky: test_1",
        "flaky: test_2",
        "0 failed twice, 3 flaky (at most 3 may be)",
    )


def test_more_flaky_tests_are_a_failure() -> None:
    """Four are too many."""
    assert second_verdict({f"test_{number}": True for number in range(MOST_FLAKY + 1)}).status == 1


def test_a_test_that_fails_twice_is_a_failure() -> None:
    """It is named, as is the flaky one beside it."""
    verdict = second_verdict({"test_0": True, "test_1": False})
    assert verdict.status == 1
    assert verdict.lines[:2] == ("failed twice: test_1", "flaky: test_0")
