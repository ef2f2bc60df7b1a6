"""What comes of a schedule whose time has come: pure.

Times that came while no router ran, or while the event of an earlier one could not be accepted, give one event
together.
"""

from dataclasses import dataclass

from clarion.common.v1 import error_pb2
from clarion.ingest.v1 import ingest_pb2
from runtime.errors import ClarionError, Code
from services.router.schedules.schedule import Schedule
from services.router.schedules.times import Times

# The label by which the events of a schedule are found: its id.
LABEL = "schedule"
# Keys of events are remembered for longer than the same time is tried, seconds.
KEY_TTL_S = 7 * 86_400
# An event that could not be accepted is tried again after 1, 2, 4, … seconds, at most ten minutes; after so many tries,
# in about a day, its time is passed over.
MAX_TRIES = 150
_LONGEST_PAUSE_S = 600.0

# Words for last_error: programs read them, so they never change.
RATE_LIMIT = "rate_limit"
UNFINISHED_LIMIT = "unfinished_limit"
SCHEDULED_LIMIT = "scheduled_limit"
TENANT_INACTIVE = "tenant_inactive"
RECIPIENT_ERASED = "recipient_erased"
NOT_FOUND = "not_found"
INVALID = "invalid"
UNAVAILABLE = "unavailable"
INTERNAL_ERROR = "internal_error"

_LIMITS = {
    error_pb2.LIMIT_KIND_UNFINISHED: UNFINISHED_LIMIT,
    error_pb2.LIMIT_KIND_BYTES: UNFINISHED_LIMIT,
    error_pb2.LIMIT_KIND_SCHEDULED: SCHEDULED_LIMIT,
}
_WORDS = {
    Code.INVALID: INVALID,
    Code.NOT_FOUND: NOT_FOUND,
    Code.OVERLOADED: UNAVAILABLE,
    Code.UNAVAILABLE: UNAVAILABLE,
    Code.TIMEOUT: UNAVAILABLE,
}
_UNREADABLE = "The expression or the time zone is not known any more. Change it."
# What may be otherwise at the next try.
_PASSING = frozenset({Code.LIMITED, Code.OVERLOADED, Code.UNAVAILABLE, Code.TIMEOUT, Code.INTERNAL})


@dataclass(frozen=True, slots=True)
class Passed:
    """A time that is done with. next_us: the next one; None: there is none. event_id: empty: it gave no event."""

    schedule: Schedule
    next_us: int | None
    event_id: str = ""
    error: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """A time whose event is tried again at until_us."""

    schedule: Schedule
    until_us: int
    tries: int
    error: str
    detail: str


def event_of(schedule: Schedule) -> ingest_pb2.NewEvent:
    """Return the event of the schedule's time: however often it is sent, it is accepted once."""
    event = ingest_pb2.NewEvent.FromString(schedule.event)
    event.scope = schedule.scope
    event.metadata[LABEL] = schedule.id
    event.dedupe.kind = ingest_pb2.DEDUPE_KIND_KEY
    event.dedupe.key = f"schedule/{schedule.id}/{schedule.next_us}"
    event.dedupe.ttl_s = KEY_TTL_S
    return event


def accepted(schedule: Schedule, event_id: str, now_us: int) -> Passed:
    """Return what comes of a time whose event was accepted."""
    return _passed(schedule, now_us, event_id)


def tenant_inactive(schedule: Schedule, now_us: int) -> Passed:
    """Return what comes of a time of a tenant who may not send."""
    detail = "The tenant was not active."
    return _passed(schedule, now_us, error=TENANT_INACTIVE, detail=detail)


def refused(schedule: Schedule, error: ClarionError, now_us: int, jitter: float) -> Passed | Held:
    """Return what comes of a time whose event was refused. jitter: a factor of the pause, about 1."""
    word = _word(error)
    if error.code in _PASSING and schedule.tries + 1 < MAX_TRIES:
        pause_s = min(2.0 ** min(schedule.tries, 10), _LONGEST_PAUSE_S)
        if error.code is Code.LIMITED:
            pause_s = max(pause_s, min(float(error.retry_after), _LONGEST_PAUSE_S))
        until_us = now_us + int(pause_s * jitter * 1_000_000)
        return Held(schedule, until_us, schedule.tries + 1, word, error.detail)
    return _passed(schedule, now_us, error=word, detail=error.detail)


def _passed(schedule: Schedule, now_us: int, event_id: str = "", error: str = "", detail: str = "") -> Passed:
    """Return a time that is done with, and the first one that is still to come: those between were missed."""
    try:
        next_us = Times(schedule.cron, schedule.timezone).after(max(now_us, schedule.next_us))
    except (ValueError, LookupError):  # a later version of a library may know them no more; the others go on
        return Passed(schedule, None, event_id, INVALID, _UNREADABLE)
    return Passed(schedule, next_us, event_id, error, detail)


def _word(error: ClarionError) -> str:
    if error.code is Code.LIMITED:
        kind = error.limit.kind if error.limit is not None else error_pb2.LIMIT_KIND_UNSPECIFIED
        return _LIMITS.get(kind, RATE_LIMIT)
    return _WORDS.get(error.code, INTERNAL_ERROR)
