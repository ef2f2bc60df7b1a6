"""What templates of workflows and direct messages find beside an event's data. Runs in worker processes only."""

from collections.abc import Mapping
from typing import Any

from services.render.frames import EMAIL, PUSH, SMS, Contact

# The field of an event's payload with variables for one channel, and the channels' names in it.
_OF_CHANNELS = "channel_variables"
_CHANNELS = {EMAIL: "email", SMS: "sms", PUSH: "push"}
_PREFIX = "contact_"


def merged(
    channel: int, variables: Mapping[str, Any], payload: Mapping[str, Any], contact: Contact, stored: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the data of a template. stored: what else is stored of the contact.

    A name is looked for in the variables of the channel, then in the variables, the payload, and the contact's.
    """
    return {
        **contact_variables(contact, stored),
        **payload,
        **variables,
        **channel_variables(channel, payload),
    }


def channel_variables(channel: int, payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the variables that an event has for one channel, such as another code in an SMS than in an e-mail."""
    by_channel = payload.get(_OF_CHANNELS)
    found = by_channel.get(_CHANNELS.get(channel, "")) if type(by_channel) is dict else None
    return found if type(found) is dict else {}


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
