"""Clones events for replays, and gives them ids: pure."""

import hashlib
import uuid
from collections.abc import Collection, Sequence

from clarion.common.v1 import event_pb2
from services.domain import audience
from services.domain.delivery_ids import CURRENT_SCHEME
from services.domain.earlier_events import modernise


def clone_event(
    first: event_pb2.Event,
    new_id: str,
    now_us: int,
    channels: Sequence[event_pb2.Channel.ValueType] = (),
    destinations: Collection[str] | None = None,
) -> event_pb2.Event | None:
    """Return a new event with the content of first and without a deduplication key, to be published as its replay.

    channels: some of those that the caller asked for; empty: all. destinations: of some of its recipients; None: the
    same audience. None: the caller asked for none of the channels, or nobody is left.
    """
    event = event_pb2.Event()
    event.CopyFrom(first)
    modernise(event)  # with today's scheme it no longer says that it is of an earlier version
    event.id = new_id
    event.replay_of = first.id
    event.accepted_at_us = now_us
    event.dedupe_key = b""
    event.dedupe_ttl_s = 0
    event.due_at_us = 0
    event.id_scheme = CURRENT_SCHEME
    if channels:
        wanted = [channel for channel in channels if not first.channels or channel in first.channels]
        if not wanted:
            return None
        event.channels[:] = wanted
    if destinations is not None:
        _narrow(event, set(destinations))
    return event if event.HasField("recipient") or any(map(_is_somebody, event.audience)) else None


def _narrow(event: event_pb2.Event, destinations: set[str]) -> None:
    """Leave only these recipients in the audience. Members of groups are named by their ids.

    The targets of the others are left empty: of a recipient without an id the place among the targets says who it is.
    """
    for position, target in enumerate(event.audience):
        match target.WhichOneof("target"):
            case "recipient" if (found := audience.destination(target.recipient, position)) in destinations:
                destinations.remove(found)
            case "recipient_id" if target.recipient_id in destinations:
                destinations.remove(target.recipient_id)
            case _:
                target.Clear()
    while event.audience and not _is_somebody(event.audience[-1]):
        del event.audience[-1]
    event.audience.extend(event_pb2.Target(recipient_id=destination) for destination in sorted(destinations))


def _is_somebody(target: event_pb2.Target) -> bool:
    return target.WhichOneof("target") is not None


def replayed_id(replay_id: str, event_id: str, part: Sequence[object] = ()) -> str:
    """Return the id of an event's replay: always the same, a UUIDv7 with the time of the replay's id.

    part: what tells the replays of one event apart.
    """
    time = uuid.UUID(replay_id).bytes[:6]
    name = "/".join([replay_id, event_id, *map(repr, part)])
    raw = bytearray(time + hashlib.sha256(name.encode()).digest()[:10])
    raw[6] = (raw[6] & 0x0F) | 0x70
    raw[8] = (raw[8] & 0x3F) | 0x80
    return str(uuid.UUID(bytes=bytes(raw)))
