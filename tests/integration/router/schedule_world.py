"""Routers that work off schedules on one database, with a real ingest, and the events that came of it."""

import asyncio
from collections import Counter
from typing import Any

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2, tenants_pb2
from clarion.router.v1 import schedules_pb2
from runtime.grpc import Caller
from services.router.schedules.outcome import LABEL
from services.router.schedules.people import PeopleInSchedules
from services.router.schedules.runner import Schedules
from services.router.schedules.servicer import ScheduleServicer
from services.router.schedules.store import ScheduleStore
from tests.integration.ingest.processes import TOKEN, Service
from tests.integration.router.run_world import Clock, Pool
from tests.streams import Streams


class ScheduleWorld:
    """Routers on one database; ingest is a process. tenant_id: of a tenant that ingest knows."""

    def __init__(self, pool: Pool, streams: Streams, ingest: Service, tenant_id: str) -> None:
        self.pool = pool
        self.streams = streams
        self.ingest = ingest
        self.tenant_id = tenant_id
        self.clock = Clock()
        self.inactive: set[str] = set()
        self.store = ScheduleStore(pool)
        self.schedules = self.router()
        self.service = ScheduleServicer(self.store, self.schedules.wake, now=self.clock)
        self.people = PeopleInSchedules(pool)

    def router(self) -> Schedules:
        """Return another process's schedules."""
        return Schedules(self.store, self.ingest.channel, Caller(TOKEN), self.inactive.__contains__, now=self.clock)

    async def tenant(self, **fields: Any) -> str:
        """Create another tenant in ingest; return its id."""
        request = tenants_pb2.CreateTenantRequest(name="Acme", **fields)
        return str((await self.ingest.call("TenantService.CreateTenant", request)).tenant.id)

    async def create(
        self, cron: str = "0 9 * * *", event: ingest_pb2.NewEvent | None = None, **fields: Any
    ) -> schedules_pb2.Schedule:
        """Store a schedule; every day at nine, unless another time is given."""
        wanted = schedules_pb2.Schedule(
            **{
                "tenant_id": self.tenant_id,
                "name": "daily",
                "cron": cron,
                "active": True,
                "event": (event or new_event()).SerializeToString(),
                **fields,
            }
        )
        answer = await self.call("CreateSchedule", schedule=wanted)
        schedule: schedules_pb2.Schedule = answer.schedule
        return schedule

    async def call(self, method: str, **fields: Any) -> Any:
        """Call a method of the service by its name."""
        return await getattr(self.service, method)(getattr(schedules_pb2, f"{method}Request")(**fields), None)

    async def get(self, schedule: schedules_pb2.Schedule) -> schedules_pb2.Schedule:
        """Return a schedule as it is now."""
        answer = await self.call("GetSchedule", tenant_id=schedule.tenant_id, schedule_id=schedule.id)
        found: schedules_pb2.Schedule = answer.schedule
        return found

    async def update(self, schedule: schedules_pb2.Schedule, **fields: Any) -> schedules_pb2.Schedule:
        """Change a schedule."""
        answer = await self.call("UpdateSchedule", tenant_id=schedule.tenant_id, schedule_id=schedule.id, **fields)
        found: schedules_pb2.Schedule = answer.schedule
        return found

    def pass_until(self, at_us: int) -> None:
        """Let time pass until an instant, if it has not come."""
        self.clock.us = max(self.clock.us, at_us)

    async def work(self, *routers: Schedules) -> None:
        """Have routers work off what is due, at once, until nothing is left."""
        routers = routers or (self.schedules,)
        busy = True
        while busy:
            busy = any(await asyncio.gather(*[one.work() for one in routers]))

    async def events(self) -> list[event_pb2.Event]:
        """Return all accepted events."""
        return await self.streams.events()

    async def event_counts(self) -> Counter[str]:
        """Return the number of accepted events of each schedule, by its id."""
        return Counter(event.metadata[LABEL] for event in await self.events())


def new_event(*user_ids: str, **fields: Any) -> ingest_pb2.NewEvent:
    """An event for these people."""
    people = [event_pb2.Recipient(user_id=id_, email=f"{id_}@example.com") for id_ in user_ids or ("ada",)]
    audience = [event_pb2.Target(recipient=one) for one in people]
    return ingest_pb2.NewEvent(**{"event_type": "report.due", "audience": audience, **fields})
