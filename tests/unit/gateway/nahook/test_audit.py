"""Entries of the audit log, as the management API shows them."""

import pytest

from clarion.ingest.v1 import audit_pb2
from gateway.dialects.nahook.management.audit import shown
from runtime.ids import new_id


@pytest.mark.parametrize(("status", "said"), [(201, 201), (0, None)])
def test_an_outcome_that_is_not_known(status: int, said: int | None) -> None:
    """Of a call whose gateway ended before it answered; the call is listed all the same."""
    entry = audit_pb2.AuditEntry(id=new_id(), actor="token:k", resource="ws_1/ep_2", status=status, begun_at_us=1)
    made = shown(entry, "endpoint.updated")
    assert (made["status"], made["actorId"], made["resourceId"]) == (said, "k", "ep_2")
