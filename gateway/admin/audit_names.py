"""The names of what audit entries are about, asked of the services that own it.

Names make sentences readable; without them the sentences have ids. So nothing here is an error: what a service does not
say in time has no name.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

from clarion.ingest.v1 import console_users_pb2, keys_pb2, ledger_pb2, tenants_pb2
from clarion.render.v1 import parts_pb2, samples_pb2, templates_pb2
from clarion.router.v1 import (
    catalogs_pb2,
    endpoints_pb2,
    imports_pb2,
    recipients_pb2,
    schedules_pb2,
    segments_pb2,
    workflows_pb2,
)
from clarion.senders.v1 import senders_pb2
from gateway.admin import forms
from gateway.admin.audit_sentences import Named, Thing, page
from gateway.clients import Clients
from runtime import ids
from runtime.errors import ClarionError

# For all names of a page together, in seconds.
_DEADLINE_S = 1.5
_AT_ONCE = 8

_Ask = Callable[[Thing], Awaitable[Named | None]]


class AuditNames:
    """Finds names. An object of another tenant than the entry's has none."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._asks: Mapping[str, _Ask] = {
            "api_key": self._key,
            "application": self._application,
            "delivery": self._delivery,
            "endpoint": self._endpoint,
            "environment": self._environment,
            "event": self._event,
            "event_type": self._event_type,
            "group": self._group,
            "import": self._import,
            "provider": self._provider,
            "replay": self._replay,
            "sample": self._sample,
            "schedule": self._schedule,
            "segment": self._segment,
            "template": self._template,
            "template_part": self._part,
            "tenant": self._tenant,
            "user": self._user,
            "workflow": self._workflow,
        }

    async def find(self, things: Collection[Thing]) -> dict[Thing, Named]:
        """Return the names that could be found within 1.5 seconds."""
        found: dict[Thing, Named] = {}
        turns = asyncio.Semaphore(_AT_ONCE)

        async def ask(thing: Thing) -> None:
            async with turns:
                try:
                    known = await self._asks[thing.kind](thing)
                except ClarionError:
                    return  # deleted, or its service is not there
            if known is not None:
                found[thing] = known

        wanted = [ask(thing) for thing in things if thing.kind in self._asks and _is_possible(thing)]
        try:
            async with asyncio.timeout(_DEADLINE_S):
                await asyncio.gather(*wanted)
        except TimeoutError:
            pass  # the sentences have ids in their place
        return dict(found)

    async def _call(self, method: Callable[..., Awaitable[Any]], wire: Any) -> Any:
        return await self._clients.call(method, wire, deadline=_DEADLINE_S)

    async def _tenant(self, thing: Thing) -> Named:
        answer = await self._call(self._clients.tenants.GetTenant, tenants_pb2.GetTenantRequest(tenant_id=thing.id))
        return Named(answer.tenant.name, page(f"tenants/{thing.id}", thing.id))

    async def _user(self, thing: Thing) -> Named:
        wire = console_users_pb2.GetConsoleUserRequest(user_id=thing.id)
        user = (await self._call(self._clients.console_users.GetConsoleUser, wire)).user
        return Named(user.name or user.email, page(f"settings/users/{thing.id}"))

    async def _key(self, thing: Thing) -> Named | None:
        answer = await self._call(self._clients.keys.ListKeys, keys_pb2.ListKeysRequest(tenant_id=thing.tenant_id))
        name = next((key.name for key in answer.keys if key.id == thing.id), None)
        return None if name is None else Named(name, page(f"tenants/{thing.tenant_id}/keys", thing.tenant_id))

    async def _provider(self, thing: Thing) -> Named | None:
        wire = senders_pb2.GetProviderRequest(provider_id=thing.id)
        provider = (await self._call(self._clients.providers.GetProvider, wire)).provider
        name = f"{provider.name or provider.kind} ({forms.channel_name(provider.channel)})"
        return _of(thing, provider.tenant_id, name, f"providers/{thing.id}")

    async def _template(self, thing: Thing) -> Named | None:
        wire = templates_pb2.GetTemplateRequest(template_version_id=thing.id)
        found = (await self._call(self._clients.templates.GetTemplate, wire)).template
        name = f"{found.event_type} ({forms.channel_name(found.channel)})"
        return _of(thing, found.tenant_id, name, f"templates/{thing.id}", may_be_platforms=True)

    async def _part(self, thing: Thing) -> Named | None:
        wire = parts_pb2.GetPartRequest(part_version_id=thing.id)
        found = (await self._call(self._clients.parts.GetPart, wire)).part
        return _of(thing, found.tenant_id, found.name, f"templates/parts/{thing.id}", may_be_platforms=True)

    async def _sample(self, thing: Thing) -> Named:
        wire = samples_pb2.GetSampleRequest(sample_id=thing.id, tenant_id=thing.tenant_id)
        return Named((await self._call(self._clients.samples.GetSample, wire)).sample.name)

    async def _endpoint(self, thing: Thing) -> Named:
        wire = endpoints_pb2.GetEndpointRequest(tenant_id=thing.tenant_id, endpoint_id=thing.id)
        found = (await self._call(self._clients.endpoints.GetEndpoint, wire)).endpoint
        return Named(found.description or found.url, page(f"endpoints/{thing.id}", thing.tenant_id))

    async def _event_type(self, thing: Thing) -> Named:
        wire = catalogs_pb2.GetEventTypeRequest(tenant_id=thing.tenant_id, event_type_id=thing.id)
        found = (await self._call(self._clients.catalogs.GetEventType, wire)).event_type
        return Named(found.name, page("endpoints/event-types", thing.tenant_id))

    async def _environment(self, thing: Thing) -> Named:
        wire = catalogs_pb2.GetEnvironmentRequest(tenant_id=thing.tenant_id, environment_id=thing.id)
        found = (await self._call(self._clients.catalogs.GetEnvironment, wire)).environment
        return Named(found.name, page(f"tenants/{thing.tenant_id}/environments", thing.tenant_id))

    async def _application(self, thing: Thing) -> Named:
        wire = catalogs_pb2.GetApplicationRequest(tenant_id=thing.tenant_id, application_id=thing.id)
        found = (await self._call(self._clients.catalogs.GetApplication, wire)).application
        return Named(found.name or found.external_id, page("endpoints/applications", thing.tenant_id))

    async def _schedule(self, thing: Thing) -> Named:
        wire = schedules_pb2.GetScheduleRequest(tenant_id=thing.tenant_id, schedule_id=thing.id)
        found = (await self._call(self._clients.schedules.GetSchedule, wire)).schedule
        return Named(found.name, page(f"schedules/{thing.id}", thing.tenant_id))

    async def _workflow(self, thing: Thing) -> Named:
        wire = workflows_pb2.GetWorkflowRequest(tenant_id=thing.tenant_id, workflow_id=thing.id, without_activity=True)
        found = (await self._call(self._clients.workflows.GetWorkflow, wire)).workflow
        return Named(found.name, page(f"workflows/{thing.id}", thing.tenant_id))

    async def _group(self, thing: Thing) -> Named:
        wire = recipients_pb2.GetGroupRequest(tenant_id=thing.tenant_id, key=thing.id)
        found = (await self._call(self._clients.recipients.GetGroup, wire)).group
        return Named(found.name or found.key)

    async def _segment(self, thing: Thing) -> Named:
        wire = segments_pb2.GetSegmentRequest(tenant_id=thing.tenant_id, segment_id=thing.id)
        return Named((await self._call(self._clients.segments.GetSegment, wire)).segment.name)

    async def _import(self, thing: Thing) -> Named:
        wire = imports_pb2.GetImportRequest(tenant_id=thing.tenant_id, import_id=thing.id)
        return Named((await self._call(self._clients.imports.GetImport, wire)).summary.file_name)

    async def _delivery(self, thing: Thing) -> Named:
        wire = ledger_pb2.GetDeliveryRequest(delivery_id=thing.id, tenant_id=thing.tenant_id)
        found = (await self._call(self._clients.ledger.GetDelivery, wire)).delivery
        name = f"by {forms.channel_name(found.channel)}"
        return Named(name, page(f"messages/{found.event_id}", thing.tenant_id, delivery=thing.id))

    async def _event(self, thing: Thing) -> Named:
        # No name, because the page of an event says more than its type. Opening it checks whose it is.
        return Named("", page(f"messages/{thing.id}", thing.tenant_id))

    async def _replay(self, thing: Thing) -> Named:
        return Named("", page("dead-letters", thing.tenant_id))


def _is_possible(thing: Thing) -> bool:
    """Return whether a service would know such an id: only some are chosen by callers."""
    return thing.kind == "group" or ids.is_uuid(thing.id)


def _of(thing: Thing, tenant_id: str, name: str, path: str, *, may_be_platforms: bool = False) -> Named | None:
    """Return the name, if the object belongs to the tenant of the entry."""
    if tenant_id != thing.tenant_id and not (may_be_platforms and not tenant_id):
        return None
    return Named(name, page(path, thing.tenant_id))
