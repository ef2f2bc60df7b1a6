"""Which events were canceled, as the configuration's watch tells it."""

from clarion.common.v1 import event_pb2
from services.domain import topology
from services.domain.cancellations import Cancellations
from tests.fakes.configuration import MemoryWatch


def _of(tenant_id: str, event_id: str) -> event_pb2.Delivery:
    return event_pb2.Delivery(tenant_id=tenant_id, event_id=event_id)


def test_deliveries_of_a_canceled_event_are_refused_while_its_key_exists() -> None:
    """Those of other events and tenants are not; a key that is deleted is forgotten."""
    known = Cancellations()
    watch = MemoryWatch(known.on_change)
    canceled, others = _of("t", "e1"), (_of("t", "e2"), _of("other", "e1"))
    watch.put(topology.canceled_key("t", "e1"), b"1750000000000000")
    watch.put("erased.e2", b"{}")
    assert [known.refusal(one) for one in (canceled, *others)] == ["canceled", "", ""]
    watch.put(topology.canceled_key("t", "e1"), None)
    assert known.refusal(canceled) == ""
