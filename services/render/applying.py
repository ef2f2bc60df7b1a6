"""Brings active templates up to date with a new version of a layout or partial."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from runtime.errors import ClarionError, Code
from services.render.parts import PartStore
from services.render.templates import MAX_APPLIED, Templates, TemplateVersion


@dataclass(slots=True)
class Applied:
    """What became of the templates that used an older version. failed: (version id, why).

    next_cursor: behind which there are others; empty: there are none.
    """

    updated: list[TemplateVersion] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    next_cursor: str = ""


class Applying:
    """Refreshes what uses a part. now: seconds."""

    def __init__(self, parts: PartStore, templates: Templates, now: Callable[[], float] = time.monotonic) -> None:
        self._parts = parts
        self._templates = templates
        self._now = now

    async def apply(self, part_id: str, budget: float, cursor: str = "") -> Applied:
        """Refresh up to MAX_APPLIED active templates behind cursor; one that would not compile stays as it is.

        It ends within some budget seconds, with at least one of them done. Raises NOT_FOUND.
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
    """Return why a template cannot be refreshed; raise what is not the template's fault."""
    if error.code not in (Code.INVALID, Code.CONFLICT):
        raise error
    return "; ".join(f"{name}: {text}" for name, text in error.fields) or error.detail
