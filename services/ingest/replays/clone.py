"""Clones events for replays, and gives them ids: pure."""

import hashlib
import uuid
from collections.abc import Collection, Sequence

from clarion.common.v1 import event_pb2
from services.domain import audience
from services.domain.delivery_ids import scheme_of
from services.domain.earlier_events import modernise
from services.ingest.event_size import size_in_streams


def clone_event(
    first: event_pb2.Event,
    new_id: str,
    now_us: int,
    channels: Sequence[event_pb2.Channel.ValueType] = (),
    destinations: Collection[str] | None = None,
) -> event_pb2.Event | None:
    """Return a new event with the content of first and without a deduplication key, to be published as its replay.

    channels: some of those that the caller asked for; empty: all. destinations: of some of its recipients; None: the
    same audience. Stored workflows begin again, on their versions. Endpoints get it as they got the first one: those
    that the event names, or those that subscribe now; none if destinations, or channels without WEBHOOK, are given.
    None: the caller asked for none of the channels, or nobody is left.
    """
    event = _renewed(first, new_id, now_us)
    if channels:
        asked = [first.direct.channel] if first.HasField("direct") else first.channels
        wanted = [channel for channel in channels if not asked or channel in asked]
        if not wanted:
            return None
        if not first.HasField("direct"):  # it says itself on which channel it is sent
            event.channels[:] = wanted
    if destinations is not None:
        _narrow(event, set(destinations))
    if destinations is not None or (channels and event_pb2.CHANNEL_WEBHOOK not in channels):
        event.endpoints.Clear()
        event.endpoints.SetInParent()  # it is for no endpoint, rather than for those that subscribe
    has_recipient = event.HasField("recipient") or any(map(_is_somebody, event.audience))
    return event if has_recipient or event.endpoints.endpoint_ids else None


def clone_for_endpoint(first: event_pb2.Event, new_id: str, now_us: int, endpoint_id: str) -> event_pb2.Event:
    """Return a new event with the content of first for this endpoint alone, to be published as its replay."""
    event = _renewed(first, new_id, now_us)
    for field in ("recipient", "audience", "exclusions", "channels", "endpoints", "workflows"):
        event.ClearField(field)
    event.endpoints.endpoint_ids.append(endpoint_id)
    event.id_scheme = scheme_of(event)
    event.weight = size_in_streams(event)
    return event


def _renewed(first: event_pb2.Event, new_id: str, now_us: int) -> event_pb2.Event:
    event = event_pb2.Event()
    event.CopyFrom(first)
    modernise(event)  # with today's scheme it no longer says that it is of an earlier version
    event.id = new_id
    event.replay_of = first.id
    event.accepted_at_us = now_us
    event.dedupe_key = b""
    event.dedupe_ttl_s = 0
    event.due_at_us = 0
    event.id_scheme = scheme_of(event)
    return event


def _narrow(event: event_pb2.Event, destinations: set[str]) -> None:
    """Leave only these recipients in the audience. Members of groups are named by their ids.

    The targets of the others are left empty: of a recipient without an id the place among the targets says who it is.
    """
    for position, target in enumerate(event.audience):
        match target.WhichOneof("target"):
            case "recipient" if (found := audience.destination(target.recipient, position)) in destinations:
                destinations.remove(found)
            case "recipient_id" if (found := audience.of_user(target.recipient_id)) in destinations:
                destinations.remove(found)
            case _:
                target.Clear()
    while event.audience and not _is_somebody(event.audience[-1]):
        del event.audience[-1]
    event.audience.extend(
        event_pb2.Target(recipient_id=audience.user_id_of(destination)) for destination in sorted(destinations)
    )


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
