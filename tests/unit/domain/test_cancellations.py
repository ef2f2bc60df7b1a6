"""Which events were canceled, as the configuration's watch tells it."""

from clarion.common.v1 import event_pb2
from services.domain import topology
from services.domain.cancellations import Cancellations
from tests.fakes.configuration import MemoryWatch


def test_deliveries_of_a_canceled_event_are_refused_while_its_key_exists() -> None:
    """Those of other events are not; a key that is deleted is forgotten."""
    known = Cancellations()
    watch = MemoryWatch(known.on_change)
    canceled, other = event_pb2.Delivery(event_id="e1"), event_pb2.Delivery(event_id="e2")
    watch.put(topology.canceled_key("e1"), b"1750000000000000")
    watch.put("erased.e2", b"{}")
    assert [known.refusal(one) for one in (canceled, other)] == ["canceled", ""]
    watch.put(topology.canceled_key("e1"), None)
    assert known.refusal(canceled) == ""
