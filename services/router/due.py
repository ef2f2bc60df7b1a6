"""Events that wait for their time: pure."""

from clarion.common.v1 import event_pb2


def waits(event: event_pb2.Event, now_us: int) -> bool:
    """Return whether the event waits for its time. If that had come when it was accepted, no clock makes it wait."""
    return event.due_at_us > now_us and event.due_at_us > event.accepted_at_us
