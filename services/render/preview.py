"""A version rendered with sample data, and a report about both. Runs in worker processes only."""

from collections.abc import Sequence
from typing import Any

from services.render import mjml
from services.render.content import SLOT, Compiled, finish, written
from services.render.frames import EMAIL, Content, PreviewReport
from services.render.handlebars import Culture
from services.render.helpers import HELPERS
from services.render.variables import VariableUsage

# Gmail shows at most so many bytes of a mail's HTML.
GMAIL_CLIPS = 102 * 1024


def preview(
    compiled: Compiled,
    data: dict[str, Any],
    names: Sequence[str],
    *,
    limit: int,
    deadline: float,
    culture: Culture,
) -> tuple[Content, PreviewReport]:
    """Return what would be sent, and a report. names: the variables that should be used. Raises as content.render."""
    parts = written(compiled, data, limit=limit, deadline=deadline, culture=culture)
    content = finish(compiled, parts, limit=limit)
    is_mjml = compiled.channel == EMAIL and mjml.is_mjml(parts.body)
    if is_mjml and not content.preheader:
        content = content._replace(preheader=mjml.preview(parts.body))
    usage = VariableUsage(data, HELPERS, culture)
    for name, template in (("subject", compiled.subject), ("preheader", compiled.preheader), ("body", compiled.body)):
        if template is not None:
            usage.part(name, template)
    if compiled.layout is not None:
        usage.part("layout", compiled.layout, known=[SLOT])
    size = len((content.html or content.text or content.body).encode())
    kind = "mjml" if is_mjml else "html" if compiled.channel == EMAIL else "text"
    clipped = compiled.channel == EMAIL and size > GMAIL_CLIPS
    return content, PreviewReport(kind, size, clipped, usage.missing(), usage.unused(names), usage.branches())
