"""Places in an inbox, and the cursors that name them: pure."""

import base64
import binascii
import uuid
from typing import NamedTuple

from runtime.errors import ClarionError, Code

_FIRST_ID = str(uuid.UUID(int=0))


class Place(NamedTuple):
    """What orders an inbox: when the event was accepted (Unix microseconds), its id, and the notification's id.

    One event may bring a person several notifications. created_at_us is None: before the newest.
    """

    created_at_us: int | None
    event_id: str
    id: str


TOP = Place(None, "", _FIRST_ID)


def to_cursor(place: Place) -> str:
    """Return the cursor of the page that follows this place."""
    return base64.urlsafe_b64encode("/".join(map(str, place)).encode()).decode()


def from_cursor(cursor: str) -> Place:
    """Return the place after which a page begins. Empty: TOP. Raises INVALID."""
    if not cursor:
        return TOP
    try:
        created_us, event_id, *rest = base64.urlsafe_b64decode(cursor).decode().split("/")
        # The cursors of earlier versions end with the event, of which a person then had one notification.
        return Place(int(created_us), event_id, str(uuid.UUID(rest[0])) if rest else _FIRST_ID)
    except (ValueError, binascii.Error):
        raise ClarionError(
            Code.INVALID, "cursor is invalid", fields=[("cursor", "must be the next_cursor of an earlier answer")]
        ) from None
