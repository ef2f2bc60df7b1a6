"""The names under which templates find who gets a message. Runs in worker processes only."""

from collections.abc import Mapping
from typing import Any

from services.render.frames import Contact

_PREFIX = "contact_"


def contact_variables(contact: Contact, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables of a contact, each beginning with "contact_". data: what else is stored of them.

    Each of data's keys is one, too, unless a field of the contact has that name. What is not known is empty. First and
    last name are those of data, else the words of the name.
    """
    first, _, last = contact.name.strip().partition(" ")
    fields = {
        "first_name": data.get("first_name") or first,
        "last_name": data.get("last_name") or last.strip(),
        "external_id": contact.user_id,
        "email": contact.email,
        "phone": contact.phone,
        "name": contact.name,
        "locale": contact.locale,
        "timezone": contact.timezone,
    }
    return {f"{_PREFIX}{key}": value for key, value in {**data, **fields}.items()}
