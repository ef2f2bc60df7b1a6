"""What an open page receives: byte for byte, for pages read it that nobody changes with Clarion."""

import json

import pytest

from services.realtime.ports import InboxEntry
from services.realtime.publication import FORMS, category, publication

_ID = "0192f0c1-2222-8333-8444-555566667777"
_PUBLISHED = (
    '{"type": "IN_APP_ALERT", "title": "T", "body": "B", "category": "error", "eventType": "global.error", '
    f'"timestamp": 1700000000, "referenceId": "{_ID}"}}'
)


@pytest.mark.parametrize(
    ("event_type", "expected"),
    [
        ("order.success", "success"),
        ("global.warning", "warning"),
        ("global.alert", "alert"),
        ("payment.error.card", "error"),
        ("global.info", "info"),
        ("order.shipped", "info"),
        ("success", "info"),
        ("order.shipped.error", "info"),
        ("order.Error", "info"),
        ("order..error", "info"),
        ("", "info"),
    ],
)
def test_the_second_part_of_the_event_type_is_the_category(event_type: str, expected: str) -> None:
    """Where it is one of the five; all else is info."""
    assert category(event_type) == expected


def test_a_publication_names_the_notification_to_mark() -> None:
    """The inbox's id is its referenceId, so a page can mark what it was shown."""
    entry = InboxEntry(_ID, "t1", "u1", "e1", "global.error", "T", "B", 1_700_000_000_999_999)
    data = publication(entry)
    assert (data["referenceId"], data["category"], data["timestamp"]) == (_ID, "error", 1_700_000_000)
    assert json.dumps(data) == _PUBLISHED


def test_another_form_is_a_line_in_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under a name of its own; the default stays."""
    entry = InboxEntry(_ID, "t1", "u1", "e1", "global.error", "T", "B", 1)
    monkeypatch.setattr("services.realtime.publication.FORMS", {**FORMS, "short": lambda one: {"t": one.title}})
    assert publication(entry, "short") == {"t": "T"}
    assert publication(entry)["title"] == "T"
