"""Finds what the steps of a workflow send: the templates of their keys, and what the tenant may use."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Protocol

from runtime.errors import ClarionError, Code
from services.router.definitions import ChannelNumber, Definition, Step, Template
from services.router.workflow_runs.ports import SendStep, Sent
from services.router.workflows.document import Document
from services.router.workflows.steps import Send, Webhook


class Definitions(Protocol):
    """Implemented by services.router.catalog.Catalog."""

    async def definition(self, tenant_id: str, event_type: str) -> Definition:
        """Return what an event of this type means to this tenant. Raises PartAway while an owner is away, NOT_FOUND."""

    async def to_endpoints(self, tenant_id: str, event_type: str) -> Definition:
        """Return what an event of this type means to endpoints. Raises PartAway while an owner is away, NOT_FOUND."""

    async def template_version(self, tenant_id: str, key: str, channel: ChannelNumber, version: int) -> Template | None:
        """Return a version of a template, active or not; None: there is none. Raises PartAway."""


class CatalogSends:
    """Implements ports.Sends."""

    def __init__(self, catalog: Definitions) -> None:
        self._catalog = catalog

    async def of(self, tenant_id: str, document: Document) -> Sent:
        """See ports.Sends."""
        keys = sorted(document.template_keys)
        found = await asyncio.gather(*[_or_nothing(self._catalog.definition(tenant_id, key)) for key in keys])
        definitions = dict(zip(keys, found, strict=True))
        steps = {
            step.id: SendStep(definition, await self._step(tenant_id, step, definition, document.category))
            for step in document.sends
            for definition in (definitions[step.template_key],)
        }
        has_webhooks = any(isinstance(step, Webhook) for step in document.by_id.values())
        to_endpoints = await _or_nothing(self._catalog.to_endpoints(tenant_id, "")) if has_webhooks else Definition()
        return Sent(steps, to_endpoints)

    async def _step(self, tenant_id: str, step: Send, definition: Definition, category: str) -> Step:
        templates: Sequence[Template] = ()
        if step.template_version:
            found = await self._catalog.template_version(
                tenant_id, step.template_key, step.channel, step.template_version
            )
            templates = [found] if found is not None else ()
        else:
            templates = next((one.templates for _, one in definition.steps if one.channel == step.channel), ())
        return Step(step.id, step.channel, templates, category)


async def _or_nothing(asked: Awaitable[Definition]) -> Definition:
    """Return the definition; nothing of an unknown tenant: its event says why nobody gets it."""
    try:
        return await asked
    except ClarionError as error:
        if error.code not in (Code.NOT_FOUND, Code.INVALID):
            raise
        return Definition()
