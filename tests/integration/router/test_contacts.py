"""Contacts of events, found or stored on PostgreSQL: each person once, whatever happens at the same time."""

import asyncio
from typing import Any

import pytest

from clarion.common.v1 import event_pb2
from runtime.errors import Code
from services.router.ports import Conflict, Identified
from services.router.recipients.identity import Identities
from tests.integration.router.recipient_world import OTHER, TENANT, Api


def _contact(**fields: Any) -> event_pb2.Contact:
    return event_pb2.Contact(recipient=event_pb2.Recipient(**fields))


async def _resolve(api: Api, tenant_id: str = TENANT, **fields: Any) -> Identified:
    [found] = await Identities(api.pool).resolve([(tenant_id, _contact(**fields))])
    return found


async def test_a_contact_is_stored_and_found_by_each_identifier(api: Api) -> None:
    """First it is new; what is given later is stored too, and what is not given stays."""
    first = await _resolve(api, user_id="u1", email="Ada@Example.org", name="Ada", data=b'{"plan":"pro","n":1e300}')
    assert (first.is_new, first.person.is_unknown, first.conflicts) == (True, False, ())
    by_email = await _resolve(api, email="ada@EXAMPLE.org", phone="+254 712 345678", timezone="Africa/Nairobi")
    assert not by_email.is_new
    by_phone = await _resolve(api, phone="+254712345678", data=b'{"plan":null,"seats":3}')
    recipient = by_phone.person.recipient
    assert (recipient.user_id, recipient.name, recipient.phone) == ("u1", "Ada", "+254712345678")
    assert (recipient.timezone, recipient.data) == ("Africa/Nairobi", b'{"n":1e300,"seats":3}')
    assert (by_phone.person.destination, await api.rows("recipients")) == ("u1", 1)
    assert (await _resolve(api, OTHER, email="ada@example.org")).is_new


async def test_a_contact_is_stored_without_an_event(api: Api) -> None:
    """By the same rules, once; nobody is without an address."""
    stored = await api.call("StoreContact", contact=_contact(email="ada@example.org"))
    assert stored.is_new
    again = await api.call("StoreContact", contact=_contact(email="ADA@example.org", phone="+254712345678"))
    assert (again.recipient_id, again.is_new, await api.rows("recipients")) == (stored.recipient_id, False, 1)
    assert (await _resolve(api, phone="+254712345678")).person.recipient.user_id == stored.recipient_id
    refused = await api.refused("StoreContact", contact=_contact(user_id="u1", email="no address"))
    assert (refused.code, refused.fields[0][0]) == (Code.INVALID, "contact")


async def test_what_is_known_is_not_written_again(api: Api) -> None:
    """So an event for a contact whom nothing is new of costs one look."""
    await _resolve(api, user_id="u1", email="ada@example.org", data=b'{"plan":"pro"}')
    before = await api.call("GetRecipient", recipient_id="u1")
    again = await _resolve(api, user_id="u1", email="ADA@example.org", data=b'{"plan": "pro"}')
    # An address that differs by its case is another way to write it, and is stored as it is written now.
    assert again.person.recipient.email == "ADA@example.org"
    after = await api.call("GetRecipient", recipient_id="u1")
    same = await _resolve(api, user_id="u1", email="ADA@example.org")
    assert (await api.call("GetRecipient", recipient_id="u1")) == after
    assert (same.person.recipient.email, before.recipient.id) == ("ADA@example.org", after.recipient.id)


async def test_two_people_are_never_merged(api: Api) -> None:
    """The id is meant before the address, and the address before the number; nothing is taken from the other."""
    await api.saved(recipient_id="a", email="a@example.org")
    await api.saved(recipient_id="b", email="b@example.org", phone="+254712345678")
    found = await _resolve(api, user_id="a", email="B@example.org", phone="+254712345678", name="Ada")
    assert (found.person.recipient.email, found.person.recipient.phone) == ("a@example.org", "")
    assert found.person.recipient.name == "Ada"
    assert found.conflicts == (Conflict("a", "b", "email"), Conflict("a", "b", "phone"))
    by_email = await _resolve(api, email="a@example.org", phone="+254712345678")
    assert (by_email.person.recipient.user_id, by_email.conflicts) == ("a", (Conflict("a", "b", "phone"),))
    # An id that nobody has names nobody: they are found by their address, and keep their own.
    by_new_id = await _resolve(api, user_id="c", email="a@example.org")
    assert (by_new_id.person.recipient.user_id, by_new_id.conflicts) == ("a", ())
    assert await api.rows("recipients") == 2


async def test_who_has_no_address_is_not_stored(api: Api) -> None:
    """What is malformed stands in the person, so that planning says what is wrong."""
    nobody = await _resolve(api)
    assert (nobody.person.is_unknown, nobody.is_new, nobody.person.destination) == (True, False, "#0")
    known_by_id = await _resolve(api, user_id="ghost", email="not an address")
    assert (known_by_id.person.is_unknown, known_by_id.person.recipient.email) == (True, "not an address")
    assert await api.rows("recipients") == 0
    await api.saved(recipient_id="a", phone="+254712345678")
    found = await _resolve(api, user_id="a", email="not an address", name="x" * 300, timezone="Mars/Base", data=b"[]")
    assert (found.person.recipient.email, found.person.recipient.name) == ("not an address", "")
    assert (await api.call("GetRecipient", recipient_id="a")).recipient.email == ""


@pytest.mark.parametrize(
    "fields",
    [
        {"user_id": "u1", "email": "ada@example.org"},
        {"email": "ada@example.org"},
        {"phone": "+254712345678"},
    ],
)
async def test_a_hundred_events_at_once_store_a_contact_once(api: Api, fields: dict[str, str]) -> None:
    """Over two routers, in one call and in many."""
    routers = [Identities(api.pool), Identities(api.pool)]
    answers = await asyncio.gather(
        *[routers[number % 2].resolve([(TENANT, _contact(**fields, name=f"n{number}"))] * 2) for number in range(50)]
    )
    found = [one for answer in answers for one in answer]
    assert sum(one.is_new for one in found) == 1
    assert len({one.person.recipient.user_id for one in found}) == 1
    assert await api.rows("recipients") == 1
    assert await api.pool.fetchval("SELECT recipients FROM router.recipient_counts") == 1


async def test_different_names_of_one_person_at_once(api: Api) -> None:
    """Events that know a person by their id, by their address and by their number each find the one who is stored."""
    await api.saved(recipient_id="a", email="a@example.org", phone="+254712345678")
    names: list[dict[str, str]] = [{"user_id": "a"}, {"email": "a@example.org"}, {"phone": "+254712345678"}]
    wanted = [(TENANT, _contact(**one, data=b'{"f%d":1}' % at)) for at, one in enumerate(names * 3)]
    found = await Identities(api.pool).resolve(wanted)
    assert {one.person.recipient.user_id for one in found} == {"a"}
    data = (await api.call("GetRecipient", recipient_id="a")).recipient.data
    assert all(b'"f%d":1' % at in data for at in range(len(wanted)))
