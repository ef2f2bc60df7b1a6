"""Clones events for replays, and gives them ids: pure."""

import hashlib
import uuid
from collections.abc import Sequence

from clarion.common.v1 import event_pb2


def clone_event(
    first: event_pb2.Event, new_id: str, now_us: int, channels: Sequence[event_pb2.Channel.ValueType] = ()
) -> event_pb2.Event | None:
    """Return a new event with the content of first and without a deduplication key, to be published as its replay.

    channels: some of those that the caller asked for; empty: all. None: the caller asked for none of them.
    """
    event = event_pb2.Event()
    event.CopyFrom(first)
    event.id = new_id
    event.replay_of = first.id
    event.accepted_at_us = now_us
    event.dedupe_key = b""
    if channels:
        wanted = [channel for channel in channels if not first.channels or channel in first.channels]
        if not wanted:
            return None
        event.channels[:] = wanted
    return event


def replayed_id(replay_id: str, event_id: str) -> str:
    """Return the id of an event's replay: always the same, a UUIDv7 with the time of the replay's id."""
    time = uuid.UUID(replay_id).bytes[:6]
    raw = bytearray(time + hashlib.sha256(f"{replay_id}/{event_id}".encode()).digest()[:10])
    raw[6] = (raw[6] & 0x0F) | 0x70
    raw[8] = (raw[8] & 0x3F) | 0x80
    return str(uuid.UUID(bytes=bytes(raw)))
