"""The configuration bucket: reads and writes many keys at once, which the client's KeyValue cannot."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass

import nats.js.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from runtime.bucket_keys import BUCKET, HEALTH_SUBJECT
from runtime.errors import ClarionError, Code

STREAM = f"KV_{BUCKET}"

# The server's error codes for a revision that is not the newest.
WRONG_REVISION = (10071, 10164)

_SUBJECT = f"$KV.{BUCKET}."
_OPERATION = "KV-Operation"
_GONE = ("DEL", "PURGE")
_EXPECTED = "Nats-Expected-Last-Subject-Sequence"
_DEADLINE_S = 5.0
_PAGE = 256
_END, _NONE_FOUND, _NOT_ALLOWED = "204", "404", "503"


@dataclass(frozen=True, slots=True)
class BucketEntry:
    """A key in the bucket. value None: it was deleted or never existed. revision 0: it never existed."""

    value: bytes | None
    revision: int = 0


class ConfigurationBucket:
    """The configuration bucket. Methods raise nats.errors.Error, nats.js.errors.Error or TimeoutError."""

    def __init__(self, connection: Client) -> None:
        self._nats = connection
        self._jetstream = connection.jetstream(timeout=_DEADLINE_S)

    async def read(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Return the values of the keys that exist; at most 1024 keys. A replica may answer, and be slightly behind."""
        found: dict[str, bytes] = {}
        left = list(keys)
        while left:
            answered, is_all = await self._read_some(left)
            found.update({key: value for key, value in answered.items() if value is not None})
            if is_all:
                break
            if not answered:
                raise TimeoutError("the configuration bucket sends nothing")
            left = [key for key in left if key not in answered]
        return found

    async def newest(self, key: str) -> BucketEntry:
        """Return a key's newest entry, from the bucket's leader."""
        try:
            message = await self._jetstream.get_msg(STREAM, subject=_SUBJECT + key)
        except nats.js.errors.NotFoundError:
            return BucketEntry(None)
        gone = (message.headers or {}).get(_OPERATION) in _GONE
        return BucketEntry(None if gone else message.data or b"", message.seq or 0)

    async def replace(self, key: str, value: bytes | None, *, revision: int) -> None:
        """Write a key (None deletes it) if its revision is still this one, else raise APIError (WRONG_REVISION)."""
        headers = {_EXPECTED: str(revision)}
        if value is None:
            headers[_OPERATION] = "DEL"
        await self._jetstream.publish(_SUBJECT + key, value or b"", headers=headers)

    async def put(self, key: str, value: bytes | None) -> int:
        """Write a key (None deletes it), and return its new revision."""
        headers = {_OPERATION: "DEL"} if value is None else None
        return (await self._jetstream.publish(_SUBJECT + key, value or b"", headers=headers)).seq

    async def put_all(self, entries: Mapping[str, bytes | None]) -> None:
        """Write keys (None deletes one) in this order, without waiting for one before the next; return when all are.

        After a failure some are written.
        """
        inbox = self._nats.new_inbox()
        answers: asyncio.Queue[Msg] = asyncio.Queue()
        subscription = await self._nats.subscribe(inbox, cb=answers.put)
        try:
            async with asyncio.timeout(_DEADLINE_S):
                # One connection keeps the order.
                for key, value in entries.items():
                    headers = {_OPERATION: "DEL"} if value is None else None
                    await self._nats.publish(_SUBJECT + key, value or b"", reply=inbox, headers=headers)
                for _ in entries:
                    _check(await answers.get())
        finally:
            if self._nats.is_connected:
                await subscription.unsubscribe()

    async def keys(self, prefix: str) -> AsyncGenerator[list[str], None]:
        """Yield all keys "<prefix>.…" that are not deleted, up to 256 at a time."""
        async with contextlib.aclosing(self._pages(f"{prefix}.>")) as pages:
            async for page in pages:
                yield [
                    message.subject.removeprefix(_SUBJECT)
                    for message in page
                    if (message.headers or {}).get(_OPERATION) not in _GONE
                ]

    async def forget_deleted(self, prefix: str, *, older_than_s: float) -> None:
        """Remove the deletion markers of keys "<prefix>.…" that are older than this."""
        async with contextlib.aclosing(self._pages(f"{prefix}.>")) as pages:
            async for page in pages:
                for message in page:
                    if _is_note(message, older_than_s):
                        up_to = message.metadata.sequence.stream + 1  # not what was written meanwhile
                        await self._jetstream.purge_stream(STREAM, seq=up_to, subject=message.subject)

    async def rewrite(self, before: int, *, forgotten: Sequence[str] = (), older_than_s: float = 0) -> None:
        """Write each key that was last written before this sequence once more, then let go of all that is older.

        Nothing changes for readers. The files that held only older messages are deleted. forgotten: prefixes of keys
        whose notes of deletion go, where they are so many seconds old; a note that was written again would be new.
        """
        prefixes = tuple(f"{_SUBJECT}{prefix}." for prefix in forgotten)
        async with contextlib.aclosing(self._pages(">")) as pages:
            async for page in pages:
                for message in page:
                    if message.metadata.sequence.stream >= before or message.subject == HEALTH_SUBJECT:
                        continue
                    if message.subject.startswith(prefixes) and _is_note(message, older_than_s):
                        continue
                    await self._write_again(message.subject)
        await self._jetstream.purge_stream(STREAM, seq=before)

    async def _write_again(self, subject: str) -> None:
        stored = await self.newest(subject.removeprefix(_SUBJECT))
        try:
            await self.replace(subject.removeprefix(_SUBJECT), stored.value, revision=stored.revision)
        except nats.js.errors.APIError as error:
            if error.err_code not in WRONG_REVISION:  # another process was faster: the value is already new
                raise

    async def _pages(self, keys: str) -> AsyncGenerator[list[Msg], None]:
        """Yield the newest message of each key, without its value."""
        consumer = await self._jetstream.add_consumer(
            STREAM,
            ConsumerConfig(
                deliver_policy=DeliverPolicy.LAST_PER_SUBJECT,
                ack_policy=AckPolicy.NONE,
                filter_subject=f"{_SUBJECT}{keys}",
                headers_only=True,
                mem_storage=True,
                num_replicas=1,
                inactive_threshold=60,
            ),
        )
        pulling = await self._jetstream.pull_subscribe_bind(consumer=consumer.name, stream=STREAM)
        try:
            left = consumer.num_pending or 0
            while left > 0:
                messages = await pulling.fetch(min(left, _PAGE), timeout=_DEADLINE_S)
                left -= len(messages)
                yield messages
        finally:
            await pulling.unsubscribe()

    async def _read_some(self, keys: Sequence[str]) -> tuple[dict[str, bytes | None], bool]:
        """Return the values of one answer, which the server limits in bytes, and whether these are all."""
        inbox = self._nats.new_inbox()
        subscription = await self._nats.subscribe(inbox)
        found: dict[str, bytes | None] = {}
        try:
            request = {"multi_last": [_SUBJECT + key for key in keys], "batch": len(keys)}
            await self._nats.publish(f"$JS.API.DIRECT.GET.{STREAM}", json.dumps(request).encode(), reply=inbox)
            while True:
                message = await subscription.next_msg(timeout=_DEADLINE_S)
                headers = message.headers or {}
                status = headers.get("Status", "")
                if status == _NONE_FOUND:
                    return found, True
                if status == _END:
                    return found, headers.get("Nats-Num-Pending", "0") == "0"
                if status:
                    raise _refused(status)
                key = headers.get("Nats-Subject", "").removeprefix(_SUBJECT)
                found[key] = None if headers.get(_OPERATION) in _GONE else message.data
        finally:
            if self._nats.is_connected:
                await subscription.unsubscribe()


def _check(answer: Msg) -> None:
    """Raise the server's error, if it did not store a message."""
    if (answer.headers or {}).get("Status") == _NOT_ALLOWED:
        raise nats.js.errors.NoStreamResponseError
    if error := json.loads(answer.data).get("error"):
        raise nats.js.errors.APIError.from_error(error)


def _is_note(message: Msg, older_than_s: float) -> bool:
    """Return whether a message is a deletion marker that is older than this."""
    is_old = time.time() - message.metadata.timestamp.timestamp() > older_than_s
    return is_old and (message.headers or {}).get(_OPERATION) in _GONE


def _refused(status: str) -> ClarionError:
    if status == _NOT_ALLOWED:
        text = f"The bucket {BUCKET} is not there, or of an older version: run `clarion migrate`."
        return ClarionError(Code.UNAVAILABLE, text)
    return ClarionError(Code.UNAVAILABLE, f"The bucket {BUCKET} answered with status {status}.")
