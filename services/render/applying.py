"""Updates active templates to the newest version of a layout or partial."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from runtime.errors import ClarionError, Code
from services.render.parts import PartStore
from services.render.templates import MAX_APPLIED, TemplateLibrary, TemplateVersion


@dataclass(slots=True)
class Applied:
    """The result for the templates that used an older version. failed: (version id, reason).

    next_cursor: for the next call; empty if no templates are left.
    """

    updated: list[TemplateVersion] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    next_cursor: str = ""


class PartRollout:
    """Creates new versions of the templates that use a part. now: returns seconds."""

    def __init__(self, parts: PartStore, templates: TemplateLibrary, now: Callable[[], float] = time.monotonic) -> None:
        self._parts = parts
        self._templates = templates
        self._now = now

    async def apply(self, part_id: str, budget: float, cursor: str = "") -> Applied:
        """Refresh up to MAX_APPLIED active templates after cursor. One that would have faults stays as it is.

        Stops after budget seconds, but not before one template is done. Raises NOT_FOUND.
        """
        ends = self._now() + budget
        part = await self._parts.get(part_id)
        users = await self._parts.users(part, cursor, MAX_APPLIED + 1)
        applied = Applied()
        last = ""
        for version_id in users[:MAX_APPLIED]:
            left = max(0.0, ends - self._now())
            if last and not left:
                break
            try:
                applied.updated.append(await self._templates.refresh(version_id, left))
            except ClarionError as error:
                if last and error.code is Code.OVERLOADED:
                    break
                applied.failed.append((version_id, _reason(error)))
            last = version_id
        applied.next_cursor = last if users and users[-1] != last else ""
        return applied


def _reason(error: ClarionError) -> str:
    """Return why a template cannot be refreshed. Raise the error if the template is not the cause."""
    if error.code not in (Code.INVALID, Code.CONFLICT):
        raise error
    return "; ".join(f"{name}: {text}" for name, text in error.fields) or error.detail
