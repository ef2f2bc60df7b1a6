"""What sending needs of the contents."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

from clarion.common.v1 import event_pb2
from clarion.senders.v1 import contents_pb2
from services.delivery.ports import Handed
from services.senders.ports import Email, Sms

Message: TypeAlias = Email | Sms | contents_pb2.StoredCall


class Captured(NamedTuple):
    """What one attempt sent. captured_us: Unix microseconds. A tuple, because making one is part of every attempt.

    provider: its kind; of a webhook the endpoint's. segments, encoding: of a text message. size: bytes of its texts,
    about.
    """

    tenant_id: str
    event_id: str
    delivery_id: str
    channel: event_pb2.Channel.ValueType
    attempt: int
    replay: int
    captured_us: int
    provider: str
    provider_id: str
    message: Message
    handed: Handed | None
    size: int
    segments: int = 0
    encoding: str = ""


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A row. captured_us: Unix microseconds. packing, packed: see services.senders.contents.capture."""

    event_id: str
    delivery_id: str
    channel: event_pb2.Channel.ValueType
    replay: int
    attempt: int
    captured_us: int
    packing: int
    packed: bytes


class RefusedRows(Exception):
    """The database refuses these rows, and would refuse them again."""


class ContentRecorder(Protocol):
    """Stores what was sent; see services.senders.contents.writer."""

    def keeps(self, tenant_id: str) -> bool:
        """Return whether this tenant's content is stored at all."""

    def record(self, captured: Captured) -> None:
        """Store it soon; the caller does not wait, and does not learn whether it could be stored."""
