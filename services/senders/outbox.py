"""The sandbox outbox: the messages that would have been sent, one row per call, written in groups."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import asyncpg

from clarion.common.v1 import event_pb2
from clarion.senders.v1 import senders_pb2
from runtime import clock, postgres
from runtime.batching import GROUPED, Batcher, BatchLimits
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from runtime.parts import POSTGRES, OwnParts, PartAway
from services.senders.ports import Email, Reference, Sms

_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))
_GROUP = 500
_GROUP_BYTES = 4 * 1024 * 1024
_MAX_WAITING = 20_000
_NEWEST = 2**63 - 1
_MAX_UNSURE = 20_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class KeptEmail:
    """An e-mail as the outbox stores it. Ids are UUIDs or None. via: "sandbox" or "smtp"."""

    via: str
    tenant_id: str
    event_id: str | None
    delivery_id: str | None
    trace_id: str
    recipient: str
    sender: str
    reply_to: str
    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class _Call(Generic[T]):
    """One call to the sandbox. A message that is sent twice is two calls."""

    id: str
    message: T


class SandboxOutbox:
    """Reads and writes senders.outbox. See ports.SandboxRecorder."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", own: OwnParts | None = None) -> None:
        self._pool = pool
        self._own = own or OwnParts()
        self._sms: Batcher[_Call[Sms], None] = _batcher(self._insert_sms, lambda call: len(call.message.text))
        self._emails: Batcher[_Call[KeptEmail], None] = _batcher(
            self._insert_emails, lambda call: len(call.message.text) + len(call.message.html)
        )
        # By message, the id of a call that may be stored or not, because PostgreSQL did not answer.
        self._unsure: OrderedDict[str, str] = OrderedDict()

    async def record_sms(self, message: Sms) -> None:
        """See services.senders.ports.SandboxRecorder."""
        await self._record(message.reference, lambda call_id: self._sms.enqueue(_Call(call_id, message)))

    async def record_email(self, message: Email) -> None:
        """See services.senders.ports.SandboxRecorder."""
        name, address = message.sender_name, str(message.sender)
        reference = message.reference
        kept = KeptEmail(
            via="sandbox",
            tenant_id=reference.tenant_id,
            event_id=reference.event_id,
            delivery_id=reference.delivery_id,
            trace_id=reference.trace_id,
            recipient=str(message.recipient),
            sender=f"{name} <{address}>" if name else address,
            reply_to=str(message.reply_to or ""),
            subject=message.subject,
            text=message.text,
            html=message.html,
        )
        await self._record(reference, lambda call_id: self._emails.enqueue(_Call(call_id, kept)))

    async def keep_email(self, item: KeptEmail) -> None:
        """Store the e-mail. Raises what SandboxRecorder raises."""
        await self._emails.enqueue(_Call(new_id(), item))

    async def _record(self, reference: Reference, write: Callable[[str], Awaitable[None]]) -> None:
        """Write a call once, even if PostgreSQL did not answer and the call is repeated."""
        call_id = self._unsure.pop(reference.idempotency_key, None) or new_id()
        try:
            await self._own.ask(POSTGRES, lambda: write(call_id))
        except PartAway:
            self._unsure[reference.idempotency_key] = call_id
            if len(self._unsure) > _MAX_UNSURE:
                self._unsure.popitem(last=False)
            raise

    async def drain(self) -> None:
        """Wait until all is written."""
        await asyncio.gather(self._sms.drain(), self._emails.drain())

    async def page(
        self, *, tenant_id: str, event_id: str, channel: int, limit: int, cursor: str
    ) -> list[senders_pb2.OutboxMessage]:
        """Return messages, newest first, without HTML, texts cut at 2,000 characters. Empty and 0 match all.

        cursor: the id of the last message of the page before. Raises INVALID for any other text.
        """
        if cursor and not is_message_id(cursor):
            raise ClarionError(
                Code.INVALID,
                "The cursor is not valid. Use the one of the previous page.",
                fields=[("cursor", "Unknown.")],
            )
        arguments: list[Any] = [int(cursor) if cursor else _NEWEST, channel, limit]
        query = _SQL.list_outbox
        if event_id:
            query, arguments = _SQL.list_outbox_of_event, [*arguments, event_id, tenant_id]
        elif tenant_id:
            query, arguments = _SQL.list_outbox_of_tenant, [*arguments, tenant_id]
        return [_message(row) for row in await self._read(query, *arguments)]

    async def get(self, message_id: str) -> senders_pb2.OutboxMessage:
        """Return one message with its whole text and HTML. Raises NOT_FOUND."""
        rows = await self._read(_SQL.get_outbox, int(message_id)) if is_message_id(message_id) else []
        if not rows:
            raise ClarionError(Code.NOT_FOUND, "The outbox has no such message.")
        return whole_message(rows[0])

    async def _read(self, query: str, *arguments: object) -> Sequence[asyncpg.Record]:
        with postgres.unavailable_while_down():
            return await self._pool.fetch(query, *arguments)

    async def _insert_sms(self, calls: "list[_Call[Sms]]") -> Sequence[BaseException | None]:
        columns = zip(
            *(
                (
                    call.id,
                    item.reference.tenant_id,
                    item.reference.event_id,
                    item.reference.delivery_id,
                    item.reference.trace_id,
                    item.recipient,
                    item.sender,
                    item.text,
                )
                for call in calls
                for item in (call.message,)
            ),
            strict=True,
        )
        return await self._insert(_SQL.insert_sms, columns, calls, self._insert_sms)

    async def _insert_emails(self, calls: "list[_Call[KeptEmail]]") -> Sequence[BaseException | None]:
        columns = zip(
            *(
                (
                    call.id,
                    item.via,
                    item.tenant_id,
                    item.event_id,
                    item.delivery_id,
                    item.trace_id,
                    item.recipient,
                    item.sender,
                    item.reply_to,
                    item.subject,
                    item.text,
                    item.html,
                )
                for call in calls
                for item in (call.message,)
            ),
            strict=True,
        )
        return await self._insert(_SQL.insert_email, columns, calls, self._insert_emails)

    async def _insert(
        self,
        query: str,
        columns: "zip[tuple[Any, ...]]",
        items: list[T],
        again: Callable[[list[T]], Coroutine[Any, Any, Sequence[BaseException | None]]],
    ) -> Sequence[BaseException | None]:
        try:
            async with self._pool.acquire(timeout=5.0) as connection:
                await connection.execute(query, *columns)
        except (asyncpg.DataError, ValueError):  # of the server, and of the driver
            # One bad value refuses the whole group: halve the group until the bad message is alone.
            if len(items) == 1:
                return [ClarionError(Code.INVALID, "The message holds characters that the outbox cannot store.")]
            middle = len(items) // 2
            return [*await again(items[:middle]), *await again(items[middle:])]
        except postgres.CONNECTION_ERRORS as error:
            raise ClarionError(
                Code.UNAVAILABLE, "The outbox cannot be written at the moment. Try again in a second.", retry_after=1
            ) from error
        return [None] * len(items)


def _batcher(
    flush: Callable[[list[T]], Coroutine[Any, Any, Sequence[BaseException | None]]], size: Callable[[T], int]
) -> Batcher[T, None]:
    return Batcher(
        flush,
        BatchLimits(items=_GROUP, waiting=_MAX_WAITING, bytes=_GROUP_BYTES),
        GROUPED,
        size=size,
    )


def is_message_id(text: str) -> bool:
    """Return whether text can be a message id."""
    return text.isascii() and text.isdigit() and len(text) <= 18


def whole_message(row: asyncpg.Record) -> senders_pb2.OutboxMessage:
    """Return a row's message with its HTML."""
    message = _message(row)
    message.html = row["body_html"] or ""
    return message


def _message(row: asyncpg.Record) -> senders_pb2.OutboxMessage:
    return senders_pb2.OutboxMessage(
        id=str(row["id"]),
        tenant_id=row["tenant_id"],
        delivery_id=str(row["delivery_id"] or ""),
        event_id=str(row["event_id"] or ""),
        channel=event_pb2.Channel.ValueType(row["channel"]),
        recipient=row["recipient"],
        sender=row["sender"],
        reply_to=row["reply_to"] or "",
        subject=row["subject"] or "",
        text=row["body_text"],
        recorded_at_us=clock.micros_of(row["recorded_at"]),
        via=row["via"],
        trace_id=row["trace_id"],
    )
