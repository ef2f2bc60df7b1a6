"""Template versions of tenants and of the platform: validation, creation, activation, comparison."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.domain import channels, locales
from services.render import frames
from services.render.faults import MAX_BODY_BYTES, tenant_faults, text_faults, violations
from services.render.frames import EMAIL, Fault, TemplateSource
from services.render.parts import NO_UNSAVED_PARTS, PartLibrary, UnsavedParts

# Event types that work for every tenant, because the platform has templates for them.
GLOBAL_KINDS = ("info", "success", "warning", "alert", "error")
GLOBAL_TYPES = frozenset(f"global.{kind}" for kind in GLOBAL_KINDS)

MAX_EVENT_TYPE = 255
MAX_SUBJECT = 2000
# Of a version with its layout and partials, as published: less than a NATS message may have.
MAX_SOURCE_BYTES = 768 * 1024
# Active templates that one call of ApplyPart updates.
MAX_APPLIED = 50

_NAMESPACE = re.compile(r"[A-Za-z0-9_-]{0,64}")
# The fields in which two versions are compared, in the order of the answer.
_COMPARED = ("subject", "preheader", "body", "layout", "locale", "push_namespace")


@dataclass(frozen=True, slots=True)
class NewTemplate:
    """The content of a new version. tenant_id: empty for the platform. channel: clarion.common.v1.Channel.

    locale: such as "pt-BR"; empty for recipients whose locale has no version of its own. layout: a name.
    subscribed: whether recipients may unsubscribe from this mail.
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
    """The version of a layout or partial that a template version uses. kind: see parts.LAYOUT."""

    id: str
    kind: int
    name: str
    version: int


@dataclass(frozen=True, slots=True)
class TemplateVersion:
    """A stored version. Times in Unix microseconds, 0: never."""

    id: str
    version: int
    template: NewTemplate
    active: bool
    created_at_us: int
    activated_at_us: int = 0
    parts: tuple[PinnedPart, ...] = ()


@dataclass(frozen=True, slots=True)
class ActiveTemplate:
    """What the router needs of an active version."""

    channel: int
    version_id: str
    push_namespace: str
    locale: str = ""
    subscribed: bool = False


@dataclass(frozen=True, slots=True)
class TemplateLanguage:
    """The versions of one (tenant, event type, channel, locale). Times in Unix microseconds.

    newest_id, newest_version, subject, created_at_us: of the newest version. active_*: empty and 0 if none is active.
    """

    tenant_id: str
    event_type: str
    channel: int
    locale: str
    newest_id: str
    newest_version: int
    subject: str
    created_at_us: int
    active_id: str = ""
    active_version: int = 0
    activated_at_us: int = 0


class NewerVersionError(Exception):
    """Somebody has saved a version that the author of another one has not seen. newer: its id."""

    def __init__(self, newer: str) -> None:
        super().__init__(newer)
        self.newer = newer


@dataclass(frozen=True, slots=True)
class Difference:
    """The comparison of two versions: the names of the changed fields, and a unified diff of their texts."""

    before: TemplateVersion
    after: TemplateVersion
    changed: list[str]
    unified: str


class TemplateStore(Protocol):
    """Stores versions and publishes them."""

    async def create(
        self, version_id: str, new: NewTemplate, source: TemplateSource, part_ids: list[str], *, based_on: str = ""
    ) -> TemplateVersion:
        """Store an inactive version.

        based_on: the version that the author started from; empty: any. Raises NewerVersionError if the locale has a
        newer one, INVALID if it is not a version of the same tenant, event type and channel.
        """

    async def set_active(self, version_id: str, *, active: bool) -> TemplateVersion:
        """Activate a version in place of the active one of its kind, or deactivate it. Raises NOT_FOUND."""

    async def supersede(self, old_id: str, new_id: str) -> TemplateVersion:
        """Activate the new version in place of the old one if the old one is still active; return the new one."""

    async def get(self, version_id: str) -> TemplateVersion:
        """Return a version. Raises NOT_FOUND."""

    async def page(
        self,
        *,
        tenant_ids: Collection[str],
        event_type: str,
        channel: int,
        locale: str | None,
        active_only: bool,
        limit: int,
        cursor: str,
    ) -> list[TemplateVersion]:
        """Return versions, newest first, that are older than the one whose id is cursor. tenant_ids: none means all."""

    async def languages(
        self, *, tenant_ids: Collection[str], search: str, channel: int, active_only: bool, limit: int, cursor: str
    ) -> list[TemplateLanguage]:
        """Return languages by (tenant, event type, channel, locale), after the one that the version cursor is of."""

    async def active(self, tenant_ids: Collection[str], event_type: str) -> list[tuple[str, ActiveTemplate]]:
        """Return the active versions, each with its tenant."""

    async def default_locale(self, tenant_id: str) -> str:
        """Return a tenant's default locale; empty: none."""


class TemplateInspector(Protocol):
    """Checks and compares templates in a worker."""

    async def check(self, source: TemplateSource, budget: float) -> list[Fault]:
        """Return the template's faults; none if it can be used."""

    async def diff(self, before: Mapping[str, str], after: Mapping[str, str], budget: float) -> str:
        """Return a unified diff of named texts."""


class TemplateLibrary:
    """Creates, updates, compares and finds template versions."""

    def __init__(self, store: TemplateStore, workshop: TemplateInspector, parts: PartLibrary) -> None:
        self._store = store
        self._workshop = workshop
        self._parts = parts

    async def create(self, new: NewTemplate, budget: float, *, based_on: str = "") -> TemplateVersion:
        """Store a new, inactive version within budget seconds. Raises INVALID with the position of each fault.

        based_on: see TemplateStore.create, also for what it raises.
        """
        violations(_faults(new))
        new = replace(new, locale=locales.normal(new.locale))
        source, part_ids = await self.assemble(new)
        violations(await self._workshop.check(source, budget))
        return await self._store.create(new_id(), new, source, part_ids, based_on=based_on)

    async def draft(self, new: NewTemplate, drafts: UnsavedParts) -> TemplateSource:
        """Return the source of a version that is not saved. Raises INVALID."""
        violations([*content_faults(new), *tenant_faults(new.tenant_id)])
        source, _ = await self.assemble(replace(new, locale=locales.normal(new.locale)), drafts)
        return source

    async def assemble(
        self, new: NewTemplate, drafts: UnsavedParts = NO_UNSAVED_PARTS
    ) -> tuple[TemplateSource, list[str]]:
        """Return a version's source with its layout and partials, and their ids. Raises INVALID."""
        texts = (new.subject, new.preheader, new.body)
        made = await self._parts.assemble(new.tenant_id, texts, new.layout, drafts)
        source = TemplateSource(
            new.channel, new.subject, new.body, new.preheader, made.layout, made.partials, locale=new.locale
        )
        if len(frames.published(source)) > MAX_SOURCE_BYTES:
            limit = f"must be at most {MAX_SOURCE_BYTES // 1024} KiB together with the layout and the partials"
            violations([Fault("body", 0, limit)])
        return source, made.part_ids

    async def refresh(self, version_id: str, budget: float) -> TemplateVersion:
        """Create a version of the same content with the newest layout and partials; active if the old one is.

        Raises NOT_FOUND, CONFLICT if the old one already has the newest, INVALID if it cannot be used with them.
        """
        old = await self._store.get(version_id)
        _, part_ids = await self.assemble(old.template)
        if set(part_ids) == {part.id for part in old.parts}:
            raise ClarionError(Code.CONFLICT, "This version already uses the newest layout and partials.")
        new = await self.create(old.template, budget)
        return await self._store.supersede(old.id, new.id) if old.active else new

    async def diff(self, before_id: str, after_id: str, budget: float) -> Difference:
        """Compare two versions of one tenant, event type and channel. Raises NOT_FOUND, INVALID if these differ."""
        before, after = await self._store.get(before_id), await self._store.get(after_id)
        if _kind(before.template) != _kind(after.template):
            message = (
                "The versions are of different tenants, event types or channels. Compare versions of the same one."
            )
            raise ClarionError(
                Code.INVALID, message, fields=[("against", "must be of the same tenant, event type and channel")]
            )
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
        owners = [owner for owner in (tenant_id, "") if is_sent(owner, event_type)]
        found = await self._store.active(owners, event_type)
        chosen = {(active.channel, active.locale): active for owner, active in found if owner == ""}
        chosen |= {(active.channel, active.locale): active for owner, active in found if owner == tenant_id}
        return [chosen[kind] for kind in sorted(chosen)]


def is_sent(tenant_id: str, event_type: str) -> bool:
    """Return whether events may be sent with active templates: the platform's are for the global types only.

    The router uses every platform template that is published, so others are not published.
    """
    return bool(tenant_id) or event_type in GLOBAL_TYPES


def content_faults(new: NewTemplate) -> list[Fault]:
    """Return the faults that are found without compiling the template."""
    found = []
    if new.channel not in channels.FOR_PEOPLE:
        found.append(Fault("channel", 0, f"must be one of {', '.join(channels.PUBLIC_NAMES_FOR_PEOPLE)}"))
    if not new.body.strip():
        found.append(Fault("body", 0, "must not be empty"))
    if len(new.body.encode()) > MAX_BODY_BYTES:
        found.append(Fault("body", 0, f"must be at most {MAX_BODY_BYTES // 1024} KiB"))
    lines = {"subject": new.subject, "preheader": new.preheader}
    too_long = [field for field, text in lines.items() if len(text) > MAX_SUBJECT]
    found.extend(Fault(field, 0, f"must have at most {MAX_SUBJECT} characters") for field in too_long)
    if new.channel != EMAIL:
        mail_only = {"preheader": new.preheader, "layout": new.layout, "subscribed": new.subscribed}
        found.extend(Fault(field, 0, "is for channel EMAIL only") for field, value in mail_only.items() if value)
    if new.locale and not locales.normal(new.locale):
        found.append(Fault("locale", 0, 'must be a locale such as "en" or "pt-BR"'))
    found.extend(text_faults(subject=new.subject, preheader=new.preheader, body=new.body, layout=new.layout))
    return found


def _faults(new: NewTemplate) -> list[Fault]:
    found = [*content_faults(new), *tenant_faults(new.tenant_id)]
    if not 1 <= len(new.event_type) <= MAX_EVENT_TYPE or not new.event_type.isprintable():
        found.append(Fault("event_type", 0, f"must have 1 to {MAX_EVENT_TYPE} printable characters"))
    if not _NAMESPACE.fullmatch(new.push_namespace):
        found.append(Fault("push_namespace", 0, "must have at most 64 letters, digits, _ and -"))
    return found


def _kind(template: NewTemplate) -> tuple[str, str, int]:
    return template.tenant_id, template.event_type, template.channel


def _texts(version: TemplateVersion) -> dict[str, str]:
    texts = {name: getattr(version.template, name) for name in _COMPARED}
    texts["subscribed"] = "true" if version.template.subscribed else "false"
    names = {1: "layout", 2: "partial"}
    texts["parts"] = "\n".join(sorted(f"{names[part.kind]} {part.name} v{part.version}" for part in version.parts))
    return texts
