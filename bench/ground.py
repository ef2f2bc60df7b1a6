"""The stack under test, in a temporary folder that is always removed at the end."""

import contextlib
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from checks.ports import free_port
from stack import client
from stack.folder import Folder
from stack.local import Options
from stack.postgres import Postgres

# What the figures need of the server: the time of each commit, and a count of statements.
_POSTGRES_OPTIONS = """
track_commit_timestamp = on
shared_preload_libraries = 'pg_stat_statements'
"""


@contextlib.contextmanager
def stack(report: Callable[[str], None], environment: Mapping[str, str] | None = None) -> Iterator[client.Running]:
    """Start a stack for the length of a ``with`` block. environment: further variables. Raises StackError."""
    folder = Path(tempfile.mkdtemp(prefix="clarion-bench-"))
    running: client.Running | None = None
    try:
        report("starting a stack of its own (the first time this builds the realtime hub)")
        prepare_postgres(folder)
        running = client.start(Options(data=folder, port=free_port()), environment=environment)
        yield running
    finally:
        report("stopping the stack")
        if running is not None:
            running.stop()
        shutil.rmtree(folder, ignore_errors=True)


def prepare_postgres(data: Path) -> None:
    """Create the database like the stack, and add our options to its configuration."""
    folder = Folder(data)
    server = Postgres(folder.path / "postgres", 0, folder.secrets().postgres_password)
    server.prepare()
    with (server.folder / "postgresql.conf").open("a") as config:
        config.write(_POSTGRES_OPTIONS)


def new_run() -> str:
    """Return the 16 characters that make the ids of one load unique."""
    return secrets.token_hex(8)
