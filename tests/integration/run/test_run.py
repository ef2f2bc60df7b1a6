"""The runner of `make test`, on small projects of pytest's own kind and in processes of their own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# A test of these fails the first time that it runs, and passes later.
_FLAKY = """
import pathlib
def once(name):
    seen = pathlib.Path(__file__).with_name(name)
    first = not seen.exists()
    seen.touch()
    return first
"""
_PASSES = "def test_passes(): pass\n"
_INI = "[pytest]\ntestpaths = cases\naddopts = --import-mode=importlib -p no:cacheprovider -p xdist.plugin\n"
_CONFTEST = """
from tests.run.sharing import ByUnit
def pytest_xdist_make_scheduler(config, log): return ByUnit(config, log)
"""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return what writes test files and runs them, with two processes."""

    def go(*arguments: str, **files: str) -> "subprocess.CompletedProcess[str]":
        (tmp_path / "pytest.ini").write_text(_INI)
        folder = tmp_path / "cases"  # with a conftest.py below the root, as in the real tree
        folder.mkdir()
        for name, text in {"conftest": _CONFTEST, **files}.items():
            (folder / f"{name}.py").write_text(text)
        return subprocess.run(
            _command(*arguments), cwd=tmp_path, env=_environment(), capture_output=True, text=True, check=False
        )

    return go


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tests.run", "--numprocesses", "2", *arguments]


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    # Of all plugins only pytest-xdist: some take seconds to load.
    return {**kept, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def _last(done: "subprocess.CompletedProcess[str]", lines: int = 1) -> list[str]:
    return done.stdout.splitlines()[-lines:]


def test_a_green_run(run: Run) -> None:
    """Nothing runs again."""
    done = run(test_a=_PASSES)
    assert done.returncode == 0, done.stdout
    assert "once more" not in done.stdout


def test_a_failing_test_is_red(run: Run) -> None:
    """It fails alone too."""
    done = run(test_a=_PASSES, test_b="def test_fails(): assert 1 == 2\n")
    assert done.returncode == 1
    assert _last(done, 2) == ["failed twice: cases/test_b.py::test_fails", "1 failed twice, 0 flaky (at most 3 may be)"]


@pytest.mark.parametrize(("count", "status"), [(1, 0), (3, 0), (4, 1)])
def test_flaky_tests_are_named_and_counted(run: Run, count: int, status: int) -> None:
    """Up to three are no failure; ids with odd characters come back as they are."""
    text = f"""{_FLAKY}
import pytest
@pytest.mark.parametrize("name", [f"a b/{{n}}::c[" for n in range({count})])
def test_x(name): assert not once(name[4])
"""
    done = run(test_a=text)
    assert done.returncode == status, done.stdout
    assert _last(done, count + 1) == [
        *(f"flaky: cases/test_a.py::test_x[a b/{number}::c[]" for number in range(count)),
        f"0 failed twice, {count} flaky (at most 3 may be)",
    ]


def test_setup_and_teardown_count(run: Run) -> None:
    """A test whose fixture fails is run again, with a fixture of its own."""
    text = f"""{_FLAKY}
import pytest
@pytest.fixture(scope="module")
def server():
    assert not once("setup")
    yield
@pytest.fixture
def ends():
    yield
    assert not once("teardown")
def test_one(server): pass
def test_two(server): pass
def test_three(ends): pass
"""
    done = run(test_a=text)
    assert done.returncode == 0, done.stdout
    assert _last(done, 4) == [
        "flaky: cases/test_a.py::test_one",
        "flaky: cases/test_a.py::test_two",
        "flaky: cases/test_a.py::test_three",
        "0 failed twice, 3 flaky (at most 3 may be)",
    ]


def test_a_crash_fails_one_test(run: Run, tmp_path: Path) -> None:
    """The process is replaced, and runs the tests after it; the test itself runs once in each run."""
    text = f"""{_FLAKY}
import os
def test_before(): pass
def test_always():
    with open("times", "a") as file: file.write("x")
    os._exit(3)
def test_sometimes(): once("crash") and os._exit(3)
def test_after(): pass
"""
    done = run(test_a=text, test_b=_PASSES)
    assert done.returncode == 1
    assert "2 failed, 3 passed" in done.stdout
    assert _last(done, 3) == [
        "failed twice: cases/test_a.py::test_always",
        "flaky: cases/test_a.py::test_sometimes",
        "1 failed twice, 1 flaky (at most 3 may be)",
    ]
    assert (tmp_path / "times").read_text() == "xx"


def test_a_crash_at_the_very_end_ends_too(run: Run) -> None:
    """The finished files of the process that ended are not given out again."""
    files = {f"test_{number}": "def test_one(): pass\ndef test_two(): pass\n" for number in range(7)}
    done = run(**files, test_z="import os\ndef test_first(): pass\ndef test_last(): os._exit(3)\n")
    assert done.returncode == 1
    assert "1 failed, 15 passed" in done.stdout
    assert _last(done, 2)[0] == "failed twice: cases/test_z.py::test_last"


def test_skipped_alone_is_failed(run: Run) -> None:
    """Only a test that passes is flaky."""
    text = f'{_FLAKY}\nimport pytest\ndef test_x():\n    assert not once("x")\n    pytest.skip("nothing to do")\n'
    done = run(test_a=text)
    assert done.returncode == 1
    assert _last(done, 2)[0] == "failed twice: cases/test_a.py::test_x"


def test_what_cannot_be_read_is_red(run: Run) -> None:
    """Nothing runs again, although the other tests pass."""
    done = run("--continue-on-collection-errors", test_a="import nothing_like_it\n", test_b=_PASSES)
    assert done.returncode not in {0, pytest.ExitCode.NO_TESTS_COLLECTED}
    assert "once more" not in done.stdout


def test_no_tests_are_red(run: Run) -> None:
    """A run that tests nothing is not green."""
    assert run(test_a="").returncode == pytest.ExitCode.NO_TESTS_COLLECTED


def test_a_run_that_stops_early_is_red(run: Run) -> None:
    """The tests that did not run have no result."""
    text = f'{_FLAKY}\ndef test_0(): assert not once("x")\n' + "".join(f"def test_{n}(): pass\n" for n in range(1, 9))
    done = run("--maxfail=1", "--numprocesses", "0", test_a=text)
    assert done.returncode == 1
    assert _last(done) == ["8 tests did not run"]


def test_ctrl_c_ends_it(tmp_path: Path) -> None:
    """Red, and no test runs again."""
    (tmp_path / "test_a.py").write_text(
        "import threading\ndef test_fails(): assert 0\ndef test_waits():\n"
        '    print("it waits", flush=True)\n    threading.Event().wait(120)\n'
    )
    # A shell's background job ignores the signal, and so would all that it starts.
    code = (
        "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        ' runpy.run_module("tests.run", run_name="__main__", alter_sys=True)'
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, "-p", "no:cacheprovider", "--rootdir=.", "--capture=no"],
        cwd=tmp_path,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert any("it waits" in line for line in process.stdout)
        os.killpg(process.pid, signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(30) == pytest.ExitCode.INTERRUPTED
    assert "once more" not in rest
