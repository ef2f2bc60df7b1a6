"""Schedules: events that are sent again and again."""

from typing import Annotated

from msgspec import Meta

from gateway.admin.event_bodies import EventToSendBody
from gateway.admin.schedules import NewScheduleBody, ScheduleChangeBody
from gateway.openapi.operations import PAGING, Operation, Parameter, admin, filters
from gateway.openapi.values import Id, PageSchema, Shape, Text, Time

_TAG = "Schedules"
_SCHEDULES = "/tenants/{id}/schedules"
_SCHEDULE = _SCHEDULES + "/{schedule_id}"

InWords = Annotated[str, Meta(description="The expression in words.", examples=["At 09:00 on Monday"])]
NextTimes = Annotated[list[Time], Meta(description="The next five times.")]


class ScheduleSchema(Shape):
    """An event that is sent at the times of a cron expression in a time zone."""

    id: Id
    tenant_id: Id
    scope: str | None
    name: str
    cron: str
    timezone: Annotated[str, Meta(description="IANA name; empty: UTC.")]
    in_words: InWords
    active: bool
    event: EventToSendBody
    next_at: Annotated[Time | None, Meta(description="null: it is not active, or never comes again.")]
    last_at: Annotated[Time | None, Meta(description="null: no time has come yet.")]
    last_event_id: Annotated[Id | None, Meta(description="Of the last event that was accepted; null: none was.")]
    last_error: Annotated[
        str | None,
        Meta(
            description="Why the last time gave no event, or gives none yet: `rate_limit`, `unfinished_limit`,"
            " `scheduled_limit`, `unavailable`, `internal_error` (these are tried again), `tenant_inactive`, `invalid`,"
            " `not_found`, `recipient_erased`; null: it gave one.",
            examples=["rate_limit"],
        ),
    ]
    last_error_detail: Annotated[str | None, Meta(description="The same in one sentence.")]
    created_at: Time
    updated_at: Time


class ScheduleWithTimesSchema(ScheduleSchema):
    """A schedule with its next times."""

    next_times: NextTimes


class ScheduleTimesSchema(Shape):
    """What an expression means, and when it comes next."""

    in_words: InWords
    next_times: NextTimes


OPERATIONS: tuple[Operation, ...] = (
    admin(
        "POST",
        _SCHEDULES,
        "createSchedule",
        "Create a schedule",
        {201: ScheduleWithTimesSchema},
        tag=_TAG,
        faults=(409,),
        body=NewScheduleBody,
        example={
            "name": "Weekly report",
            "cron": "0 9 * * MON",
            "timezone": "Africa/Nairobi",
            "event": {"event_type": "report.due", "audience": [{"group": "managers"}]},
        },
        description=(
            "At each of its times the event is accepted as if it were sent then. A time of day that a change of the"
            " clock skips happens at the next instant there is, one that it repeats happens once. Where the hour is"
            " `*`, the minutes count on through the change instead."
        ),
    ),
    admin(
        "GET",
        _SCHEDULES,
        "listSchedules",
        "List schedules, newest first",
        {200: PageSchema[ScheduleSchema]},
        tag=_TAG,
        parameters=(*filters("scope"), *PAGING),
    ),
    admin("GET", _SCHEDULE, "getSchedule", "Get a schedule", {200: ScheduleWithTimesSchema}, tag=_TAG),
    admin(
        "PATCH",
        _SCHEDULE,
        "changeSchedule",
        "Change a schedule",
        {200: ScheduleWithTimesSchema},
        tag=_TAG,
        body=ScheduleChangeBody,
        example={"active": False},
        description="The next time is found again if the expression, the time zone or `active` change.",
    ),
    admin(
        "DELETE",
        _SCHEDULE,
        "deleteSchedule",
        "Delete a schedule",
        {204: None},
        tag=_TAG,
        description="Events that it has sent are not affected.",
    ),
    admin(
        "GET",
        "/tenants/{id}/schedule-times",
        "listScheduleTimes",
        "Get the next times of an expression",
        {200: ScheduleTimesSchema},
        tag=_TAG,
        parameters=(
            Parameter("cron", Text, required=True),
            Parameter("timezone", Text, "IANA name; absent: UTC."),
        ),
    ),
)
