"""Checks schedules as they are sent, and brings them into their stored form: pure.

Ingest checks the event itself, each time; what can be seen at once to be wrong is refused here.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from google.protobuf.message import DecodeError

from clarion.ingest.v1 import ingest_pb2
from clarion.router.v1 import schedules_pb2
from runtime.nesting import MAX_DEPTH, is_too_deep
from services.domain.audience import MAX_TARGETS
from services.domain.endpoints import MAX_METADATA
from services.domain.time_zones import is_time_zone
from services.router.recipients.check import Fault, invalid, tenant, text
from services.router.schedules.outcome import LABEL
from services.router.schedules.schedule import Change, NewSchedule, Schedule
from services.router.schedules.times import Times

# Of one tenant.
MAX_SCHEDULES = 1_000
MAX_NAME = 100
MAX_EVENT_BYTES = 256 * 1024

# What each time has of its own.
_OWN = ("due_at_us", "dedupe", "idempotency_key", "answer_by_us", "pinned", "trace_id")

_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


def checked(wanted: schedules_pb2.Schedule) -> NewSchedule:
    """Return a new schedule. Raises INVALID naming each wrong field."""
    faults = [*tenant(wanted.tenant_id), *text("scope", wanted.scope), *_name(wanted.name)]
    faults += _zone(wanted.timezone)
    if not any(field == "timezone" for field, _ in faults):
        faults += _cron(wanted.cron, wanted.timezone)
    faults += _event(wanted.event, wanted.scope)
    if faults:
        raise invalid(faults)
    return NewSchedule(
        tenant_id=wanted.tenant_id,
        scope=wanted.scope,
        name=wanted.name,
        cron=_tidy(wanted.cron),
        timezone=wanted.timezone,
        active=wanted.active,
        event=wanted.event,
    )


def checked_change(request: schedules_pb2.UpdateScheduleRequest) -> Change:
    """Return what is to be another, but for whether expression, time zone and event fit what is stored.

    Raises INVALID naming each wrong field.
    """
    change = Change(
        name=request.name if request.HasField("name") else None,
        cron=_tidy(request.cron) if request.HasField("cron") else None,
        timezone=request.timezone if request.HasField("timezone") else None,
        active=request.active if request.HasField("active") else None,
        event=request.event if request.HasField("event") else None,
    )
    faults: list[Fault] = []
    if change.name is not None:
        faults += _name(change.name)
    if change.timezone is not None:
        faults += _zone(change.timezone)
    if faults:
        raise invalid(faults)
    return change


def check_changed(schedule: Schedule) -> None:
    """Check a stored schedule with its changes. Raises INVALID naming each wrong field."""
    if faults := [*_cron(schedule.cron, schedule.timezone), *_event(schedule.event, schedule.scope)]:
        raise invalid(faults)


def segments(event: bytes) -> dict[str, str]:
    """Return the segments that an event is for, or leaves out: their ids by fields."""
    new = ingest_pb2.NewEvent.FromString(event)
    return {
        f"event.{name}[{position}].segment_id": target.segment_id
        for name, targets in (("audience", new.audience), ("exclusions", new.exclusions))
        for position, target in enumerate(targets)
        if target.segment_id
    }


def times(cron: str, timezone: str) -> Times:
    """Return the times of an expression. Raises INVALID naming each wrong field."""
    faults = list(_zone(timezone)) or list(_cron(cron, timezone))
    if faults:
        raise invalid(faults)
    return Times(cron, timezone)


def _tidy(cron: str) -> str:
    return " ".join(cron.split())


def _name(name: str) -> Iterator[Fault]:
    yield from text("name", name, limit=MAX_NAME, required=True)


def _zone(timezone: str) -> Iterator[Fault]:
    if timezone and not is_time_zone(timezone):
        yield "timezone", "must be the IANA name of a time zone, such as Africa/Nairobi"


def _cron(cron: str, timezone: str) -> Iterator[Fault]:
    try:
        is_ever = Times(cron, timezone).after(0) is not None
    except ValueError as error:
        yield "cron", str(error)
        return
    if not is_ever:
        yield "cron", "never matches"


def _event(raw: bytes, scope: str) -> Iterator[Fault]:
    if len(raw) > MAX_EVENT_BYTES:
        yield "event", f"is larger than {MAX_EVENT_BYTES // 1024} KiB"
        return
    try:
        event = ingest_pb2.NewEvent.FromString(raw)
    except DecodeError:
        yield "event", "must be a serialised NewEvent"
        return
    yield from text("event.event_type", event.event_type, required=True)
    given = {field.name for field, _ in event.ListFields()}
    for field in _OWN:
        if field in given:
            yield f"event.{field}", "must be empty: each time has its own"
    if event.scope not in ("", scope):
        yield "event.scope", "must be that of the schedule"
    if len(event.audience) > MAX_TARGETS:
        yield "event.audience", f"must hold at most {MAX_TARGETS} targets"
    if not given.intersection(("recipient", "audience", "to_endpoints", "workflows")):
        yield "event.audience", "must have at least one target, unless the event is for endpoints or workflows"
    if LABEL in event.metadata or len(event.metadata) >= MAX_METADATA:
        yield "event.metadata", f'must have at most {MAX_METADATA - 1} entries besides "{LABEL}", the schedule\'s id'
    yield from _object("event.variables", event.variables)
    yield from _object("event.payload_extra", event.payload_extra)


def _object(field: str, raw: bytes) -> Iterator[Fault]:
    try:
        value = _decode_object(raw) if raw else {}
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        yield field, "must be a JSON object"
        return
    if is_too_deep(raw, value):
        yield field, f"must be nested at most {MAX_DEPTH} levels deep"
