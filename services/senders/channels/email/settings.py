"""Settings of every kind of e-mail provider."""

from typing import Annotated

import msgspec

from services.domain import addresses
from services.senders.described import setting


class EmailSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Extend it. from_email and from_name are used for tenants without a sender of their own."""

    from_email: Annotated[
        str,
        setting(
            "Sender's address",
            "The address that mail comes from if the tenant has no sender of its own. The provider must accept it.",
            example="orders@acorn.example",
        ),
    ]
    from_name: Annotated[
        str,
        setting("Sender's name", "The name that people see beside the sender's address.", example="Acorn Shop"),
    ] = ""
    any_sender: Annotated[
        bool,
        setting(
            "Any sender",
            "Messages may name any sender's address. For an account that is the tenant's alone and refuses foreign"
            " domains itself; else messages name only addresses of the tenant's own domain.",
        ),
    ] = False


def check_sender(settings: EmailSettings) -> list[tuple[str, str]]:
    """Return the faults of the sender."""
    try:
        addresses.parse_email(settings.from_email)
    except addresses.InvalidAddress as error:
        return [("from_email", f"This is not an e-mail address: {error}.")]
    return []
