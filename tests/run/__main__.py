"""Run pytest; then run each failed test once more, alone in a process of its own.

Usage: python -m tests.run [--renew-durations] [pytest's options]

A test that passes alone is flaky: it is printed and counted. The run fails if a test fails twice or more than three
tests are flaky.
"""

import subprocess
import sys

import pytest

from tests.run import durations
from tests.run.outcome import Outcome, Verdict, first_verdict, second_verdict

_ALONE = "--alone"
_RENEW = "--renew-durations"
# The longest that one test may take alone; pytest-timeout ends most of them earlier, and says where they stood.
_DEADLINE_S = 600


def main(arguments: list[str]) -> int:
    """Run the tests; return the exit status."""
    outcome = Outcome()
    status = pytest.main([argument for argument in arguments if argument != _RENEW], plugins=[outcome])
    verdict = first_verdict(int(status), outcome)
    if _RENEW in arguments:
        durations.renew(outcome.measured)
    if verdict is None:
        try:
            verdict = second_verdict({test: _passes_alone(test) for test in outcome.failed})
        except KeyboardInterrupt:
            verdict = Verdict(int(pytest.ExitCode.INTERRUPTED), ("interrupted while failed tests ran once more",))
    for line in verdict.lines:
        print(line)
    return verdict.status


def _passes_alone(test: str) -> bool:
    print(f"once more, alone: {test}", flush=True)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tests.run", _ALONE, test],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=_DEADLINE_S,
        )
    except subprocess.TimeoutExpired:
        print(f"it did not end within {_DEADLINE_S} s", flush=True)
        return False
    if done.returncode:
        sys.stdout.buffer.write(done.stdout)
        sys.stdout.flush()
    return done.returncode == 0


def _run_alone(test: str) -> int:
    """Run one test in this process. A test that is skipped or not found has not passed."""
    outcome = Outcome()
    status = int(pytest.main(["-q", "--no-header", test], plugins=[outcome]))
    return status or int(outcome.passed != {test})


if __name__ == "__main__":
    options = sys.argv[1:]
    sys.exit(_run_alone(options[1]) if options[:1] == [_ALONE] else main(options))
