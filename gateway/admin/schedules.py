"""Schedules: events that are sent again and again, at the times of a cron expression in a time zone."""

from datetime import UTC, datetime
from typing import Annotated, Any

from aiohttp import web
from cronsim import CronSim, CronSimError
from msgspec import UNSET, Meta, UnsetType

from clarion.ingest.v1 import ingest_pb2
from clarion.router.v1 import schedules_pb2
from gateway.admin import event_bodies, forms
from gateway.admin.event_bodies import EventToSendBody
from gateway.clients import Clients
from gateway.replies import json_reply
from runtime.errors import ClarionError

Name = Annotated[str, Meta(min_length=1, max_length=100, examples=["Weekly report"])]
Cron = Annotated[
    str,
    Meta(
        min_length=9,
        max_length=255,
        description="Five fields: minute, hour, day of the month, month, day of the week.",
        examples=["0 9 * * MON"],
    ),
]
Zone = Annotated[str, Meta(max_length=255, description="IANA name; empty: UTC.", examples=["Africa/Nairobi"])]

# Names of Schedule, and what they are called here.
_FIELDS = {f"event.{name}": f"event.{known}" for name, known in event_bodies.FIELDS.items()}
_ANY_TIME = datetime(2026, 1, 1, tzinfo=UTC)


class NewScheduleBody(forms.Body):
    """The body of POST /tenants/{id}/schedules."""

    name: Name
    cron: Cron
    event: EventToSendBody
    timezone: Zone = ""
    active: bool = True


class ScheduleChangeBody(forms.Body):
    """The body of PATCH /tenants/{id}/schedules/{schedule_id}. event: replaces all of it; its scope stays."""

    name: Name | UnsetType = UNSET
    cron: Cron | UnsetType = UNSET
    timezone: Zone | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    event: EventToSendBody | UnsetType = UNSET


class ScheduleRoutes:
    """Handlers that ask the router's ScheduleService, always for the tenant in the path."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._stub = clients.schedules

    async def create(self, request: web.Request) -> web.Response:
        """Create a schedule."""
        body = await forms.read(request, NewScheduleBody)
        wanted = schedules_pb2.Schedule(
            tenant_id=await forms.path_tenant(request, self._clients),
            scope=body.event.scope,
            name=body.name,
            cron=body.cron,
            timezone=body.timezone,
            active=body.active,
            event=_event(body.event),
        )
        wire = schedules_pb2.CreateScheduleRequest(schedule=wanted)
        answer = await self._call(self._stub.CreateSchedule, wire)
        return json_reply(_with_times(answer.schedule, answer.next_at_us), status=201)

    async def list_all(self, request: web.Request) -> web.Response:
        """List schedules, newest first."""
        wire = schedules_pb2.ListSchedulesRequest(
            tenant_id=await forms.path_tenant(request, self._clients),
            scope=forms.text(request, "scope"),
            limit=forms.limit(request),
            cursor=forms.cursor(request),
        )
        answer = await self._clients.call(self._stub.ListSchedules, wire)
        return json_reply(forms.page(request, list(map(shown, answer.schedules)), answer.next_cursor))

    async def get(self, request: web.Request) -> web.Response:
        """Return a schedule with its next times."""
        wire = schedules_pb2.GetScheduleRequest(**await self._of(request))
        answer = await self._clients.call(self._stub.GetSchedule, wire)
        return json_reply(_with_times(answer.schedule, answer.next_at_us))

    async def change(self, request: web.Request) -> web.Response:
        """Change a schedule."""
        body = await forms.read(request, ScheduleChangeBody)
        wire = schedules_pb2.UpdateScheduleRequest(**await self._of(request))
        if body.name is not UNSET:
            wire.name = body.name
        if body.cron is not UNSET:
            wire.cron = body.cron
        if body.timezone is not UNSET:
            wire.timezone = body.timezone
        if body.active is not UNSET:
            wire.active = body.active
        if body.event is not UNSET:
            wire.event = _event(body.event)
        answer = await self._call(self._stub.UpdateSchedule, wire)
        return json_reply(_with_times(answer.schedule, answer.next_at_us))

    async def delete(self, request: web.Request) -> web.Response:
        """Delete a schedule."""
        wire = schedules_pb2.DeleteScheduleRequest(**await self._of(request))
        await self._clients.call(self._stub.DeleteSchedule, wire)
        return web.Response(status=204)

    async def times(self, request: web.Request) -> web.Response:
        """Return the next times of an expression, and what it means."""
        await forms.path_tenant(request, self._clients)
        cron = forms.text(request, "cron")
        wire = schedules_pb2.PreviewScheduleRequest(cron=cron, timezone=forms.text(request, "timezone"))
        answer = await self._clients.call(self._stub.PreviewSchedule, wire)
        return json_reply({"in_words": in_words(cron), "next_times": list(map(forms.iso, answer.next_at_us))})

    async def _call(self, method: Any, wire: Any) -> Any:
        """Return the answer to a call that has an event. Raises ClarionError with the names of fields here."""
        try:
            return await self._clients.call(method, wire)
        except ClarionError as error:
            raise forms.named(error, _FIELDS) from None

    async def _of(self, request: web.Request) -> dict[str, Any]:
        schedule_id = forms.path_uuid(request, "schedule_id")
        return {"tenant_id": await forms.path_tenant(request, self._clients), "schedule_id": schedule_id}


def in_words(cron: str) -> str:
    """Return what an expression means, as "At 09:00 on Monday"; empty if it is none."""
    try:
        return CronSim(cron, _ANY_TIME).explain()
    except CronSimError:
        return ""


def shown(schedule: schedules_pb2.Schedule) -> dict[str, Any]:
    """Return a schedule as the API shows it."""
    return {
        "id": schedule.id,
        "tenant_id": schedule.tenant_id,
        "scope": schedule.scope or None,
        "name": schedule.name,
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "in_words": in_words(schedule.cron),
        "active": schedule.active,
        "event": event_bodies.shown(ingest_pb2.NewEvent.FromString(schedule.event)) | {"scope": schedule.scope},
        "next_at": forms.iso(schedule.next_at_us),
        "last_at": forms.iso(schedule.last_at_us),
        "last_event_id": schedule.last_event_id or None,
        "last_error": schedule.last_error or None,
        "last_error_detail": schedule.last_error_detail or None,
        "created_at": forms.iso(schedule.created_at_us),
        "updated_at": forms.iso(schedule.updated_at_us),
    }


def _with_times(schedule: schedules_pb2.Schedule, next_at_us: Any) -> dict[str, Any]:
    return {**shown(schedule), "next_times": list(map(forms.iso, next_at_us))}


def _event(body: EventToSendBody) -> bytes:
    return event_bodies.event_of(body, "event.").SerializeToString()
