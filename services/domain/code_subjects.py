"""Whom a one-time code is for, as its subject says it: an address with its channel. Pure."""

from services.domain import addresses

EMAIL, SMS = "email", "sms"
# Of a subject, characters.
MAX_SUBJECT = 255


def subject(channel: str, address: str) -> str:
    """Return what stands for an address on a channel (EMAIL, SMS) however it is written.

    Codes with such a subject are bounded for each address, and deleted when a recipient with the address is erased.
    """
    try:
        known = addresses.parse_email(address) if channel == EMAIL else addresses.parse_phone(address)
    except addresses.InvalidAddress:
        known = address
    return f"{channel}:{known.casefold()}"[:MAX_SUBJECT]
