"""Whose an object is: asked of the service that stores it, where a person may not see all tenants."""

from collections.abc import Awaitable, Callable, Mapping

from clarion.ingest.v1 import ledger_pb2, replays_pb2
from clarion.render.v1 import parts_pb2, templates_pb2
from clarion.router.v1 import runs_pb2, suppressions_pb2
from clarion.senders.v1 import senders_pb2
from gateway.access.rules import Kind
from gateway.clients import Clients


class Owners:
    """Finds the tenant of an object."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._finders: Mapping[Kind, Callable[[str], Awaitable[str]]] = {
            "provider": self._provider,
            "suppression": self._suppression,
            "template": self._template,
            "part": self._part,
            "event": self._event,
            "delivery": self._delivery,
            "run": self._run,
            "replay": self._replay,
        }

    async def find(self, kind: Kind, object_id: str) -> str:
        """Return the tenant's id; empty: the platform's. Raises ClarionError: NOT_FOUND if there is no such object."""
        return await self._finders[kind](object_id)

    async def _provider(self, object_id: str) -> str:
        wire = senders_pb2.GetProviderRequest(provider_id=object_id)
        return (await self._clients.call(self._clients.providers.GetProvider, wire)).provider.tenant_id

    async def _suppression(self, object_id: str) -> str:
        wire = suppressions_pb2.GetSuppressionRequest(suppression_id=object_id)
        return (await self._clients.call(self._clients.suppressions.GetSuppression, wire)).suppression.tenant_id

    async def _template(self, object_id: str) -> str:
        wire = templates_pb2.GetTemplateRequest(template_version_id=object_id)
        return (await self._clients.call(self._clients.templates.GetTemplate, wire)).template.tenant_id

    async def _part(self, object_id: str) -> str:
        wire = parts_pb2.GetPartRequest(part_version_id=object_id)
        return (await self._clients.call(self._clients.parts.GetPart, wire)).part.tenant_id

    async def _event(self, object_id: str) -> str:
        wire = ledger_pb2.FindTenantRequest(event_id=object_id)
        return (await self._clients.call(self._clients.ledger.FindTenant, wire)).tenant_id

    async def _delivery(self, object_id: str) -> str:
        wire = ledger_pb2.FindTenantRequest(delivery_id=object_id)
        return (await self._clients.call(self._clients.ledger.FindTenant, wire)).tenant_id

    async def _run(self, object_id: str) -> str:
        wire = runs_pb2.GetRunRequest(event_id=object_id)
        return (await self._clients.call(self._clients.runs.GetRun, wire)).run.tenant_id

    async def _replay(self, object_id: str) -> str:
        wire = replays_pb2.GetReplayRequest(replay_id=object_id)
        return (await self._clients.call(self._clients.replays.GetReplay, wire)).replay.tenant_id
