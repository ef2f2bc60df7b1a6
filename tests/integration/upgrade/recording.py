"""What was recorded of the previous version: its files, and how they are written and restored.

manifest.json     secrets, tenants, and what is expected of each event
database.sql.xz   PostgreSQL, with the schemas of all services
streams/          each stream with its consumers, and the configuration bucket, as NATS copies them
code.tar.xz       the code of the previous version, for tests that run it beside today's
"""

import asyncio
import lzma
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import asyncpg
import msgspec

from cli import backup
from runtime import nats
from runtime.bucket_keys import BUCKET
from services.domain import topology
from stack import postgres
from stack.folder import Secrets, write_private
from tests.integration.upgrade.installation import Installation, Version

FOLDER = Path(__file__).with_name("previous")

# What the previous version's processes need of its code.
CODE = ("services", "runtime", "gen", "gateway", "cli")
STORES = (topology.EVENTS, topology.DELIVERIES, topology.TIMERS, topology.TRACE, topology.stream_of(BUCKET))

# Where an event stood when the previous version was stopped: delivered, ended without success, erased; or its
# deliveries wait in TIMERS or in DELIVERIES; the ledger has not read what became of it; the router has not read it.
State = Literal["finished", "dead", "erased", "retrying", "planned", "unread", "accepted"]


class RecordedTenant(msgspec.Struct, frozen=True):
    """A tenant. shown: as the admin API showed it. revoked_key: an API key that was replaced."""

    id: str
    api_key: str
    shown: dict[str, Any]
    webhook_secret: str = ""
    revoked_key: str = ""


class RecordedEvent(msgspec.Struct, frozen=True):
    """An event of the previous version.

    marker: stands between two # in each of its messages. tenant: by name. body, key: the call over HTTP; request: the
    call over gRPC; empty: there was none. ends: the status with which each channel must end. says: what its messages
    contain. messages: how many times each sent channel must arrive in all.
    """

    id: str
    marker: str
    tenant: str
    user_id: str
    state: State
    ends: dict[str, str]
    body: str = ""
    key: str = ""
    says: str = ""
    messages: int = 1
    request: bytes = b""

    def expected(self) -> dict[tuple[str, str], int]:
        """Return how many messages must arrive, by (marker, channel)."""
        return {(self.marker, channel): self.messages for channel, end in self.ends.items() if end == "sent"}


class RecordedToken(msgspec.Struct, frozen=True):
    """A realtime token, and whether it was revoked."""

    token: str
    revoked: bool


class RecordedReport(msgspec.Struct, frozen=True):
    """A message that its provider reports on after the upgrade, and a link in a mail: paths at the gateway."""

    path: str
    message_id: str
    unsubscribe_path: str


class Manifest(msgspec.Struct, frozen=True):
    """What is known of the recording. recorded_at: Unix seconds.

    mail_provider: the provider whose server nobody ran. read, dead_letter: markers of the event whose notification was
    read, and of the dead letter to replay. replay: the one that was under way; replayed: how many events it must
    replay in all.
    """

    recorded_at: float
    secrets: Secrets
    tenants: dict[str, RecordedTenant]
    events: list[RecordedEvent]
    tokens: list[RecordedToken]
    mail_provider: str
    read: str
    report: RecordedReport
    dead_letter: str
    replay: str
    replayed: int

    def event(self, marker: str) -> RecordedEvent:
        """Return an event by its marker."""
        return next(event for event in self.events if event.marker == marker)


def manifest(folder: Path = FOLDER) -> Manifest:
    """Return the recording's manifest."""
    return msgspec.json.decode((folder / "manifest.json").read_bytes(), type=Manifest)


def unpacked_code(target: Path, folder: Path = FOLDER) -> Version:
    """Unpack the previous version's code."""
    with tarfile.open(folder / "code.tar.xz") as archive:
        archive.extractall(target, filter="data")
    return Version(target)


async def write(folder: Path, found: Manifest, running: Installation, previous: Version) -> None:
    """Record PostgreSQL and NATS, whose services are stopped, and the code."""
    streams = folder / "streams"
    streams.mkdir(parents=True, exist_ok=True)
    connection = await nats.connect(running.nats_url, name="record")
    try:
        for name in STORES:
            with (streams / f"{name}.s2").open("wb") as file:
                described = await backup._copy(connection, name, file)
            (streams / f"{name}.json").write_bytes(msgspec.json.encode(described))
    finally:
        await connection.close()
    dump = await _program("pg_dump", "--no-owner", running.postgres_url)
    (folder / "database.sql.xz").write_bytes(lzma.compress(dump, preset=9 | lzma.PRESET_EXTREME))
    code = await _output("git", "-C", str(previous.root), "archive", "HEAD", *CODE)
    (folder / "code.tar.xz").write_bytes(lzma.compress(code, preset=9 | lzma.PRESET_EXTREME))
    encoded = msgspec.json.format(msgspec.json.encode(found, order="sorted"))
    (folder / "manifest.json").write_bytes(encoded + b"\n")


async def restore(found: Manifest, running: Installation, *, mail_port: int, folder: Path = FOLDER) -> None:
    """Put PostgreSQL and NATS back as they were, but for the times and the address that _move() changes."""
    file = running.plan.data / "database.sql"
    write_private(file, lzma.decompress((folder / "database.sql.xz").read_bytes()))
    await _program("psql", "--quiet", "--set=ON_ERROR_STOP=1", f"--file={file}", running.postgres_url)
    await _move(running.postgres_url, time.time() - found.recorded_at, found.mail_provider, mail_port)
    connection = await nats.connect(running.nats_url, name="restore")
    try:
        for name in STORES:
            described = msgspec.json.decode((folder / "streams" / f"{name}.json").read_bytes())
            with (folder / "streams" / f"{name}.s2").open("rb") as stream:
                await backup._put_back(connection, name, described, stream)
    finally:
        await connection.close()


async def _move(url: str, seconds: float, mail_provider: str, mail_port: int) -> None:
    """Move the times of what ends soon, and the mail provider to a server of the test.

    Keys and revocations are kept for a day, and the sandboxes' messages for a week. All other times stay: events,
    deliveries and timers are as old as the recording, and Clarion must not mind. An erasure's time must stay beside
    those of the events that it erased, which are in the streams.
    """
    connection = await asyncpg.connect(url)
    try:
        for column in (
            "realtime.revocations.raised_at",
            "realtime.revocations.used_at",
            "senders.outbox.recorded_at",
        ):
            table, _, name = column.rpartition(".")
            await connection.execute(f"UPDATE {table} SET {name} = {name} + $1 * interval '1 second'", seconds)
        await connection.execute(
            "UPDATE ingest.admission SET created_at = created_at + $1 * interval '1 second' WHERE stored", seconds
        )
        await connection.execute(
            "UPDATE senders.providers SET settings = settings || jsonb_build_object('port', $2::int) WHERE id = $1",
            mail_provider,
            mail_port,
        )
    finally:
        await connection.close()


async def keep_pending_keys(url: str) -> None:
    """Let keys whose events the ledger has not read yet expire tomorrow. After the migration, which makes the column.

    They are as old as their events: the ledger takes no key that is a day younger than its event for the event's.
    """
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("UPDATE ingest.admission SET expires_at = now() + interval '1 day' WHERE NOT stored")
    finally:
        await connection.close()


async def _program(name: str, *arguments: str) -> bytes:
    return await _output(str(postgres.binary(name)), *arguments)


async def _output(*command: str, environment: Mapping[str, str] | None = None) -> bytes:
    done = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment
    )
    output, errors = await done.communicate()
    assert done.returncode == 0, f"{Path(command[0]).name}: {errors.decode(errors='replace')}"
    return output
