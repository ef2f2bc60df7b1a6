"""An export of events as large as they may be."""

from clarion.ingest.v1 import privacy_pb2
from services.ingest.ledger.record import merge
from services.ingest.validate import MAX_EVENT_BYTES
from tests.integration.ingest import builders
from tests.integration.ingest.test_privacy import Privacy, privacy

__all__ = ["privacy"]

COUNT = 12
PAGE_BYTES = 8 * 1024 * 1024


async def test_a_page_of_large_events_is_cut(privacy: Privacy) -> None:
    """No page is more than a call can carry; all of them together have every event once, newest first."""
    tenant = await privacy.tenant()
    ids = []
    for _ in range(COUNT):
        event = builders.event(tenant, user_id="ada")
        event.variables = b'{"a":"' + b"x" * (MAX_EVENT_BYTES - 1024) + b'"}'
        await privacy.ledger.write(merge([event]))
        ids.append(event.id)
    found: list[privacy_pb2.ExportedEvent] = []
    cursor = ""
    while len(found) < COUNT:
        answer = await privacy.call("ExportEvents", tenant_id=tenant, user_id="ada", cursor=cursor, limit=20)
        assert answer.ByteSize() <= PAGE_BYTES + 1024
        found += answer.events
        cursor = answer.next_cursor
        assert bool(cursor) == (len(found) < COUNT)
    assert [one.event.id for one in found] == ids[::-1]
    assert all(len(one.payload.variables) > MAX_EVENT_BYTES - 1024 for one in found)
