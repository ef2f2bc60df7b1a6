"""Brings active templates up to date with a new version of a layout or partial."""

from dataclasses import dataclass, field

from runtime.errors import ClarionError, Code
from services.render.parts import PartStore
from services.render.templates import MAX_APPLIED, Templates, TemplateVersion


@dataclass(slots=True)
class Applied:
    """What became of the templates that used an older version. failed: (version id, why). more: there are others."""

    updated: list[TemplateVersion] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    more: bool = False


class Applying:
    """Refreshes what uses a part."""

    def __init__(self, parts: PartStore, templates: Templates) -> None:
        self._parts = parts
        self._templates = templates

    async def apply(self, part_id: str, budget: float) -> Applied:
        """Refresh up to MAX_APPLIED active templates; one that would not compile stays as it is. Raises NOT_FOUND."""
        part = await self._parts.get(part_id)
        users = await self._parts.users(part, MAX_APPLIED + 1)
        applied = Applied()
        for version_id in users[:MAX_APPLIED]:
            try:
                applied.updated.append(await self._templates.refresh(version_id, budget))
            except ClarionError as error:
                if error.code not in (Code.INVALID, Code.CONFLICT):
                    raise
                detail = "; ".join(f"{name}: {text}" for name, text in error.fields) or error.detail
                applied.failed.append((version_id, detail))
        applied.more = len(users) > MAX_APPLIED and bool(applied.updated)
        return applied
