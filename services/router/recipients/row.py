"""A recipient as they are stored: pure."""

from dataclasses import dataclass

from services.router.recipients.check import CheckedRecipient


@dataclass(frozen=True, slots=True)
class RecipientRow:
    """A stored recipient. id: its cursor. is_unique: nobody else may be saved with their e-mail address.

    created_at_us, updated_at_us: Unix microseconds.
    """

    id: str
    recipient: CheckedRecipient
    is_unique: bool
    created_at_us: int
    updated_at_us: int
