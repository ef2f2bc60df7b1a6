"""A schedule: pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NewSchedule:
    """What a tenant says of a schedule, in its stored form. event: a serialised clarion.ingest.v1.NewEvent."""

    tenant_id: str
    scope: str
    name: str
    cron: str
    timezone: str
    active: bool
    event: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be another; None: it stays."""

    name: str | None = None
    cron: str | None = None
    timezone: str | None = None
    active: bool | None = None
    event: bytes | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """A stored schedule. Times in Unix microseconds, 0: none.

    next_us: its next time, or the one that is being worked on. revision: of next_us. tries: how often in a row the
    event of next_us could not be accepted. last_event_id, last_error, last_error_detail: see
    clarion.router.v1.Schedule.
    """

    id: str
    tenant_id: str
    scope: str
    name: str
    cron: str
    timezone: str
    active: bool
    event: bytes
    next_us: int
    revision: int
    tries: int
    last_us: int
    last_event_id: str
    last_error: str
    last_error_detail: str
    created_us: int
    updated_us: int
