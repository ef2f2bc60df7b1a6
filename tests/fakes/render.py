"""Render's ports in memory: template versions, layouts and partials."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from itertools import count

from runtime.errors import ClarionError, Code
from services.render.frames import TemplateSource
from services.render.parts import NewerPartError, NewPart, PartUser, PartVersion
from services.render.templates import (
    ActiveTemplate,
    NewerVersionError,
    NewTemplate,
    PinnedPart,
    TemplateLanguage,
    TemplateVersion,
)

AWAY = ClarionError(Code.UNAVAILABLE, "The database does not answer.", retry_after=1)


@dataclass
class MemoryParts:
    """Implements parts.PartStore. versions: in the order in which they were made."""

    versions: list[PartVersion] = field(default_factory=list)
    # The templates that use parts: see MemoryTemplates.
    templates: "MemoryTemplates | None" = None
    away: bool = False
    _clock: "count[int]" = field(default_factory=lambda: count(1_750_000_000_000_000))

    async def create(self, part_id: str, new: NewPart, *, based_on: str = "") -> PartVersion:
        """Store a new version, if the one that its author started from is the newest."""
        self._check()
        if based_on:
            known = [one for one in self.versions if _part_key(one.part) == _part_key(new)]
            if based_on not in [one.id for one in known]:
                raise ClarionError(Code.INVALID, "Not a version of it.", fields=[("based_on", "is another part's")])
            if known[-1].id != based_on:
                raise NewerPartError(known[-1])
        number = 1 + len([one for one in self.versions if _part_key(one.part) == _part_key(new)])
        version = PartVersion(part_id, number, new, next(self._clock))
        self.versions.append(version)
        return version

    async def get(self, part_id: str) -> PartVersion:
        """Return it. Raises NOT_FOUND."""
        self._check()
        for version in self.versions:
            if version.id == part_id:
                return version
        raise ClarionError(Code.NOT_FOUND, "There is no such layout or partial.")

    async def page(
        self, *, tenant_ids: Collection[str], kind: int, name: str, newest_only: bool, limit: int, cursor: str
    ) -> list[PartVersion]:
        """Return versions, newest first, older than cursor's."""
        self._check()
        newest = {_part_key(one.part): one for one in self.versions}
        return [
            one
            for one in sorted(self.versions, key=lambda one: one.id, reverse=True)
            if (not tenant_ids or one.part.tenant_id in tenant_ids)
            and kind in (0, one.part.kind)
            and name in ("", one.part.name)
            and (not newest_only or newest[_part_key(one.part)] is one)
            and (not cursor or one.id < cursor)
        ][:limit]

    async def newest(self, tenant_id: str, kind: int, names: Collection[str]) -> list[PartVersion]:
        """Return the newest of each name: the tenant's own, else the platform's."""
        self._check()
        found = {_part_key(one.part): one for one in self.versions}
        own = [found.get((tenant_id, kind, name)) or found.get(("", kind, name)) for name in sorted(names)]
        return [one for one in own if one is not None]

    async def users(self, part: PartVersion, after: str, limit: int) -> list[str]:
        """Return active template versions that use an older one of this part, or the platform's in its place."""
        self._check()
        new = part.part
        *older, _ = [one.id for one in self.versions if _part_key(one.part) == _part_key(new)]
        platforms = {one.id for one in self.versions if _part_key(one.part) == ("", new.kind, new.name)}
        found = []
        for one in self.templates.versions.values() if self.templates is not None else ():
            used = {pinned.id for pinned in one.parts}
            is_own = one.template.tenant_id == new.tenant_id != ""
            if one.active and one.id > after and (used & set(older) or (is_own and used & platforms)):
                found.append(one.id)
        return sorted(found)[:limit]

    async def all_users(self, part: PartVersion, after: str, limit: int) -> list[PartUser]:
        """Return active template versions that use any version of this part, or the platform's in its place."""
        self._check()
        new = part.part
        versions = {one.id: one for one in self.versions if (one.part.kind, one.part.name) == (new.kind, new.name)}
        newest = [one.id for one in versions.values() if one.part.tenant_id == new.tenant_id][-1]
        found = []
        for one in self.templates.versions.values() if self.templates is not None else ():
            owner = one.template.tenant_id
            for used in (versions[pinned.id] for pinned in one.parts if pinned.id in versions):
                is_own = used.part.tenant_id == new.tenant_id
                if one.active and one.id > after and (is_own or (used.part.tenant_id == "" and owner == new.tenant_id)):
                    user = (one.id, owner, one.template.event_type, one.template.channel, one.template.locale)
                    found.append(PartUser(*user, one.version, used.version, used.id == newest))
        return sorted(found, key=lambda user: user.version_id)[:limit]

    def _check(self) -> None:
        if self.away:
            raise AWAY


@dataclass
class MemoryTemplates:
    """Implements templates.TemplateStore, sources.VersionStore and platform_templates.FirstVersions."""

    parts: MemoryParts = field(default_factory=MemoryParts)
    versions: dict[str, TemplateVersion] = field(default_factory=dict)
    made_of: dict[str, TemplateSource] = field(default_factory=dict)
    locales: dict[str, str] = field(default_factory=dict)
    away: bool = False
    _clock: "count[int]" = field(default_factory=lambda: count(1_750_000_000_000_000))

    def __post_init__(self) -> None:
        """Let the parts know who uses them."""
        self.parts.templates = self

    async def create(
        self, version_id: str, new: NewTemplate, source: TemplateSource, part_ids: list[str], *, based_on: str = ""
    ) -> TemplateVersion:
        """Store an inactive version, if the one that its author started from is the newest of the locale."""
        self._check()
        if based_on:
            base = self.versions.get(based_on)
            if base is None or _kind(base.template)[:3] != _kind(new)[:3]:
                raise ClarionError(Code.INVALID, "Not a version of it.", fields=[("based_on", "is another template's")])
            newer = [one for one in self.versions.values() if _kind(one.template) == _kind(new)]
            if newer and newer[-1].version > base.version:
                raise NewerVersionError(newer[-1].id)
        same = [one for one in self.versions.values() if _kind(one.template)[:3] == _kind(new)[:3]]
        pinned = [await self.parts.get(part_id) for part_id in part_ids]
        self.versions[version_id] = TemplateVersion(
            version_id,
            len(same) + 1,
            new,
            active=False,
            created_at_us=next(self._clock),
            parts=tuple(PinnedPart(one.id, one.part.kind, one.part.name, one.version) for one in pinned),
        )
        self.made_of[version_id] = source
        return self.versions[version_id]

    async def create_first(self, version_id: str, new: NewTemplate) -> bool:
        """Store and activate a version where there is none of its kind."""
        self._check()
        if any(_kind(one.template)[:3] == _kind(new)[:3] for one in self.versions.values()):
            return False
        await self.create(version_id, new, TemplateSource(new.channel, new.subject, new.body), [])
        await self.set_active(version_id, active=True)
        return True

    async def set_active(self, version_id: str, *, active: bool) -> TemplateVersion:
        """Make it the only active one of its kind, or no longer active. Raises NOT_FOUND."""
        version = await self.get(version_id)
        for one in list(self.versions.values()):
            if active and one.active and _kind(one.template) == _kind(version.template) and one.id != version_id:
                self.versions[one.id] = replace(one, active=False)
        activated = next(self._clock) if active and not version.active else version.activated_at_us
        self.versions[version_id] = replace(version, active=active, activated_at_us=activated)
        return self.versions[version_id]

    async def supersede(self, old_id: str, new_id: str) -> TemplateVersion:
        """Make the new one active in the old one's place, if that is still active."""
        if (await self.get(old_id)).active:
            return await self.set_active(new_id, active=True)
        return await self.get(new_id)

    async def get(self, version_id: str) -> TemplateVersion:
        """Return it. Raises NOT_FOUND."""
        self._check()
        if version_id not in self.versions:
            raise ClarionError(Code.NOT_FOUND, "There is no such template version.")
        return self.versions[version_id]

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
        """Return versions, newest first, older than cursor's."""
        self._check()
        return [
            one
            for one in sorted(self.versions.values(), key=lambda one: one.id, reverse=True)
            if (not tenant_ids or one.template.tenant_id in tenant_ids)
            and event_type in ("", one.template.event_type)
            and channel in (0, one.template.channel)
            and locale in (None, one.template.locale)
            and (one.active or not active_only)
            and (not cursor or one.id < cursor)
        ][:limit]

    async def languages(
        self, *, tenant_ids: Collection[str], search: str, channel: int, active_only: bool, limit: int, cursor: str
    ) -> list[TemplateLanguage]:
        """Return languages, each with its newest and its active version, after the cursor's."""
        self._check()
        kinds: dict[tuple[str, str, int, str], list[TemplateVersion]] = {}
        for one in self.versions.values():
            kinds.setdefault(_kind(one.template), []).append(one)
        after = _kind(self.versions[cursor].template) if cursor else None
        return [
            _language(kind, versions)
            for kind, versions in sorted(kinds.items())
            if (not tenant_ids or kind[0] in tenant_ids)
            and search.lower() in kind[1].lower()
            and channel in (0, kind[2])
            and (not active_only or any(one.active for one in versions))
            and (after is None or kind > after)
        ][:limit]

    async def active(self, tenant_ids: Collection[str], event_type: str) -> list[tuple[str, ActiveTemplate]]:
        """Return the active versions with their tenants."""
        self._check()
        found = [one for one in self.versions.values() if one.active and one.template.event_type == event_type]
        found.sort(key=lambda one: (one.template.channel, one.template.locale))
        return [(one.template.tenant_id, _active(one)) for one in found if one.template.tenant_id in tenant_ids]

    async def sources(self, version_ids: Collection[str]) -> Mapping[str, TemplateSource]:
        """Return those that exist."""
        self._check()
        return {id_: self.made_of[id_] for id_ in version_ids if id_ in self.made_of}

    async def default_locale(self, tenant_id: str) -> str:
        """Return the tenant's; empty: none."""
        self._check()
        return self.locales.get(tenant_id, "")

    def _check(self) -> None:
        if self.away:
            raise AWAY


def _part_key(part: NewPart) -> tuple[str, int, str]:
    return part.tenant_id, part.kind, part.name


def _kind(template: NewTemplate) -> tuple[str, str, int, str]:
    return template.tenant_id, template.event_type, template.channel, template.locale


def _language(kind: tuple[str, str, int, str], versions: list[TemplateVersion]) -> TemplateLanguage:
    newest = versions[-1]
    active = next(((one.id, one.version, one.activated_at_us) for one in versions if one.active), ("", 0, 0))
    return TemplateLanguage(*kind, newest.id, newest.version, newest.template.subject, newest.created_at_us, *active)


def _active(version: TemplateVersion) -> ActiveTemplate:
    template = version.template
    return ActiveTemplate(template.channel, version.id, template.push_namespace, template.locale, template.subscribed)
