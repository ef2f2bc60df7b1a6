"""Templates as tenants and the platform write them: what is accepted, which are active, what is made of them."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import msgspec

from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.domain import channels, locales
from services.render.faults import MAX_BODY_BYTES, tenant_faults, text_faults, violations
from services.render.frames import EMAIL, Fault, Source
from services.render.parts import NO_DRAFTS, Drafts, Parts

# These event types work for every tenant, by the platform's templates.
GLOBAL_KINDS = ("info", "success", "warning", "alert", "error")
GLOBAL_TYPES = frozenset(f"global.{kind}" for kind in GLOBAL_KINDS)

MAX_EVENT_TYPE = 255
MAX_SUBJECT = 2000
# Of a version with its layout and partials, as published: below the broker's bound for a message.
MAX_SOURCE_BYTES = 768 * 1024
# Active templates that one call brings up to date.
MAX_APPLIED = 50

_NAMESPACE = re.compile(r"[A-Za-z0-9_-]{0,64}")
# What two versions may differ in, in the order in which it is told.
_COMPARED = ("subject", "preheader", "body", "layout", "locale", "push_namespace")


@dataclass(frozen=True, slots=True)
class NewTemplate:
    """A version to be. tenant_id: empty for the platform. channel: clarion.common.v1.Channel.

    locale: a language such as "pt-BR", empty for all that no other version is for. layout: a name.
    subscribed: mail that its reader may unsubscribe from.
    """

    tenant_id: str
    event_type: str
    channel: int
    subject: str
    body: str
    push_namespace: str = ""
    locale: str = ""
    preheader: str = ""
    layout: str = ""
    subscribed: bool = False


@dataclass(frozen=True, slots=True)
class PinnedPart:
    """A layout's or partial's version as a template version uses it. kind: see parts.LAYOUT."""

    id: str
    kind: int
    name: str
    version: int


@dataclass(frozen=True, slots=True)
class TemplateVersion:
    """A version as stored. Times in Unix microseconds, 0: never."""

    id: str
    version: int
    template: NewTemplate
    active: bool
    created_at_us: int
    activated_at_us: int = 0
    parts: tuple[PinnedPart, ...] = ()


@dataclass(frozen=True, slots=True)
class ActiveTemplate:
    """What the router needs to know of an active version."""

    channel: int
    version_id: str
    push_namespace: str
    locale: str = ""
    subscribed: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between two versions: the fields, and a unified diff of their texts."""

    before: TemplateVersion
    after: TemplateVersion
    changed: list[str]
    unified: str


class Store(Protocol):
    """Keeps versions and publishes them."""

    async def create(self, version_id: str, new: NewTemplate, source: Source, part_ids: list[str]) -> TemplateVersion:
        """Store an inactive version."""

    async def set_active(self, version_id: str, *, active: bool) -> TemplateVersion:
        """Make it the only active one of its kind, or no longer. Raises NOT_FOUND."""

    async def supersede(self, old_id: str, new_id: str) -> TemplateVersion:
        """Make the new one active in the old one's place, if that is still active; return the new one."""

    async def get(self, version_id: str) -> TemplateVersion:
        """Return it. Raises NOT_FOUND."""

    async def page(
        self,
        *,
        tenant_id: str,
        event_type: str,
        channel: int,
        locale: str | None,
        active_only: bool,
        limit: int,
        cursor: str,
    ) -> list[TemplateVersion]:
        """Return the newest before cursor."""

    async def active(self, tenant_ids: Collection[str], event_type: str) -> list[tuple[str, ActiveTemplate]]:
        """Return the active versions with their tenants."""

    async def default_locale(self, tenant_id: str) -> str:
        """Return the tenant's; empty: none."""


class Workshop(Protocol):
    """Tries and compares templates."""

    async def check(self, source: Source, budget: float) -> list[Fault]:
        """Return the faults, nothing where it can be used."""

    async def diff(self, before: Mapping[str, str], after: Mapping[str, str], budget: float) -> str:
        """Return a unified diff of named texts."""


class Templates:
    """The verbs on templates."""

    def __init__(self, store: Store, workshop: Workshop, parts: Parts) -> None:
        self._store = store
        self._workshop = workshop
        self._parts = parts

    async def create(self, new: NewTemplate, budget: float) -> TemplateVersion:
        """Store a new version, inactive, within budget seconds. Raises INVALID with the place of each fault."""
        violations(_faults(new))
        new = replace(new, locale=locales.normal(new.locale))
        source, part_ids = await self.assemble(new)
        violations(await self._workshop.check(source, budget))
        return await self._store.create(new_id(), new, source, part_ids)

    async def draft(self, new: NewTemplate, drafts: Drafts) -> Source:
        """Return what a version that is not saved would be made of. Raises INVALID."""
        violations([*content_faults(new), *tenant_faults(new.tenant_id)])
        source, _ = await self.assemble(replace(new, locale=locales.normal(new.locale)), drafts)
        return source

    async def assemble(self, new: NewTemplate, drafts: Drafts = NO_DRAFTS) -> tuple[Source, list[str]]:
        """Return the version with all it is made of, and of which parts. Raises INVALID."""
        texts = (new.subject, new.preheader, new.body)
        made = await self._parts.assemble(new.tenant_id, texts, new.layout, drafts)
        source = Source(
            new.channel, new.subject, new.body, new.preheader, made.layout, made.partials, locale=new.locale
        )
        if len(msgspec.json.encode(source)) > MAX_SOURCE_BYTES:
            limit = f"At most {MAX_SOURCE_BYTES // 1024} KiB with its layout and partials."
            violations([Fault("body", 0, limit)])
        return source, made.part_ids

    async def refresh(self, version_id: str, budget: float) -> TemplateVersion:
        """Make a version of the same content with the parts of today, active where the old one was.

        Raises NOT_FOUND, CONFLICT where its parts are today's, INVALID where they do not fit.
        """
        old = await self._store.get(version_id)
        _, part_ids = await self.assemble(old.template)
        if set(part_ids) == {part.id for part in old.parts}:
            raise ClarionError(Code.CONFLICT, "It already has the newest layout and partials.")
        new = await self.create(old.template, budget)
        return await self._store.supersede(old.id, new.id) if old.active else new

    async def diff(self, before_id: str, after_id: str, budget: float) -> Difference:
        """Compare two versions of one kind. Raises NOT_FOUND, INVALID where they are of two."""
        before, after = await self._store.get(before_id), await self._store.get(after_id)
        if _kind(before.template) != _kind(after.template):
            message = "The two are not of one tenant, event type and channel."
            raise ClarionError(Code.INVALID, message, fields=[("against", "A version of another kind.")])
        texts = [_texts(version) for version in (before, after)]
        changed = [name for name in texts[0] if texts[0][name] != texts[1][name]]
        if not changed:
            return Difference(before, after, [], "")
        old, new = [
            {f"{name} v{version.version}": text[name] for name in changed}
            for version, text in zip((before, after), texts, strict=True)
        ]
        return Difference(before, after, changed, await self._workshop.diff(old, new, budget))

    async def resolve(self, tenant_id: str, event_type: str) -> list[ActiveTemplate]:
        """Return the active version of each channel and locale: the tenant's own, else (global types) the platform."""
        owners = [tenant_id, ""] if event_type in GLOBAL_TYPES else [tenant_id]
        found = await self._store.active(owners, event_type)
        chosen = {(active.channel, active.locale): active for owner, active in found if owner == ""}
        chosen |= {(active.channel, active.locale): active for owner, active in found if owner == tenant_id}
        return [chosen[kind] for kind in sorted(chosen)]


def content_faults(new: NewTemplate) -> list[Fault]:
    """Return what is wrong with a template before anyone compiles it."""
    found = []
    if new.channel not in channels.BY_NUMBER:
        found.append(Fault("channel", 0, f"One of {', '.join(channels.BY_PUBLIC_NAME)}."))
    if not new.body.strip():
        found.append(Fault("body", 0, "It is empty."))
    if len(new.body.encode()) > MAX_BODY_BYTES:
        found.append(Fault("body", 0, "At most 256 KiB."))
    lines = {"subject": new.subject, "preheader": new.preheader}
    too_long = [field for field, text in lines.items() if len(text) > MAX_SUBJECT]
    found.extend(Fault(field, 0, f"At most {MAX_SUBJECT} characters.") for field in too_long)
    if new.channel != EMAIL:
        mail_only = {"preheader": new.preheader, "layout": new.layout, "subscribed": new.subscribed}
        found.extend(Fault(field, 0, "Only e-mails have one.") for field, value in mail_only.items() if value)
    if new.locale and not locales.normal(new.locale):
        found.append(Fault("locale", 0, 'A language such as "en" or "pt-BR".'))
    found.extend(text_faults(subject=new.subject, preheader=new.preheader, body=new.body, layout=new.layout))
    return found


def _faults(new: NewTemplate) -> list[Fault]:
    found = [*content_faults(new), *tenant_faults(new.tenant_id)]
    if not 1 <= len(new.event_type) <= MAX_EVENT_TYPE or not new.event_type.isprintable():
        found.append(Fault("event_type", 0, f"From 1 to {MAX_EVENT_TYPE} printable characters."))
    if not _NAMESPACE.fullmatch(new.push_namespace):
        found.append(Fault("push_namespace", 0, "At most 64 letters, digits, _ and -."))
    return found


def _kind(template: NewTemplate) -> tuple[str, str, int]:
    return template.tenant_id, template.event_type, template.channel


def _texts(version: TemplateVersion) -> dict[str, str]:
    texts = {name: getattr(version.template, name) for name in _COMPARED}
    texts["subscribed"] = "true" if version.template.subscribed else "false"
    names = {1: "layout", 2: "partial"}
    texts["parts"] = "\n".join(sorted(f"{names[part.kind]} {part.name} v{part.version}" for part in version.parts))
    return texts
