"""docs/observability.md names every metric of the code, and no other."""

import re
from pathlib import Path

_ROOT = Path(__file__).parents[3]
_DEFINED = re.compile(r'\b(Counter|Gauge|Histogram)\(\s*"(clarion_\w+)"')
_FOLDERS = ("gateway", "runtime", "services", "stack")


def test_every_metric_is_listed() -> None:
    """By the name under which it is served: counters end in _total."""
    served: set[str] = set()
    for folder in _FOLDERS:
        for path in (_ROOT / folder).rglob("*.py"):
            for kind, name in _DEFINED.findall(path.read_text(encoding="utf-8")):
                served.add(f"{name.removesuffix('_total')}_total" if kind == "Counter" else name)
    page = (_ROOT / "docs" / "observability.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`(clarion_\w+)", page)) == served
