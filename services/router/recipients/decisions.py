"""What is stored of somebody who may be stored already: the words that changes and contacts share. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from runtime.errors import ClarionError
from services.router.ports import Conflict
from services.router.recipients.check import CheckedRecipient
from services.router.recipients.row import RecipientRow


class Names(NamedTuple):
    """The identifiers by which somebody is looked for, in the form that is stored; empty: not by this one.

    id: RecipientRow.id. new_recipient_id: only to see whether it is taken.
    """

    recipient_id: str = ""
    id: str = ""
    email: str = ""
    phone: str = ""
    new_recipient_id: str = ""

    def identifiers(self) -> Iterator[str]:
        """Yield each that is not empty, in a form in which two are equal if they name the same."""
        for kind, name in zip(("user", "id", "email", "phone", "user"), self, strict=True):
            if name:
                yield f"{kind}/{name.lower() if kind == 'email' else name}"


class Known(NamedTuple):
    """Who has the identifiers of Names, by the names of its fields; None: nobody."""

    recipient_id: RecipientRow | None = None
    id: RecipientRow | None = None
    email: RecipientRow | None = None
    phone: RecipientRow | None = None
    new_recipient_id: RecipientRow | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done. current: who is meant, as they are stored; None: nobody.

    wanted: what is to be stored of them, or of somebody new; None: nothing. is_unique: nobody else may be saved with
    the address. error: why nothing is stored. conflicts: see services.router.ports.Conflict.
    """

    current: RecipientRow | None = None
    wanted: CheckedRecipient | None = None
    is_unique: bool = False
    error: ClarionError | None = None
    conflicts: Sequence[Conflict] = ()


class Wanted(Protocol):
    """Somebody who is to be stored, or only found."""

    @property
    def names(self) -> Names:
        """By what they are looked for."""

    def decide(self, known: Known) -> Decision:
        """Return what is to be done."""


def becomes_unique(wanted: CheckedRecipient, known: Known, current: RecipientRow | None) -> bool:
    """Return whether an address, which was looked up, is one recipient's alone from now on: nobody else has it."""
    owner = known.email
    if owner is None or (current is not None and owner.id == current.id):
        return bool(wanted.email)
    return current is not None and current.is_unique and wanted.email == current.recipient.email
