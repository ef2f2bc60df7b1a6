"""Settings of every kind of e-mail provider."""

import msgspec

from services.domain import addresses


class EmailSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Extend it. from_email and from_name are used for tenants without a sender of their own."""

    from_email: str
    from_name: str = ""


def check_sender(settings: EmailSettings) -> list[tuple[str, str]]:
    """Return the faults of the sender."""
    try:
        addresses.parse_email(settings.from_email)
    except addresses.InvalidAddress as error:
        return [("from_email", f"This is not an e-mail address: {error}.")]
    return []
