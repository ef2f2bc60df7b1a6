"""What documents refer to: segments, endpoints, and versions of templates. Pure, but for what it is given."""

import asyncio
from collections.abc import Sequence
from typing import Protocol, TypeAlias

from services.router.definitions import ChannelNumber, Template
from services.router.workflows.document import Document, refused
from services.router.workflows.reading import Fault
from services.router.workflows.steps import Send, Step, Webhook

# A template's key, channel and version.
_Version: TypeAlias = tuple[str, ChannelNumber, int]

NO_SEGMENT = Fault("filters.segment_id", "", "must be a segment of the tenant")


class Endpoints(Protocol):
    """Knows the tenants' endpoints. Implemented by services.router.workflows.store.WorkflowStore."""

    async def endpoints_among(self, tenant_id: str, endpoint_ids: Sequence[str]) -> set[str]:
        """Return those of these ids that are endpoints of the tenant. Raises UNAVAILABLE."""


class Segments(Protocol):
    """Knows the tenants' segments. Implemented by services.router.segments.store.SegmentStore."""

    async def exists(self, tenant_id: str, segment_id: str) -> bool:
        """Return whether there is such a segment. Raises UNAVAILABLE."""


class TemplateVersions(Protocol):
    """Knows the versions of templates. Implemented by services.router.owners.ConfigurationOwners."""

    async def template_version(
        self, tenant_id: str, key: str, channel: ChannelNumber, number: int, /
    ) -> Template | None:
        """Return a version of a template, active or not; None: there is none. Raises UNAVAILABLE."""


class References:
    """Looks for what documents refer to. What is missing later is a reason for not sending, and no fault."""

    def __init__(self, endpoints: Endpoints, segments: Segments, templates: TemplateVersions) -> None:
        self._endpoints = endpoints
        self._segments = segments
        self._templates = templates

    async def check(self, tenant_id: str, document: Document) -> None:
        """Raise INVALID naming each field that refers to what does not exist; UNAVAILABLE if that is not known."""
        if faults := await self.faults(tenant_id, document):
            raise refused(faults)

    async def faults(self, tenant_id: str, document: Document) -> Sequence[Fault]:
        """Return a fault for each field that refers to what does not exist."""
        webhooks = [step for step in document.by_id.values() if isinstance(step, Webhook)]
        known = await self._endpoints.endpoints_among(tenant_id, [step.endpoint_id for step in webhooks])
        faults = [
            _fault(document, step, "endpoint_id", "must be an endpoint of the tenant")
            for step in webhooks
            if step.endpoint_id not in known
        ]
        if document.segment_id and not await self._segments.exists(tenant_id, document.segment_id):
            faults.insert(0, NO_SEGMENT)
        lacking = await self._lacking(tenant_id, document)
        return faults + [
            _fault(document, step, "template.version", "must be a version of this template")
            for step in document.sends
            if _version(step) in lacking
        ]

    async def _lacking(self, tenant_id: str, document: Document) -> set[_Version]:
        """Return the versions of templates that do not exist."""
        wanted = list(dict.fromkeys(_version(step) for step in document.sends if step.template_version))
        found = await asyncio.gather(*[self._templates.template_version(tenant_id, *one) for one in wanted])
        return {version for version, template in zip(wanted, found, strict=True) if template is None}


def _version(step: Send) -> _Version:
    return step.template_key, step.channel, step.template_version


def _fault(document: Document, step: Step, field: str, description: str) -> Fault:
    return Fault(f"{document.places[step.id]}.{field}", step.id, description)
