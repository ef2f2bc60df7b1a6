"""What an open page receives of a notification: pure. Each form is a way to write it down, under a name of its own.

Pages of an API that expects other fields get a form of their own: a function and a line in FORMS.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from services.realtime.ports import InboxEntry

# Returns the JSON object that is published.
Form: TypeAlias = Callable[[InboxEntry], dict[str, Any]]

_CATEGORIES = frozenset({"success", "warning", "alert", "error", "info"})


def category(event_type: str) -> str:
    """Return the second part of the event type ("order.error.payment": error) if it is a category, otherwise info."""
    parts = event_type.split(".", 2)
    return parts[1] if len(parts) > 1 and parts[1] in _CATEGORIES else "info"


def _alert(entry: InboxEntry) -> dict[str, Any]:
    """Return Clarion's own form. timestamp: Unix seconds. referenceId: the id for marking it as read."""
    return {
        "type": "IN_APP_ALERT",
        "title": entry.title,
        "body": entry.body,
        "category": category(entry.event_type),
        "eventType": entry.event_type,
        "timestamp": entry.created_at_us // 1_000_000,
        "referenceId": entry.id,
    }


DEFAULT = "alert"
FORMS: Mapping[str, Form] = {DEFAULT: _alert}


def publication(entry: InboxEntry, form: str = DEFAULT) -> dict[str, Any]:
    """Return the data that a page receives. form: a name in FORMS."""
    return FORMS[form](entry)
