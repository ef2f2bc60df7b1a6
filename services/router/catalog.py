"""Finds what an event means to its tenant: in the configuration's copy, else at the services that own it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

from clarion.common.v1 import event_pb2
from runtime import logs
from runtime.configuration import ConfigurationWatch
from runtime.errors import ClarionError, Code
from services.domain import direct_messages, pseudonyms, topology
from services.domain.reasons import Reason
from services.router import compiler, fan_out
from services.router.compiler import ActiveTemplate, Subscribers
from services.router.definitions import ChannelNumber, Definition, Template, Workflow
from services.router.owners import ConfigurationOwners

# The owners whose keys (default locales, suppressions) are read from the copy only.
OWNERS = ("ingest", "render", "router")
PREFIXES = (
    "tenants",
    "templates",
    "providers",
    "locales",
    topology.SUBSCRIBERS,
    topology.SUPPRESSIONS,
    pseudonyms.PREFIX,
)

_MAX_MEMOS = 10_000

# Owners' errors that will not change, and the reason that is recorded.
_FINAL_ERRORS = {Code.NOT_FOUND: Reason.TENANT_UNKNOWN, Code.INVALID: Reason.UNROUTABLE}

log = logs.get(__name__)

_Keys: TypeAlias = tuple[str, ...]
_Values: TypeAlias = tuple[bytes | None, ...]


class Catalog:
    """Answers from memory; asks the owner for what memory does not have, before it counts as absent."""

    def __init__(self, watch: ConfigurationWatch, owners: ConfigurationOwners) -> None:
        self._watch = watch
        self._owners = owners
        # What was compiled of the copy's values, by tenant and event type; valid while these are the same.
        self._memo: dict[tuple[str, str], tuple[_Keys, _Values, Definition]] = {}
        # The same of definitions without workflows.
        self._endpoints_memo: dict[tuple[str, str], tuple[_Keys, _Values, Definition]] = {}
        # By their key.
        self._subscribers_memo: dict[str, tuple[bytes, Subscribers]] = {}

    def at_hand(self, event: event_pb2.Event) -> Definition | None:
        """Return of_event() from memory alone; None: an owner must be asked, or it is no event of the usual kind."""
        if event.HasField("pinned") or event.HasField("direct") or event.HasField("workflows"):
            return None
        if event.HasField("endpoints") and fan_out.is_for_endpoints_alone(event):
            return self._endpoints_from_memory(event.tenant_id, event.event_type)
        return self.from_memory(event.tenant_id, event.event_type)

    def from_memory(self, tenant_id: str, event_type: str) -> Definition | None:
        """Return definition() from memory alone; None: an owner must be asked."""
        memo = self._memo.get((tenant_id, event_type))
        if memo is not None and memo[1] == self._values(memo[0]):
            return memo[2]
        keys = (
            topology.tenant_key(tenant_id),
            topology.templates_key(tenant_id, event_type),
            topology.templates_key("", event_type),
            topology.providers_key(tenant_id),
            topology.locale_key(tenant_id),
            topology.subscribers_key(tenant_id, event_type),
        )
        values = self._values(keys)
        definition = _compiled(values, self._subscribers(tenant_id, event_type))
        if definition is not None:
            if len(self._memo) >= _MAX_MEMOS:
                self._memo.clear()
            self._memo[tenant_id, event_type] = keys, values, definition
        return definition

    def _endpoints_from_memory(self, tenant_id: str, event_type: str) -> Definition | None:
        """Return what an event for endpoints alone means; None: the tenant's owner must be asked."""
        memo = self._endpoints_memo.get((tenant_id, event_type))
        if memo is not None and memo[1] == self._values(memo[0]):
            return memo[2]
        keys = topology.tenant_key(tenant_id), topology.subscribers_key(tenant_id, event_type)
        values = tenant, _ = self._values(keys)
        if tenant is None:
            return None
        found = self._subscribers(tenant_id, event_type)
        definition = Definition(
            allowed=compiler.allowed_channels(tenant), subscribers=found.subscribers, filters=found.filters
        )
        if len(self._endpoints_memo) >= _MAX_MEMOS:
            self._endpoints_memo.clear()
        self._endpoints_memo[tenant_id, event_type] = keys, values, definition
        return definition

    def _subscribers(self, tenant_id: str, event_type: str) -> Subscribers:
        """Return the endpoints that subscribe to a type: only the router stores them, so the copy has them all."""
        key = topology.subscribers_key(tenant_id, event_type)
        value = self._watch.get(key)
        if value is None:
            self._subscribers_memo.pop(key, None)
            return compiler.subscribers(None)
        memo = self._subscribers_memo.get(key)
        if memo is None or memo[0] != value:
            if len(self._subscribers_memo) >= _MAX_MEMOS:
                self._subscribers_memo.clear()
            memo = self._subscribers_memo[key] = value, compiler.subscribers(value)
        return memo[1]

    async def definition(self, tenant_id: str, event_type: str) -> Definition:
        """Return what an event of this type means to this tenant. Raises PartAway while an owner is away, NOT_FOUND."""
        known = self.from_memory(tenant_id, event_type)
        if known is not None:
            return known
        found, locale = await self._templates(tenant_id, event_type)
        workflows, subscribers = compiler.workflows(found), self._subscribers(tenant_id, event_type)
        if not workflows and not subscribers.subscribers:
            return Definition()
        return await self._with_facts(tenant_id, workflows, locale, subscribers)

    async def _templates(self, tenant_id: str, event_type: str) -> tuple[Sequence[ActiveTemplate], str]:
        """Return the active templates of an event type, and the tenant's default locale."""
        get = self._watch.get
        platform = get(topology.templates_key("", event_type))
        found = compiler.active_templates(get(topology.templates_key(tenant_id, event_type)), platform)
        if found:
            return found, _text(get(topology.locale_key(tenant_id)))
        return await self._owners.active_templates(tenant_id, event_type)

    async def template_version(self, tenant_id: str, key: str, channel: ChannelNumber, version: int) -> Template | None:
        """Return a version of a template, active or not; None: there is none. Raises PartAway."""
        return await self._owners.template_version(tenant_id, key, channel, version)

    def is_inactive(self, tenant_id: str) -> bool:
        """Return whether the copy says that a tenant is inactive."""
        tenant = self._watch.get(topology.tenant_key(tenant_id))
        return tenant is not None and not compiler.is_active(tenant)

    async def of_event(self, event: event_pb2.Event) -> Definition:
        """Return what an event means: of a test its pinned template, of a direct message what it says.

        Raises PartAway while an owner is away.
        """
        try:
            if event.HasField("pinned"):
                return await self._pinned(event)
            if event.HasField("direct"):
                return await self._direct(event)
            if event.HasField("workflows"):
                # Its run plans the workflows, if somebody is left for whom it is.
                reason = Reason.RECIPIENT_ERASED if event.workflows.workflows else Reason.NO_WORKFLOW
                return replace(await self.to_endpoints(event.tenant_id, event.event_type), reason=reason)
            if fan_out.is_for_endpoints_alone(event):
                return await self.to_endpoints(event.tenant_id, event.event_type)
            return await self.definition(event.tenant_id, event.event_type)
        except ClarionError as error:
            if error.code not in _FINAL_ERRORS:
                raise
            log.error("event_unroutable", event_id=event.id, tenant_id=event.tenant_id, error=error.detail)
            return Definition(reason=_FINAL_ERRORS[error.code])

    async def _pinned(self, event: event_pb2.Event) -> Definition:
        pin = event.pinned
        template = Template(pin.template_version_id, pin.locale, pin.push_namespace, pin.subscribed)
        workflows = compiler.workflows([(pin.channel, template)])
        return await self._with_facts(event.tenant_id, workflows, pin.locale, compiler.subscribers(None))

    async def _direct(self, event: event_pb2.Event) -> Definition:
        """Return what a direct message means, by itself: one step. No endpoint gets it."""
        templates: Sequence[ActiveTemplate] = ()
        locale = ""
        if not direct_messages.is_given(event.direct):
            templates, locale = await self._templates(event.tenant_id, event.direct.template_key)
        workflows = [compiler.direct(event.direct, templates)]
        return await self._with_facts(event.tenant_id, workflows, locale, compiler.subscribers(None))

    async def to_endpoints(self, tenant_id: str, event_type: str) -> Definition:
        """Return what an event means to endpoints alone: which channels the tenant may use, and the filters.

        Raises PartAway while an owner is away, NOT_FOUND.
        """
        known = self._endpoints_from_memory(tenant_id, event_type)
        if known is not None:
            return known
        return await self._with_facts(tenant_id, (), "", self._subscribers(tenant_id, event_type))

    async def _with_facts(
        self, tenant_id: str, workflows: Sequence[Workflow], locale: str, subscribers: Subscribers
    ) -> Definition:
        tenant = self._watch.get(topology.tenant_key(tenant_id))
        allowed = (
            await self._owners.allowed_channels(tenant_id) if tenant is None else compiler.allowed_channels(tenant)
        )
        providers = {}
        for channel in sorted(compiler.channels_with_provider(workflows)):
            known = compiler.provider_ids(self._watch.get(topology.providers_key(tenant_id)), channel)
            providers[channel] = known or await self._owners.provider_ids(tenant_id, channel)
        return Definition(
            workflows,
            allowed,
            providers,
            locale,
            subscribers=subscribers.subscribers,
            filters=subscribers.filters,
        )

    def _values(self, keys: _Keys) -> _Values:
        return tuple(map(self._watch.get, keys))


def _compiled(values: _Values, subscribers: Subscribers) -> Definition | None:
    """Return the definition; None: something of it may exist and is not in the copy."""
    tenant, own, platform, providers, locale, _ = values
    if tenant is None or (own is None and platform is None):
        return None
    workflows = compiler.workflows(compiler.active_templates(own, platform))
    by_channel = {
        channel: compiler.provider_ids(providers, channel) for channel in compiler.channels_with_provider(workflows)
    }
    if not workflows or not all(by_channel.values()):
        return None
    return Definition(
        workflows,
        compiler.allowed_channels(tenant),
        by_channel,
        _text(locale),
        subscribers=subscribers.subscribers,
        filters=subscribers.filters,
    )


def _text(value: bytes | None) -> str:
    return "" if value is None else value.decode()
