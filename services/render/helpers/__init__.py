"""The helpers that templates can call. docs/handlebars.md describes each, with an example that is tested.

Values are plain data. A value that a helper cannot use is not an error: each helper documents what it writes then.
"""

from collections.abc import Mapping

from services.render.handlebars import BUILT_IN, Helper
from services.render.helpers import dates, logic, numbers, text

HELPERS: Mapping[str, Helper] = {**BUILT_IN, **logic.HELPERS, **text.HELPERS, **numbers.HELPERS, **dates.HELPERS}

__all__ = ["HELPERS"]
