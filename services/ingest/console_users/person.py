"""What a console user is made of, and what is wrong with what somebody typed. Pure."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from clarion.ingest.v1 import console_users_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid
from services.domain.addresses import InvalidAddress, parse_email

MAX_MEMBERSHIPS = 100
_MAX_NAME = 100
_MAX_CLIENT_TEXT = 255

Faults = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Place:
    """A membership. account_id and tenant_id: at most one of them; neither: the whole installation."""

    account_id: str | None
    tenant_id: str | None
    role: int


@dataclass(frozen=True, slots=True)
class Client:
    """Where a session is opened."""

    user_agent: str
    address: str


def email_key(email: str) -> str:
    """Return the form in which addresses are compared: nobody's differ by their case alone.

    Not casefold(): it makes `groß@` and `gross@` equal, which are different mailboxes.
    """
    return unicodedata.normalize("NFC", email).lower()


def parsed_email(text: str, faults: Faults) -> str:
    """Return the address, and add to faults if it is none."""
    try:
        return parse_email(text)
    except InvalidAddress as error:
        faults.append(("email", f"is not an e-mail address: {error}"))
        return ""


def parsed_name(text: str, faults: Faults, *, required: bool = False) -> str:
    """Return a person's name without white space around it, and add to faults if it is none."""
    name = text.strip()
    if len(name) > _MAX_NAME or not name.isprintable() or (required and not name):
        faults.append(("name", f"must be {1 if required else 0} to {_MAX_NAME} printable characters"))
    return name


def parsed_places(memberships: Sequence[console_users_pb2.Membership], faults: Faults) -> list[Place]:
    """Return memberships, and add to faults what is wrong with them."""
    if len(memberships) > MAX_MEMBERSHIPS:
        faults.append(("memberships", f"must be at most {MAX_MEMBERSHIPS}"))
        return []
    places: list[Place] = []
    for number, one in enumerate(memberships):
        field = f"memberships[{number}]"
        for name in ("account_id", "tenant_id"):
            if (value := getattr(one, name)) and not is_uuid(value):
                faults.append((f"{field}.{name}", "must be a UUID in lower case"))
        if one.account_id and one.tenant_id:
            faults.append((field, "must name an account or a tenant, not both"))
        if one.role not in console_users_pb2.ConsoleRole.values() or not one.role:
            faults.append((f"{field}.role", "must be VIEWER, DEVELOPER, OPERATOR or OWNER"))
        places.append(Place(one.account_id or None, one.tenant_id or None, one.role))
    if len({(place.account_id, place.tenant_id) for place in places}) < len(places):
        faults.append(("memberships", "must not name the same place twice"))
    return places


def parsed_client(client: console_users_pb2.ConsoleClient) -> Client:
    """Return where a session is opened, cut to what can be stored and shown."""
    return Client(_storable(client.user_agent), _storable(client.address))


def refuse(faults: Faults) -> None:
    """Raise INVALID if there are faults."""
    if faults:
        raise ClarionError(Code.INVALID, "; ".join(f"{name} {fault}" for name, fault in faults), fields=faults)


def _storable(text: str) -> str:
    return "".join(character for character in text if character.isprintable())[:_MAX_CLIENT_TEXT]
