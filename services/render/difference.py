"""A unified diff of named texts. Runs in worker processes only, because hostile texts can take very long."""

import difflib
from collections.abc import Mapping


def unified(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """Return the hunks of each pair of texts, in order, each under the names of its texts."""
    lines: list[str] = []
    for (old_name, old), (new_name, new) in zip(before.items(), after.items(), strict=True):
        lines.extend(difflib.unified_diff(old.splitlines(), new.splitlines(), old_name, new_name, lineterm=""))
    return "\n".join(lines)
