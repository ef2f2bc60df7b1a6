"""`clarion backup` and `clarion restore`: copies of the streams by NATS snapshots, while everything runs.

PostgreSQL is dumped afterwards with its own tools. This order loses nothing: an event leaves a stream only after its
results are stored in the next one, and the last stream only after they are in PostgreSQL. So each stream is copied
before the one it flows into. What was under way is in both copies; a restored worker asks the ledger about it.
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
# Deadlines for one chunk and for the server's work at the end, in seconds.
_CHUNK_S, _END_S = 30.0, 300.0
_CHUNK_BYTES = 128 * 1024
# The server gives up if storing a chunk takes longer than five seconds.
_RESTORED_BYTES = 16 * 1024
_SLOW_DISK = (
    "If the reason is a closed pipe or a stall, the disk was too slow for syncing each message: restore with a server"
    " whose sync_interval is not `always`, see docs/deployment.md."
)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of the command; each is read from the environment variable CLARION_<NAME>."""

    nats_url: Secret


def names() -> list[str]:
    """Return the streams in the order of copying. TRACE is the last, because all others flow into it."""
    all_names = [str(stream.name) for stream in provision.streams(replicas=1, max_bytes=topology.GIB)]
    return sorted(all_names, key=lambda name: name == topology.TRACE)


async def backup(settings: Settings, folder: Path, say: Callable[[str], None]) -> None:
    """Copy every stream with its consumers into a folder, as two files each.

    Raises ClarionError if the folder is not empty or the server refuses, or OSError.
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
    """Restore the streams of a backup into a server that has none of them. Run `clarion migrate` afterwards.

    Raises ClarionError if a stream exists or the server refuses, or OSError.
    """
    async with _connected(settings) as connection:
        jetstream = connection.jetstream(timeout=_CHUNK_S)
        for name in names():
            with contextlib.suppress(nats.js.errors.NotFoundError):
                await jetstream.stream_info(name)
                raise ClarionError(Code.CONFLICT, f"The stream {name} already exists. Restore into an empty NATS.")
        for name in names():
            described = msgspec.json.decode((folder / f"{name}.json").read_bytes())
            with (folder / f"{name}.s2").open("rb") as file:
                await _put_back(connection, name, described, file)
            reset = await _reset_ahead(connection, name)
            say(f"restored stream {name}: {described['state']['messages']} messages")
            for consumer in reset:
                say(f"consumer {consumer} of {name} will read from the start")


async def _copy(connection: Client, name: str, file: BinaryIO) -> dict[str, Any]:
    """Write a stream's snapshot. Return its configuration and state, which a restore needs."""
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
            if message.reply:  # the server sends a few chunks and waits for this reply
                await connection.publish(message.reply)
    finally:
        await subscription.unsubscribe()
    status = (message.headers or {}).get("Status", "")
    if status not in ("", "204"):
        raise ClarionError(Code.UNAVAILABLE, f"The server aborted the copy of {name}: {message.headers}.")
    return {"config": described["config"], "state": described["state"]}


async def _put_back(connection: Client, name: str, described: dict[str, Any], file: BinaryIO) -> None:
    subject = (await _ask(connection, f"$JS.API.STREAM.RESTORE.{name}", described))["deliver_subject"]
    try:
        while chunk := file.read(_RESTORED_BYTES):
            _check(name, (await connection.request(subject, chunk, timeout=_CHUNK_S)).data)
        _check(name, (await connection.request(subject, b"", timeout=_END_S)).data)
    except (ClarionError, nats.errors.Error) as error:
        with contextlib.suppress(nats.js.errors.Error, nats.errors.Error):
            await connection.jetstream(timeout=_CHUNK_S).delete_stream(name)  # it is incomplete
        raise ClarionError(Code.UNAVAILABLE, f"{error} {_SLOW_DISK}") from error


async def _reset_ahead(connection: Client, name: str) -> list[str]:
    """Delete consumers whose position is after the last message: they would skip the next messages.

    nats-server before 2.15 copies consumers later than messages. `clarion migrate` creates them again, and messages
    that are read twice are recognised.
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
    """Return the decoded response. Raises UNAVAILABLE with the server's message if it is an error."""
    answer: dict[str, Any] = msgspec.json.decode(data) if data else {}
    if error := answer.get("error"):
        raise ClarionError(Code.UNAVAILABLE, f"NATS refuses the stream {name}: {error.get('description', error)}.")
    return answer


def _make(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if any(folder.iterdir()):
        raise ClarionError(Code.CONFLICT, f"{folder} is not empty. Choose a new folder.")


def _private(path: Path) -> BinaryIO:
    """Open a new file that only its owner may read, because it holds personal data."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


@asynccontextmanager
async def _connected(settings: Settings) -> AsyncIterator[Client]:
    connection = await runtime.nats.connect(settings.nats_url.reveal(), name="clarion-backup", wait=_WAIT_S)
    try:
        yield connection
    finally:
        await connection.close()
