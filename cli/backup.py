"""`clarion backup` and `clarion restore`: the streams, by the server's own snapshots, while everything runs.

PostgreSQL is dumped after them, by its own tools. The order is what loses nothing: an event leaves a stream only when
what follows from it is in the next one, and the last one only when it is in PostgreSQL. So each copy is made before
that of what it flows into, and whatever was under way stands in both: a restored worker asks the ledger.
"""

import contextlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import nats.errors
import nats.js.errors
from nats.aio.client import Client

import runtime.nats
from runtime.errors import ClarionError, Code
from runtime.settings import Secret
from services.domain import provision, topology

_WAIT_S = 30.0
# For one chunk, and for what the server does at the end, seconds.
_CHUNK_S, _END_S = 30.0, 300.0
_CHUNK_BYTES = 128 * 1024
# The server gives up when it stores one chunk for five seconds.
_RESTORED_BYTES = 16 * 1024
_SLOW_DISK = (
    "Where it says that a pipe was closed or that it stalled, each message was written to the disk on its own: restore"
    " with a server whose sync_interval is not `always`, see docs/deployment.md."
)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Read from CLARION_<NAME>."""

    nats_url: Secret


def names() -> list[str]:
    """Return the streams in the order in which they are copied; TRACE, where all of them lead, is the last."""
    all_names = [str(stream.name) for stream in provision.streams(replicas=1, max_bytes=topology.GIB)]
    return sorted(all_names, key=lambda name: name == topology.TRACE)


async def backup(settings: Settings, folder: Path, say: Callable[[str], None]) -> None:
    """Copy every stream with its consumers into a folder, two files each.

    Raises ClarionError: the folder has files already, or the server says no; OSError.
    """
    _make(folder)
    async with _connected(settings) as connection:
        for name in names():
            with _private(folder / f"{name}.s2") as file:
                described = await _copy(connection, name, file)
            with _private(folder / f"{name}.json") as file:
                file.write(msgspec.json.encode(described))
            say(f"copied stream {name}: {described['state']['messages']} messages")
    say("now dump PostgreSQL")


async def restore(settings: Settings, folder: Path, say: Callable[[str], None]) -> None:
    """Make the streams of a backup in a server that has none of them. Run `clarion migrate` after it.

    Raises ClarionError: a stream is there already, or the server says no; OSError.
    """
    async with _connected(settings) as connection:
        jetstream = connection.jetstream(timeout=_CHUNK_S)
        for name in names():
            with contextlib.suppress(nats.js.errors.NotFoundError):
                await jetstream.stream_info(name)
                raise ClarionError(Code.CONFLICT, f"The stream {name} is there already: restore into an empty NATS.")
        for name in names():
            described = msgspec.json.decode((folder / f"{name}.json").read_bytes())
            with (folder / f"{name}.s2").open("rb") as file:
                await _put_back(connection, name, described, file)
            reset = await _reset_ahead(connection, name)
            say(f"restored stream {name}: {described['state']['messages']} messages")
            for consumer in reset:
                say(f"consumer {consumer} of {name} reads from the start")


async def _copy(connection: Client, name: str, file: BinaryIO) -> dict[str, Any]:
    """Write a stream's snapshot; return its configuration and state, as restoring it needs them."""
    inbox = connection.new_inbox()
    subscription = await connection.subscribe(inbox)
    try:
        request = {"deliver_subject": inbox, "chunk_size": _CHUNK_BYTES}
        described = await _ask(connection, f"$JS.API.STREAM.SNAPSHOT.{name}", request)
        while True:
            message = await subscription.next_msg(timeout=_CHUNK_S)
            if not message.data:
                break
            file.write(message.data)
            if message.reply:  # the server sends a few chunks ahead, and waits for this
                await connection.publish(message.reply)
    finally:
        await subscription.unsubscribe()
    status = (message.headers or {}).get("Status", "")
    if status not in ("", "204"):
        raise ClarionError(Code.UNAVAILABLE, f"The copy of {name} was cut off by the server: {message.headers}.")
    return {"config": described["config"], "state": described["state"]}


async def _put_back(connection: Client, name: str, described: dict[str, Any], file: BinaryIO) -> None:
    subject = (await _ask(connection, f"$JS.API.STREAM.RESTORE.{name}", described))["deliver_subject"]
    try:
        while chunk := file.read(_RESTORED_BYTES):
            _check(name, (await connection.request(subject, chunk, timeout=_CHUNK_S)).data)
        _check(name, (await connection.request(subject, b"", timeout=_END_S)).data)
    except (ClarionError, nats.errors.Error) as error:
        with contextlib.suppress(nats.js.errors.Error, nats.errors.Error):
            await connection.jetstream(timeout=_CHUNK_S).delete_stream(name)  # what is there of it is a part
        raise ClarionError(Code.UNAVAILABLE, f"{error} {_SLOW_DISK}") from error


async def _reset_ahead(connection: Client, name: str) -> list[str]:
    """Delete the consumers that were copied later than the messages: they would pass over the next ones.

    nats-server before 2.15 copies them so. `clarion migrate` makes them again, and what they read again is known to
    whatever it leads to.
    """
    jetstream = connection.jetstream(timeout=_CHUNK_S)
    last = (await jetstream.stream_info(name)).state.last_seq
    deleted = []
    for info in await jetstream.consumers_info(name):
        if info.delivered is not None and info.delivered.stream_seq > last:
            await jetstream.delete_consumer(name, info.name)
            deleted.append(info.name)
    return deleted


async def _ask(connection: Client, subject: str, request: dict[str, Any]) -> dict[str, Any]:
    message = await connection.request(subject, msgspec.json.encode(request), timeout=_CHUNK_S)
    return _check(subject.rpartition(".")[2], message.data)


def _check(name: str, data: bytes) -> dict[str, Any]:
    """Return an answer. Raises UNAVAILABLE with the server's words where it is an error."""
    answer: dict[str, Any] = msgspec.json.decode(data) if data else {}
    if error := answer.get("error"):
        raise ClarionError(Code.UNAVAILABLE, f"NATS refuses the stream {name}: {error.get('description', error)}.")
    return answer


def _make(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if any(folder.iterdir()):
        raise ClarionError(Code.CONFLICT, f"{folder} is not empty: name a new folder.")


def _private(path: Path) -> BinaryIO:
    """Open a new file that only its owner may read: it holds people's data."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


@asynccontextmanager
async def _connected(settings: Settings) -> AsyncIterator[Client]:
    connection = await runtime.nats.connect(settings.nats_url.reveal(), name="clarion-backup", wait=_WAIT_S)
    try:
        yield connection
    finally:
        await connection.close()
