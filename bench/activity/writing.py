"""What counting and the indexes cost the ledger: processor time of its PostgreSQL process, per event."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from clarion.common.v1 import event_pb2, trace_pb2
from runtime import postgres
from runtime.ids import derived_id, new_id
from services.ingest.activity import changes
from services.ingest.ledger.record import merge
from services.ingest.ledger.rows import Item, LedgerRows
from services.ingest.ledger.store import LedgerStore

_GROUP = 400
_TICKS = os.sysconf("SC_CLK_TCK")
_TENANTS = [new_id() for _ in range(4)]
_SMS, _EMAIL = event_pb2.CHANNEL_SMS, event_pb2.CHANNEL_EMAIL


class Cost(NamedTuple):
    """Microseconds of processor time of PostgreSQL per event, with two deliveries each."""

    what: str
    microseconds: float


async def cost(url: str, what: str, groups: Sequence[Sequence[Item]]) -> Cost:
    """Write the groups; return what they cost."""
    pool = await postgres.connect(url, name="bench", size=1)
    store = LedgerStore(pool, pool)
    pid = int(await pool.fetchval("SELECT pg_backend_pid()"))
    await store.write(merge(_events(1)))
    before, events = _ticks(pid), 0
    for group in groups:
        await store.write(merge(group))
        events += sum(isinstance(item, event_pb2.Event) for item in group)
    spent = (_ticks(pid) - before) / _TICKS * 1_000_000
    await pool.close()
    return Cost(what, spent / events)


def load(groups: int) -> list[list[Item]]:
    """Return groups as the ledger gets them: half of the events whole, of the others the attempts in the next group."""
    made: list[list[Item]] = []
    later: list[Item] = []
    for _ in range(groups):
        group, later = later, []
        for number, one in enumerate(_events(_GROUP)):
            if number % 8 >= 6:
                later.append(one)
            else:
                group.append(one)
        made.append(group)
    return made


def publishing(groups: Sequence[Sequence[Item]]) -> float:
    """Return the microseconds per event that it takes to encode what changed."""
    rows: list[LedgerRows] = [merge(group) for group in groups]
    events = sum(len(one.events) for one in rows)
    started = time.process_time()
    for one in rows:
        changes.encode(changes.changed_events(one))
    return (time.process_time() - started) * 1_000_000 / events


def _events(count: int) -> list[Item]:
    return [item for life in lives(count) for item in life]


def lives(count: int) -> list[list[Item]]:
    """Return events with two deliveries: each with its plan and its two attempts."""
    made: list[list[Item]] = []
    now_us = time.time_ns() // 1000
    for number in range(count):
        tenant = _TENANTS[number % len(_TENANTS)]
        recipient = event_pb2.Recipient(user_id=f"u{number}", email=f"u{number}@example.org", phone="+254712345678")
        event = event_pb2.Event(
            id=new_id(),
            tenant_id=tenant,
            event_type="order.confirmed",
            recipient=recipient,
            accepted_at_us=now_us,
            trace_id=new_id(),
            dedupe_key=os.urandom(32),
        )
        ids = {channel: derived_id(event.id, str(channel)) for channel in (_SMS, _EMAIL)}
        planned = [
            trace_pb2.PlannedDelivery(delivery_id=id_, channel=channel, status=trace_pb2.DELIVERY_STATUS_QUEUED)
            for channel, id_ in ids.items()
        ]
        made.append([event, _record(event, routed=trace_pb2.Routed(deliveries=planned))])
        made[-1] += [
            _record(
                event,
                attempted=trace_pb2.Attempted(
                    delivery_id=id_, channel=channel, attempt=1, status=trace_pb2.DELIVERY_STATUS_SENT, provider="smtp"
                ),
            )
            for channel, id_ in ids.items()
        ]
    return made


def _record(event: event_pb2.Event, **step: object) -> trace_pb2.TraceRecord:
    return trace_pb2.TraceRecord(
        id=new_id(),
        event_id=event.id,
        tenant_id=event.tenant_id,
        at_us=event.accepted_at_us + 5000,
        **step,  # type: ignore[arg-type]
    )


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2].split()
    return int(fields[11]) + int(fields[12])
