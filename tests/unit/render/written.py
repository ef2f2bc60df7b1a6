"""What a template writes with all helpers."""

import math
from typing import Any

from services.render.handlebars import Culture, Output, compile_template
from services.render.helpers import HELPERS


def render(source: str, data: dict[str, Any] | None = None, *, locale: str = "", zone: str = "") -> str:
    """Return the text of source over data, in a recipient's language and time zone."""
    template = compile_template(source, escaping=False, helpers=HELPERS)
    return template.render(data or {}, Output(100_000, math.inf), Culture(locale, zone))
