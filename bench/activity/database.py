"""A PostgreSQL of this benchmark's own, and databases with ingest's schema."""

import asyncio
import contextlib
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg

from checks.ports import free_port
from runtime import migrations
from stack.launch import command_for
from stack.postgres import STOP_SIGNAL, USER, Postgres, environment, system_user

_INGEST = Path(__file__).parents[2] / "services" / "ingest"

# What the activity's migrations add to the ledger's writing.
_TRIGGERS = (
    ("activity_new", "deliveries"),
    ("activity_changed", "deliveries"),
    ("activity_new", "events"),
    ("activity_changed", "events"),
)
_INDEXES = (
    "events_under_way",
    "events_due_under_way",
    "events_trace",
    "events_reason",
    "recipients_email",
    "recipients_sms",
    "deliveries_reason",
    "deliveries_trouble_of_tenant",
)


# With full page writes, the first change of a page after a checkpoint writes the whole page as WAL. That would hide
# what the change itself costs.
_COUNTING = ["-c", "shared_preload_libraries=pg_stat_statements", "-c", "full_page_writes=off"]


@contextlib.contextmanager
def server(*, counting: bool = False) -> Iterator[Postgres]:
    """Run a server until the block ends, with the settings of the local stack. counting: for counting.py."""
    folder = Path(tempfile.mkdtemp(prefix="clarion-bench-"))
    folder.chmod(0o755)
    local = Postgres(folder / "data", free_port(), secrets.token_hex(16))
    local.prepare()
    words = local.command() + (_COUNTING if counting else [])
    command = command_for(words, death_signal=STOP_SIGNAL, user=system_user())
    with (folder / "log").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment(), cwd="/")
    try:
        asyncio.run(local.wait(60))
        yield local
    finally:
        process.send_signal(STOP_SIGNAL)
        process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


async def database(local: Postgres, name: str) -> str:
    """Create a database with ingest's schema; return its address."""
    connection = await asyncpg.connect(local.url("postgres"))
    await connection.execute(f"CREATE DATABASE {name} OWNER {USER}")
    await connection.close()
    await migrations.migrate(local.url(name), "ingest", _INGEST)
    return local.url(name)


async def without_activity(url: str, *, keep_triggers: bool = False) -> None:
    """Remove the indexes, and the triggers, by which the activity is read."""
    connection = await asyncpg.connect(url)
    for index in _INDEXES:
        await connection.execute(f"DROP INDEX ingest.{index}")
    if not keep_triggers:
        for trigger, table in _TRIGGERS:
            await connection.execute(f"DROP TRIGGER {trigger} ON ingest.{table}")
    await connection.close()
