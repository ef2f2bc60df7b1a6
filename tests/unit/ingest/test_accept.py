"""The answer to a call whose key two processes claimed at the same time, perhaps with different bodies."""

from dataclasses import dataclass, field

import pytest

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from runtime.ids import new_id
from services.ingest.accept import Accepted, Acceptor
from services.ingest.fingerprint import Fingerprints
from services.ingest.ports import AdmissionVerdict, Admitted, Appended, First, TenantSettings

_TENANT = new_id()
_FINGERPRINTS = Fingerprints([b"k" * 32])
_OURS, _OTHER = "our.type", "other.type"


@dataclass
class _Neighbours:
    """Admission, the broker and the tenants' settings, as another process left them.

    row: whose body admission's row has; "": it does not say; None: the key is new. stored: whose body the broker has;
    None: it has none.
    """

    row: str | None = None
    stored: str | None = None
    corrected: list[tuple[bool, First | None]] = field(default_factory=list)
    claimed: str = ""

    async def admit(
        self, _tenant_id: str, _key_hash: bytes, event_id: str, _size: int, _first: First | None = None
    ) -> Admitted:
        self.claimed = event_id
        if self.row is None:
            return Admitted(event_id, AdmissionVerdict.NEW)
        return Admitted(
            event_id, AdmissionVerdict.PENDING, first=_FINGERPRINTS.first(_call(self.row)) if self.row else None
        )

    async def correct(
        self, _tenant_id: str, _key_hash: bytes, claimed: str, stored: str, first: First | None = None
    ) -> None:
        self.corrected.append((claimed == stored, first))

    async def stored_event(self, _tenant_id: str, _event_id: str) -> event_pb2.Event | None:
        return None

    async def append(self, event: event_pb2.Event) -> Appended:
        if self.stored is None:
            return Appended(event.id)
        new = _call(self.stored)
        first = event_pb2.Event(id=event.id, event_type=new.event_type, recipient=new.recipient)
        return Appended(first.id, first)

    async def settings(self, _tenant_id: str) -> TenantSettings:
        return TenantSettings()


def _call(event_type: str) -> ingest_pb2.NewEvent:
    return ingest_pb2.NewEvent(event_type=event_type, recipient=event_pb2.Recipient(user_id="u"), idempotency_key="k")


@pytest.mark.parametrize(
    ("row", "stored", "event_type", "duplicate", "corrected"),
    [
        pytest.param(None, None, _OURS, False, [], id="nobody else"),
        pytest.param(None, _OURS, _OURS, False, [], id="only the answer to our own try was lost"),
        pytest.param(None, _OTHER, _OTHER, True, [_OTHER], id="we claimed, the other one stored"),
        pytest.param(_OTHER, None, _OURS, False, [_OURS], id="the other one claimed, we stored"),
        pytest.param(_OTHER, _OTHER, _OTHER, True, [], id="the other one claimed and stored"),
        pytest.param(_OTHER, _OURS, _OURS, False, [_OURS], id="the other one claimed, we stored in an earlier try"),
        pytest.param(_OURS, None, _OURS, True, [], id="the same claimed"),
        pytest.param(_OURS, _OURS, _OURS, True, [], id="the same claimed and stored"),
        pytest.param(_OURS, _OTHER, _OTHER, True, [_OTHER], id="the same claimed, another one stored"),
        pytest.param("", None, _OURS, True, [_OURS], id="the version before claimed"),
    ],
)
async def test_the_stored_body_is_the_first(
    row: str | None, stored: str | None, event_type: str, *, duplicate: bool, corrected: list[str]
) -> None:
    """The answer is about the event in the stream, and the key's row is corrected to match it."""
    neighbours = _Neighbours(row, stored)
    acceptor = Acceptor(neighbours, neighbours, neighbours, _FINGERPRINTS)
    accepted = await acceptor.accept(_TENANT, _call(_OURS))
    assert accepted == Accepted(neighbours.claimed, event_type, duplicate=duplicate, differs=event_type != _OURS)
    assert neighbours.corrected == [(True, _FINGERPRINTS.first(_call(one))) for one in corrected]
