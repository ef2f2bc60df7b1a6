"""docs/admin-api.md lists every call of the admin API, with the status of its success."""

import re

from gateway.openapi.document import operations
from tests import documentation

_BASE = "/api/v1/admin"
_CALL = re.compile(r"`(GET|POST|PUT|PATCH|DELETE) (/[^`?]*)(?:\?[^`]*)?`")
_STATUS = re.compile(r"\b(?:20[1-9]|303|101)\b")


def _listed() -> dict[tuple[str, str], int]:
    """Return the status of each call by the page's tables; 200 where a row says none."""
    found: dict[tuple[str, str], int] = {}
    for line in documentation.page("docs/admin-api.md").splitlines():
        if not line.startswith("| `"):
            continue
        calls, _, says = line.strip("| ").partition(" |")
        status = _STATUS.search(says)
        found |= {call: int(status[0]) if status else 200 for call in _CALL.findall(calls)}
    return found


def test_every_call_is_listed_with_its_status() -> None:
    """And no other: the page and the OpenAPI document say the same."""
    described = {
        (one.method, re.sub(r"\{delivery_id\}", "{id}", one.path.removeprefix(_BASE))): min(one.answers)
        for one in operations()
        if one.path.startswith(f"{_BASE}/")
    }
    listed = {(method, path.replace("{delivery_id}", "{id}")): status for (method, path), status in _listed().items()}
    assert listed == described
