"""Templates as tenants and the platform write them: what is accepted, and which are active."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.render.frames import EMAIL, PUSH, SMS, Fault, Source

CHANNELS = (EMAIL, SMS, PUSH)

# These event types work for every tenant, by the platform's templates.
GLOBAL_KINDS = ("info", "success", "warning", "alert", "error")
GLOBAL_TYPES = frozenset(f"global.{kind}" for kind in GLOBAL_KINDS)

MAX_EVENT_TYPE = 255
MAX_SUBJECT = 2000
MAX_BODY_BYTES = 256 * 1024

_NAMESPACE = re.compile(r"[A-Za-z0-9_-]{0,64}")
_TENANT = re.compile(r"[A-Za-z0-9_-]{0,64}")
# The name under which the platform's own are published.
_RESERVED_TENANT = "platform"


@dataclass(frozen=True, slots=True)
class NewTemplate:
    """A version to be. tenant_id: empty for the platform. channel: clarion.common.v1.Channel."""

    tenant_id: str
    event_type: str
    channel: int
    subject: str
    body: str
    push_namespace: str = ""


@dataclass(frozen=True, slots=True)
class TemplateVersion:
    """A version as stored. created_at_us: Unix microseconds."""

    id: str
    version: int
    template: NewTemplate
    active: bool
    created_at_us: int


@dataclass(frozen=True, slots=True)
class ActiveTemplate:
    """What the router needs to know of an active version."""

    channel: int
    version_id: str
    push_namespace: str


class Store(Protocol):
    """Keeps versions and publishes them."""

    async def create(self, version_id: str, new: NewTemplate) -> TemplateVersion:
        """Store an inactive version."""

    async def set_active(self, version_id: str, *, active: bool) -> TemplateVersion:
        """Make it the only active one of its kind, or no longer. Raises NOT_FOUND."""

    async def get(self, version_id: str) -> TemplateVersion:
        """Return it. Raises NOT_FOUND."""

    async def page(
        self, *, tenant_id: str, event_type: str, active_only: bool, limit: int, cursor: str
    ) -> list[TemplateVersion]:
        """Return the newest before cursor."""

    async def active(self, tenant_ids: Collection[str], event_type: str) -> list[tuple[str, ActiveTemplate]]:
        """Return the active versions with their tenants."""


class Checker(Protocol):
    """Finds what is wrong with a template."""

    async def check(self, source: Source, budget: float) -> list[Fault]:
        """Return the faults, nothing where it can be used."""


class Templates:
    """The verbs on templates."""

    def __init__(self, store: Store, checker: Checker) -> None:
        self._store = store
        self._checker = checker

    async def create(self, new: NewTemplate, budget: float) -> TemplateVersion:
        """Store a new version, inactive, within budget seconds. Raises INVALID with the place of each fault."""
        violations = _violations(new)
        if not violations:
            faults = await self._checker.check(Source(new.channel, new.subject, new.body), budget)
            violations = [(fault.field, _place(fault)) for fault in faults]
        if violations:
            raise ClarionError(Code.INVALID, "The template cannot be used.", fields=violations)
        return await self._store.create(new_id(), new)

    async def resolve(self, tenant_id: str, event_type: str) -> list[ActiveTemplate]:
        """Return the active version of each channel: the tenant's own, else (global types) the platform's."""
        owners = [tenant_id, ""] if event_type in GLOBAL_TYPES else [tenant_id]
        found = await self._store.active(owners, event_type)
        by_channel = {active.channel: active for owner, active in found if owner == ""}
        by_channel |= {active.channel: active for owner, active in found if owner == tenant_id}
        return [by_channel[channel] for channel in sorted(by_channel)]


def _place(fault: Fault) -> str:
    return f"Line {fault.line}: {fault.message}" if fault.line else fault.message


def content_violations(channel: int, subject: str, body: str) -> list[tuple[str, str]]:
    """Return what is wrong with a template before anyone compiles it: (field, description)."""
    found = []
    if channel not in CHANNELS:
        found.append(("channel", "EMAIL, SMS or PUSH."))
    if not body.strip():
        found.append(("body", "It is empty."))
    if len(body.encode()) > MAX_BODY_BYTES:
        found.append(("body", "At most 256 KiB."))
    if len(subject) > MAX_SUBJECT:
        found.append(("subject", f"At most {MAX_SUBJECT} characters."))
    found.extend((field, "It holds a NUL.") for field, text in (("subject", subject), ("body", body)) if "\0" in text)
    return found


def _violations(new: NewTemplate) -> list[tuple[str, str]]:
    found = content_violations(new.channel, new.subject, new.body)
    if not _TENANT.fullmatch(new.tenant_id) or new.tenant_id == _RESERVED_TENANT:
        found.append(("tenant_id", "This is not a tenant's id."))
    if not 1 <= len(new.event_type) <= MAX_EVENT_TYPE or not new.event_type.isprintable():
        found.append(("event_type", f"From 1 to {MAX_EVENT_TYPE} printable characters."))
    if not _NAMESPACE.fullmatch(new.push_namespace):
        found.append(("push_namespace", "At most 64 letters, digits, _ and -."))
    return found
