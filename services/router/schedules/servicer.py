"""ScheduleService: wire to store."""

from collections.abc import Callable
from typing import Any, ClassVar

from clarion.router.v1 import schedules_pb2, schedules_pb2_grpc
from runtime import clock, logs
from services.domain.checks import check_id, invalid
from services.domain.paging import page_limit
from services.router.recipients.check import invalid as invalid_fields
from services.router.recipients.check import text
from services.router.schedules import check
from services.router.schedules.schedule import Schedule
from services.router.schedules.store import ScheduleStore
from services.router.schedules.times import Times

SCHEDULE_SERVICE = "clarion.router.v1.ScheduleService"
MIB = 1024 * 1024

# How many of its next times are told of a schedule.
NEXT_TIMES = 5
# Times are looked for in the 50 years after it, and there are none after the year 9999.
_LATEST_US = 250_246_627_200_000_000
# A page of events in full would be too large for one answer.
_MAX_PAGE_BYTES = 8 * MIB

log = logs.get(__name__)


class ScheduleServicer(schedules_pb2_grpc.ScheduleServiceServicer):
    """See proto/clarion/router/v1/schedules.proto. wake: makes this process look at what is due."""

    MAX_BYTES: ClassVar = {
        "CreateSchedule": check.MAX_EVENT_BYTES + 16 * 1024,
        "UpdateSchedule": check.MAX_EVENT_BYTES + 16 * 1024,
    }

    def __init__(self, store: ScheduleStore, wake: Callable[[], None], *, now: clock.Clock = clock.now_us) -> None:
        self._store = store
        self._wake = wake
        self._now = now

    async def CreateSchedule(
        self, request: schedules_pb2.CreateScheduleRequest, context: Any
    ) -> schedules_pb2.CreateScheduleResponse:
        """Store a schedule."""
        schedule = await self._store.create(check.checked(request.schedule), self._now())
        self._wake()
        log.info("schedule_created", tenant_id=schedule.tenant_id, schedule_id=schedule.id)
        return schedules_pb2.CreateScheduleResponse(schedule=wire_of(schedule), next_at_us=self._next_times(schedule))

    async def GetSchedule(
        self, request: schedules_pb2.GetScheduleRequest, context: Any
    ) -> schedules_pb2.GetScheduleResponse:
        """Return a schedule."""
        _check_ids(request, "tenant_id", "schedule_id")
        schedule = await self._store.get(request.tenant_id, request.schedule_id)
        return schedules_pb2.GetScheduleResponse(schedule=wire_of(schedule), next_at_us=self._next_times(schedule))

    async def ListSchedules(
        self, request: schedules_pb2.ListSchedulesRequest, context: Any
    ) -> schedules_pb2.ListSchedulesResponse:
        """List schedules, newest first. The cursor is the last one's id."""
        limit = page_limit(request.limit)
        _check_ids(request, "tenant_id")
        check_id("cursor", request.cursor, required=False)
        if faults := list(text("scope", request.scope)):
            raise invalid_fields(faults)
        found = await self._store.page(request.tenant_id, request.scope or None, request.cursor, limit)
        shown = _that_fit(found)
        is_cut = len(shown) < len(found) or len(found) == limit
        return schedules_pb2.ListSchedulesResponse(
            schedules=map(wire_of, shown), next_cursor=shown[-1].id if is_cut else ""
        )

    async def UpdateSchedule(
        self, request: schedules_pb2.UpdateScheduleRequest, context: Any
    ) -> schedules_pb2.UpdateScheduleResponse:
        """Change a schedule."""
        _check_ids(request, "tenant_id", "schedule_id")
        change = check.checked_change(request)
        schedule = await self._store.update(request.tenant_id, request.schedule_id, change, self._now())
        self._wake()
        log.info("schedule_changed", tenant_id=schedule.tenant_id, schedule_id=schedule.id)
        return schedules_pb2.UpdateScheduleResponse(schedule=wire_of(schedule), next_at_us=self._next_times(schedule))

    async def DeleteSchedule(
        self, request: schedules_pb2.DeleteScheduleRequest, context: Any
    ) -> schedules_pb2.DeleteScheduleResponse:
        """Delete a schedule."""
        _check_ids(request, "tenant_id", "schedule_id")
        await self._store.delete(request.tenant_id, request.schedule_id)
        log.info("schedule_deleted", tenant_id=request.tenant_id, schedule_id=request.schedule_id)
        return schedules_pb2.DeleteScheduleResponse()

    async def PreviewSchedule(
        self, request: schedules_pb2.PreviewScheduleRequest, context: Any
    ) -> schedules_pb2.PreviewScheduleResponse:
        """Return the next times of an expression."""
        if not 0 <= request.after_us <= _LATEST_US:
            raise invalid("after_us", "must be a time before the year 9900")
        found = check.times(request.cron, request.timezone).next_times(request.after_us or self._now(), NEXT_TIMES)
        return schedules_pb2.PreviewScheduleResponse(next_at_us=found)

    def _next_times(self, schedule: Schedule) -> list[int]:
        """Return the next times; the first one is the one that is being worked on."""
        if not schedule.next_us:
            return []
        following = Times(schedule.cron, schedule.timezone).next_times(
            max(schedule.next_us, self._now()), NEXT_TIMES - 1
        )
        return [schedule.next_us, *following]


def _check_ids(request: Any, *fields: str) -> None:
    for field in fields:
        check_id(field, getattr(request, field))


def _that_fit(found: list[Schedule]) -> list[Schedule]:
    """Return the first schedules whose events fit into one answer; of any at least one."""
    size = 0
    for place, schedule in enumerate(found):
        size += len(schedule.event)
        if place and size > _MAX_PAGE_BYTES:
            return found[:place]
    return found


def wire_of(schedule: Schedule) -> schedules_pb2.Schedule:
    """Return a schedule without its next times."""
    return schedules_pb2.Schedule(
        id=schedule.id,
        tenant_id=schedule.tenant_id,
        scope=schedule.scope,
        name=schedule.name,
        cron=schedule.cron,
        timezone=schedule.timezone,
        active=schedule.active,
        event=schedule.event,
        next_at_us=schedule.next_us,
        last_at_us=schedule.last_us,
        last_event_id=schedule.last_event_id,
        last_error=schedule.last_error,
        last_error_detail=schedule.last_error_detail,
        created_at_us=schedule.created_us,
        updated_at_us=schedule.updated_us,
    )
