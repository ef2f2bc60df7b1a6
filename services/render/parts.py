"""Layouts and partials: what templates are made of beside their own body, and which version of each one gets."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.render.faults import MAX_BODY_BYTES, tenant_faults, text_faults, violations
from services.render.frames import EMAIL, SMS, Fault, Source

# clarion.render.v1.PartKind, in plain numbers.
LAYOUT, PARTIAL = 1, 2

# Partials of one template, those called by others included.
MAX_PARTIALS = 50

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
# Bounded, for the texts are hostile and this runs in the service itself.
_CALL = re.compile(r"""\{\{~?#?>\s*+(?:"([^"{}]{1,64})"|'([^'{}]{1,64})'|\[([^\]{}]{1,64})\]|([A-Za-z0-9_-]{1,64}))""")


@dataclass(frozen=True, slots=True)
class NewPart:
    """A part's version to be. tenant_id: empty for the platform. kind: LAYOUT or PARTIAL."""

    tenant_id: str
    kind: int
    name: str
    body: str


@dataclass(frozen=True, slots=True)
class PartVersion:
    """A part's version as stored. created_at_us: Unix microseconds."""

    id: str
    version: int
    part: NewPart
    created_at_us: int


@dataclass(frozen=True, slots=True)
class Drafts:
    """Bodies that are not saved and come before the saved ones: of the layout (empty: none), of partials by name."""

    layout: str = ""
    partials: Mapping[str, str] = field(default_factory=dict)


NO_DRAFTS = Drafts()


class PartStore(Protocol):
    """Keeps parts. Every method raises UNAVAILABLE while PostgreSQL is away."""

    async def create(self, part_id: str, new: NewPart) -> PartVersion:
        """Store a new version."""

    async def get(self, part_id: str) -> PartVersion:
        """Return it. Raises NOT_FOUND."""

    async def page(
        self, *, tenant_id: str, kind: int, name: str, newest_only: bool, limit: int, cursor: str
    ) -> list[PartVersion]:
        """Return versions, newest first, that are older than the one whose id is cursor."""

    async def newest(self, tenant_id: str, kind: int, names: Collection[str]) -> list[PartVersion]:
        """Return the newest of each name: the tenant's own, else the platform's."""

    async def users(self, part: PartVersion, after: str, limit: int) -> list[str]:
        """Return active template versions that use an older version of this part, by id, behind the id after."""


class Checker(Protocol):
    """Finds what is wrong with a template."""

    async def check(self, source: Source, budget: float) -> list[Fault]:
        """Return the faults, nothing where it can be used."""


@dataclass(frozen=True, slots=True)
class Assembled:
    """A template's other parts: the layout's body and the partials', and the versions that they are of."""

    layout: str
    partials: dict[str, str]
    part_ids: list[str]


class Parts:
    """The verbs on layouts and partials."""

    def __init__(self, store: PartStore, checker: Checker) -> None:
        self._store = store
        self._checker = checker

    async def create(self, new: NewPart, budget: float) -> PartVersion:
        """Store a new version within budget seconds. Raises INVALID with the place of each fault."""
        violations(_faults(new))
        is_layout = new.kind == LAYOUT
        drafts = NO_DRAFTS if is_layout else Drafts(partials={new.name: new.body})
        assembled = await self.assemble(new.tenant_id, [new.body], "", drafts)
        source = Source(
            EMAIL if is_layout else SMS,
            "",
            "" if is_layout else new.body,
            layout=new.body if is_layout else "",
            partials=assembled.partials,
        )
        own = ("layout", "body", f"partials.{new.name}")
        faults = await self._checker.check(source, budget)
        violations(Fault("body" if fault.field in own else fault.field, *fault[1:]) for fault in faults)
        return await self._store.create(new_id(), new)

    async def assemble(
        self, tenant_id: str, texts: Collection[str], layout: str, drafts: Drafts = NO_DRAFTS
    ) -> Assembled:
        """Return what texts call, what that calls, and the layout. Raises INVALID for a layout there is not.

        A partial that is nowhere is left out: it may be one of the template's own, and the compiler tells.
        """
        part_ids: list[str] = []
        body = drafts.layout
        if layout and not body:
            found = await self._store.newest(tenant_id, LAYOUT, [layout])
            if not found:
                raise ClarionError(
                    Code.INVALID, "There is no such layout.", fields=[("layout", f"There is no layout {layout!r}.")]
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
                    Code.INVALID, "Too many partials.", fields=[("body", f"At most {MAX_PARTIALS} partials.")]
                )
            wanted = called(*bodies.values())
        return Assembled(body, partials, part_ids)


def called(*texts: str) -> set[str]:
    """Return the names that texts call as partials; more rather than fewer, for comments are not left out."""
    return {next(filter(None, found.groups())) for text in texts for found in _CALL.finditer(text)}


def _faults(new: NewPart) -> list[Fault]:
    faults = [*tenant_faults(new.tenant_id), *text_faults(body=new.body)]
    if new.kind not in (LAYOUT, PARTIAL):
        faults.append(Fault("kind", 0, "LAYOUT or PARTIAL."))
    if not _NAME.fullmatch(new.name):
        faults.append(Fault("name", 0, "From 1 to 64 letters, digits, _ and -."))
    if not new.body.strip():
        faults.append(Fault("body", 0, "It is empty."))
    if len(new.body.encode()) > MAX_BODY_BYTES:
        faults.append(Fault("body", 0, "At most 256 KiB."))
    return faults
