"""docs/deployment.md, "Backup": taken while events flow, restored into empty stores; no event from before is lost."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from checks.client import Client, connect, order
from checks.waiting import CheckError, until
from stack import client as stack_client
from stack import postgres, processes
from stack.client import Running
from stack.folder import Folder
from stack.local import Options
from stack.nats import Nats
from stack.postgres import Postgres
from tests.conftest import NatsServer, PostgresServer, free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]

# Retries wait in TIMERS for long enough to be there when it is copied. What waits is sent as soon as the restored stack
# runs, at first to the mail server of the one before.
_ENVIRONMENT = {"CLARION_RETRY_DELAYS_S": "5,10,20", "CLARION_EGRESS_ALLOW": "127.0.0.1:*"}


class _Flow:
    """Events accepted one after the other, for as long as the block runs."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.accepted: list[str] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send from four sides at a time."""
        tasks = [asyncio.create_task(self._send(side)) for side in range(4)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def reach(self, number: int) -> None:
        """Wait until so many were accepted."""

        async def is_reached() -> bool:
            return len(self.accepted) >= number

        await until(is_reached, f"{number} accepted events", deadline=120)

    async def _send(self, side: int) -> None:
        number = 0
        while True:
            number += 1
            event = order(f"B-{side}-{number}", f"user-{side}", ["EMAIL", "SMS"])
            self.accepted.append(await self._client.tenant.accept(event))


async def _clarion(variables: Mapping[str, str], *arguments: str) -> str:
    return await _run([sys.executable, "-m", "cli", *arguments], variables)


async def _run(command: list[str], variables: Mapping[str, str]) -> str:
    done = await asyncio.to_thread(
        subprocess.run,
        command,
        cwd=processes.ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def _back_up(running: Running, folder: Path) -> None:
    """As docs/deployment.md says: the streams, then PostgreSQL."""
    said = await _clarion(running.variables, "backup", str(folder / "streams"))
    assert said.endswith("now dump PostgreSQL\n")
    assert all(path.stat().st_mode & 0o077 == 0 for path in (folder / "streams").iterdir())
    url = running.variables["CLARION_POSTGRES_URL"]
    await _run([str(postgres.binary("pg_dump")), "--format=custom", f"--file={folder / 'clarion.dump'}", url], {})


async def _restore(backup: Path, kept: Path, data: Path) -> None:
    """Put a backup into the empty stores of a new data folder, which gets the old one's secrets."""
    folder = Folder(data)
    for name in ("secrets.json", "demo.json"):
        shutil.copy(kept / name, data / name)
    secrets = folder.secrets()
    database = PostgresServer(Postgres(data / "postgres", free_port(), secrets.postgres_password), data / "pg.log")
    broker = NatsServer(Nats(data / "nats", free_port(), free_port(), secrets.nats_password), data / "nats.log")
    await asyncio.to_thread(database.local.prepare)
    broker.local.prepare()
    # As docs/deployment.md says: not a write to the disk for each message while it restores.
    quick = broker.local.config.read_text().replace("sync_interval: always", 'sync_interval: "10s"')
    broker.local.config.write_text(quick)
    await asyncio.to_thread(database.start)
    await asyncio.to_thread(broker.start)
    try:
        restore = [str(postgres.binary("pg_restore")), "--exit-on-error", f"--dbname={database.local.url()}"]
        await _run([*restore, str(backup / "clarion.dump")], {})
        variables = {"CLARION_NATS_URL": broker.url}
        said = await _clarion(variables, "restore", str(backup / "streams"))
        assert said.count("restored stream ") == 4
        again = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "cli", "restore", str(backup / "streams")],
            cwd=processes.ROOT,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (again.returncode, "already exists" in again.stderr) == (1, True)
    finally:
        await asyncio.to_thread(broker.stop)
        await asyncio.to_thread(database.stop)


@asynccontextmanager
async def _running(data: Path) -> AsyncIterator[tuple[Running, Client]]:
    options = Options(data=data, port=free_port())
    async with stack_client.run(options, environment=_ENVIRONMENT) as running, connect(running.state) as client:
        yield running, client


async def test_a_backup_under_load_loses_nothing(tmp_path: Path) -> None:
    """Finished, under way, waiting and just accepted events of before the backup are all delivered after a restore."""
    old, new, backup = tmp_path / "old", tmp_path / "new", tmp_path / "backup"
    backup.mkdir()
    async with _running(old) as (running, client):
        flow = _Flow(client)
        async with flow.running():
            await flow.reach(100)
            await until(lambda: client.operator.finished(flow.accepted[20]), "a finished event", deadline=60)
            os.kill(running.pid("render"), signal.SIGSTOP)  # from now on deliveries wait, in streams and timers
            await flow.reach(len(flow.accepted) + 100)
            before = list(flow.accepted)
            await _back_up(running, backup)
            await flow.reach(len(before) + 20)
        os.kill(running.pid("render"), signal.SIGCONT)
    await _restore(backup, old, new)
    async with _running(new) as (running, client):
        assert "configuration_rebuilt owner=ingest missing=" in (new / "run.log").read_text()
        # What comes next is taken, too: no consumer passes over it.
        fresh = [await client.tenant.accept(order(f"N-{number}", "new", ["SMS"])) for number in range(50)]
        for event_id in (*before, *fresh):
            await _must_be_delivered(client, event_id)


async def _must_be_delivered(client: Client, event_id: str) -> None:
    event = await until(lambda: client.operator.finished(event_id), f"the end of {event_id}", deadline=120)
    planned = {one["channel"]: one["status"] for one in event["deliveries"] if one["status"] != "skipped"}
    if set(planned.values()) != {"sent"}:
        raise CheckError(f"{event_id} ended as {event['deliveries']}")

    async def is_in_outbox() -> bool:
        return {message["channel"] for message in await client.operator.outbox(event_id)} == set(planned)

    await until(is_in_outbox, f"the messages of {event_id} in the outbox", deadline=60)
