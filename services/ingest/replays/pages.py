"""What a replay sends next: plain values."""

from dataclasses import dataclass

from clarion.common.v1 import event_pb2


@dataclass(frozen=True, slots=True)
class ReplayPart:
    """An event to replay, whole or for some of its recipients.

    event: as it was accepted; None: its content was deleted. channels: those to replay; empty: all. destinations: of
    the recipients; None: the same audience. deliveries: the failed ones that this replays, empty: all of the event.
    """

    id: str
    event: event_pb2.Event | None
    channels: tuple[event_pb2.Channel.ValueType, ...] = ()
    destinations: tuple[str, ...] | None = None
    deliveries: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """The number of recipients; of a whole event 1."""
        return 1 if self.destinations is None else len(self.destinations)

    @property
    def key(self) -> tuple[object, ...]:
        """What tells it apart from the other parts of its event; empty: it is the only one."""
        return () if self.destinations is None else (self.channels, self.destinations)


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event of a tenant as it was accepted; None: its content was deleted."""

    id: str
    tenant_id: str
    event: event_pb2.Event | None
    is_shared: bool


@dataclass(frozen=True, slots=True)
class ReplayPage:
    """The next events of a replay. position: the last id that was read. is_last: there are no more.

    destination: of the last recipient of the event at position; None: the event is done.
    """

    parts: list[ReplayPart]
    position: str
    destination: str | None
    is_last: bool


@dataclass(frozen=True, slots=True)
class Subscribed:
    """What an endpoint gets: events of these types, in its environment."""

    environment_id: str
    event_types: list[str]


@dataclass(frozen=True, slots=True)
class EndedPage:
    """The next deliveries to endpoints that a replay sends again. event_id, delivery_id: the last that was read."""

    deliveries: list[str]
    event_id: str
    delivery_id: str | None
    is_last: bool
