"""A unified diff of texts that have names. Runs in worker processes only: a hostile pair takes long."""

import difflib
from collections.abc import Mapping


def unified(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """Return the hunks of each pair of texts, taken in order; their names head them."""
    lines: list[str] = []
    for (old_name, old), (new_name, new) in zip(before.items(), after.items(), strict=True):
        lines.extend(difflib.unified_diff(old.splitlines(), new.splitlines(), old_name, new_name, lineterm=""))
    return "\n".join(lines)
