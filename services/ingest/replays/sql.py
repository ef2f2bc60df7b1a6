"""The queries of replays, the bounds of their pages, and their rows as the API shows them."""

import uuid
from pathlib import Path

import asyncpg

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import replays_pb2
from runtime import postgres
from runtime.errors import ClarionError, Code
from runtime.ids import time_of
from services.ingest.ledger.timeline import to_us

# Recipients of a page (an event with one counts as one), and the most events that are read to find them.
PAGE = 50
SCANNED = 2000
# Values of replays.kind.
EVENTS, DEAD_LETTERS = 0, 1

QUERIES = postgres.Queries(Path(__file__).with_name("queries.sql"))
EVENT_PAGE, MISSED_PAGE, _ENDED = (
    one.replace("{accepted}", QUERIES.accepted) for one in (QUERIES.page, QUERIES.missed_page, QUERIES.ended_page)
)
ENDED_OF_ENDPOINT, ENDED_OF_TENANT = (_ENDED.replace("{of}", of) for of in (QUERIES.of_endpoint, QUERIES.of_tenant))
# Larger than any id.
LAST_ID = str(uuid.UUID(int=2**128 - 1))
# Of the table; see queries.sql.
_STATES = {
    4: replays_pb2.REPLAY_STATE_RUNNING,
    5: replays_pb2.REPLAY_STATE_RUNNING,
    6: replays_pb2.REPLAY_STATE_PAUSED,
}


def replay_of(row: asyncpg.Record | None) -> replays_pb2.Replay:
    """Return a replay. Raises NOT_FOUND if there is no row."""
    if row is None:
        raise ClarionError(Code.NOT_FOUND, "There is no such replay.")
    is_letters, since_us = row["kind"] == DEAD_LETTERS, to_us(row["since"])
    return replays_pb2.Replay(
        id=str(row["id"]),
        tenant_id=str(row["tenant_id"]),
        since_us=since_us,
        until_us=to_us(row["until"]),
        status=row["status"],
        per_second=row["per_second"],
        state=_STATES.get(row["state"], row["state"]),
        replayed=row["replayed"],
        unplayable=row["unplayable"],
        # It is read from earlier ids on; see services.ingest.event_ids.
        position_us=to_us(row["position_at"]) if is_letters else max(time_of(str(row["position"])), since_us),
        created_at_us=to_us(row["created_at"]),
        finished_at_us=to_us(row["finished_at"]),
        waiting=row["waiting"],
        endpoint_id=str(row["endpoint_id"] or ""),
        event_type=row["event_type"],
        channel=row["channel"] or event_pb2.CHANNEL_UNSPECIFIED,
        reason=row["reason"],
        provider=row["provider"],
        dead_letters=is_letters,
        found=row["found"],
    )
