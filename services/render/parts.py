"""Layouts and partials: creating them, and finding those that a template uses."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.render.faults import MAX_BODY_BYTES, tenant_faults, text_faults, violations
from services.render.frames import EMAIL, SMS, Fault, TemplateSource

# clarion.render.v1.PartKind, in plain numbers.
LAYOUT, PARTIAL = 1, 2

# Partials of one template, including those called by other partials.
MAX_PARTIALS = 50

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
# With bounds, because the texts are hostile and this runs in the service itself.
_CALL = re.compile(r"""\{\{~?#?>\s*+(?:"([^"{}]{1,64})"|'([^'{}]{1,64})'|\[([^\]{}]{1,64})\]|([A-Za-z0-9_-]{1,64}))""")


@dataclass(frozen=True, slots=True)
class NewPart:
    """The content of a new version. tenant_id: empty for the platform. kind: LAYOUT or PARTIAL."""

    tenant_id: str
    kind: int
    name: str
    body: str


@dataclass(frozen=True, slots=True)
class PartVersion:
    """A stored version. created_at_us: Unix microseconds."""

    id: str
    version: int
    part: NewPart
    created_at_us: int


@dataclass(frozen=True, slots=True)
class UnsavedParts:
    """Bodies for a preview, used in place of the saved ones: the layout's (empty: the saved one), partials by name."""

    layout: str = ""
    partials: Mapping[str, str] = field(default_factory=dict)


NO_UNSAVED_PARTS = UnsavedParts()


@dataclass(frozen=True, slots=True)
class PartUser:
    """An active template version that uses a part. part_version: the version that it uses.

    is_current: it is the newest one, and of the same owner.
    """

    version_id: str
    tenant_id: str
    event_type: str
    channel: int
    locale: str
    version: int
    part_version: int
    is_current: bool


class NewerPartError(Exception):
    """Somebody has saved a version that the author of another one has not seen. newer: that version."""

    def __init__(self, newer: PartVersion) -> None:
        super().__init__(newer.id)
        self.newer = newer


class PartStore(Protocol):
    """Stores parts. Every method raises UNAVAILABLE while PostgreSQL is not reachable."""

    async def create(self, part_id: str, new: NewPart, *, based_on: str = "") -> PartVersion:
        """Store a new version.

        based_on: the version that the author started from; empty: any. Raises NewerPartError if it is not the newest
        one, INVALID if it is a version of another part.
        """

    async def get(self, part_id: str) -> PartVersion:
        """Return a version. Raises NOT_FOUND."""

    async def page(
        self, *, tenant_ids: Collection[str], kind: int, name: str, newest_only: bool, limit: int, cursor: str
    ) -> list[PartVersion]:
        """Return versions, newest first, that are older than the one whose id is cursor. tenant_ids: none means all."""

    async def newest(self, tenant_id: str, kind: int, names: Collection[str]) -> list[PartVersion]:
        """Return the newest version of each name: the tenant's, or the platform's if the tenant has none."""

    async def users(self, part: PartVersion, after: str, limit: int) -> list[str]:
        """Return the ids of active template versions that use an older version of this part. Sorted, all > after."""

    async def all_users(self, part: PartVersion, after: str, limit: int) -> list[PartUser]:
        """Return the active template versions that use any version of this part, or the platform's in its place.

        Sorted by their ids, all > after.
        """


class TemplateChecker(Protocol):
    """Checks templates in a worker."""

    async def check(self, source: TemplateSource, budget: float) -> list[Fault]:
        """Return the template's faults; none if it can be used."""


@dataclass(frozen=True, slots=True)
class Assembled:
    """What a template uses: the bodies of its layout and partials, and the ids of their versions."""

    layout: str
    partials: dict[str, str]
    part_ids: list[str]


class PartLibrary:
    """Creates layouts and partials, and finds those that a template uses."""

    def __init__(self, store: PartStore, checker: TemplateChecker) -> None:
        self._store = store
        self._checker = checker

    async def create(self, new: NewPart, budget: float, *, based_on: str = "") -> PartVersion:
        """Store a new version within budget seconds. Raises INVALID with the position of each fault.

        based_on: see PartStore.create, also for what it raises.
        """
        violations(_faults(new))
        is_layout = new.kind == LAYOUT
        drafts = NO_UNSAVED_PARTS if is_layout else UnsavedParts(partials={new.name: new.body})
        assembled = await self.assemble(new.tenant_id, [new.body], "", drafts)
        source = TemplateSource(
            EMAIL if is_layout else SMS,
            "",
            "" if is_layout else new.body,
            layout=new.body if is_layout else "",
            partials=assembled.partials,
        )
        own = ("layout", "body", f"partials.{new.name}")
        faults = await self._checker.check(source, budget)
        violations(Fault("body" if fault.field in own else fault.field, *fault[1:]) for fault in faults)
        return await self._store.create(new_id(), new, based_on=based_on)

    async def assemble(
        self, tenant_id: str, texts: Collection[str], layout: str, drafts: UnsavedParts = NO_UNSAVED_PARTS
    ) -> Assembled:
        """Return the layout, the partials that the texts call, and those that the partials call.

        A partial that is not found is left out: it may be an inline one, and the compiler reports it if not. Raises
        INVALID for an unknown layout.
        """
        part_ids: list[str] = []
        body = drafts.layout
        if layout and not body:
            found = await self._store.newest(tenant_id, LAYOUT, [layout])
            if not found:
                raise ClarionError(
                    Code.INVALID, "The layout does not exist.", fields=[("layout", f"does not exist: {layout!r}")]
                )
            body = found[0].part.body
            part_ids.append(found[0].id)
        partials: dict[str, str] = {}
        tried: set[str] = set()
        wanted = called(*texts, body)
        while wanted := wanted - tried:
            tried |= wanted
            saved = await self._store.newest(tenant_id, PARTIAL, sorted(wanted - set(drafts.partials)))
            part_ids.extend(version.id for version in saved)
            bodies = {version.part.name: version.part.body for version in saved}
            bodies |= {name: drafts.partials[name] for name in wanted if name in drafts.partials}
            partials |= bodies
            if len(partials) > MAX_PARTIALS:
                raise ClarionError(
                    Code.INVALID,
                    "The template calls too many partials.",
                    fields=[("body", f"must call at most {MAX_PARTIALS} partials")],
                )
            wanted = called(*bodies.values())
        return Assembled(body, partials, part_ids)


def called(*texts: str) -> set[str]:
    """Return the names of the partials that texts call, those in comments included."""
    return {next(filter(None, found.groups())) for text in texts for found in _CALL.finditer(text)}


def _faults(new: NewPart) -> list[Fault]:
    faults = [*tenant_faults(new.tenant_id), *text_faults(body=new.body)]
    if new.kind not in (LAYOUT, PARTIAL):
        faults.append(Fault("kind", 0, "must be LAYOUT or PARTIAL"))
    if not _NAME.fullmatch(new.name):
        faults.append(Fault("name", 0, "must have 1 to 64 letters, digits, _ and -"))
    if not new.body.strip():
        faults.append(Fault("body", 0, "must not be empty"))
    if len(new.body.encode()) > MAX_BODY_BYTES:
        faults.append(Fault("body", 0, f"must be at most {MAX_BODY_BYTES // 1024} KiB"))
    return faults
