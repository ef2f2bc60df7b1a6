"""Reads whom an event is for: those whom it names at once, or the next page of groups, tags, segments and everybody."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from clarion.common.v1 import event_pb2
from services.domain import audience
from services.router import people
from services.router.ports import Conflict, Contacts, Identified, Membership, Person, StoredRecipients
from services.router.runs import run as runs
from services.router.runs.run import Run

# Begins the `after` of a page that ends among those whom the event names. What ends among stored ones is a UUID.
_NAMED = "@"


class Page(NamedTuple):
    """See ports.MemberPage. conflicts: of the contacts on it."""

    people: Sequence[Person]
    after: str
    conflicts: Sequence[Conflict] = ()


class Audiences:
    """Reads pages. page: see runs.page_size. Each method raises UNAVAILABLE while the database is away.

    Those whom the event names come first, on pages of their own if they are too many; then `after` begins with @.
    """

    def __init__(self, recipients: StoredRecipients, contacts: Contacts, *, page: int) -> None:
        self._recipients = recipients
        self._contacts = contacts
        self._stored = people.StoredPeople(recipients)
        self._page = page

    async def newest(self, tenant_id: str) -> str:
        """See StoredRecipients."""
        return await self._recipients.newest(tenant_id)

    async def next(self, run: Run, weight: int = 1) -> Page:
        """Return the next page of a run. weight: how many deliveries one person has, at most."""
        event, size = run.event, runs.page_size(weight, self._page)
        contacts = await self._named_contacts(event)
        conflicts = () if run.page_after else [conflict for one in contacts.values() for conflict in one.conflicts]
        membership = runs.membership(event, [one.person.recipient.user_id for one in contacts.values()])
        if run.page_after and not run.page_after.startswith(_NAMED):
            page = await self._recipients.page(membership, run.page_after, size, run.page_upto)
            return Page(page.people, page.after)
        is_paged = runs.is_paged(event)
        named = await (self._described(run, membership, contacts) if is_paged else self._directly(event, contacts))
        part, after = _part(named, run.page_after, size)
        some = await self._with_tags(event, part)
        if after or not is_paged:
            return Page(some, after, conflicts)
        if some and len(some) == size:  # there is no room for a stored one
            return Page(some, _NAMED + max(one.destination for one in some), conflicts)
        page = await self._recipients.page(membership, "", size - len(some), run.page_upto)
        return Page([*some, *page.people], page.after, conflicts)

    async def _named_contacts(self, event: event_pb2.Event) -> Mapping[int, Identified]:
        """Return the contacts that an event names, by their place among its targets."""
        named = {place: target.contact for place, target in enumerate(event.audience) if target.HasField("contact")}
        if not named:
            return {}
        found = await self._contacts.resolve([(event.tenant_id, contact) for contact in named.values()])
        return dict(zip(named, found, strict=True))

    async def _directly(self, event: event_pb2.Event, contacts: Mapping[int, Identified]) -> Sequence[Person]:
        """Return all recipients of an event that names them."""
        return people.named_directly(event, await self._find(event), _people(contacts))

    async def _find(self, event: event_pb2.Event) -> people.Found:
        """Return the stored recipients that an event names by their ids."""
        return await self._stored.find(people.named_ids(event), whole=runs.needs_whole(event))

    async def _with_tags(self, event: event_pb2.Event, named: Sequence[Person]) -> Sequence[Person]:
        """Return people with the stored tags of those whom the event describes, if its workflows may ask for them."""
        if not runs.starts_workflows(event):
            return named
        described = audience.described(event)
        ids = [one.recipient.user_id for one in named if one.destination in described and one.recipient.user_id]
        stored = await self._stored.find([(event.tenant_id, id_) for id_ in ids], whole=True)
        tags = {id_: person.tags for (_, id_), person in stored.items()}
        return [
            one._replace(tags=tags.get(one.recipient.user_id, one.tags)) if one.destination in described else one
            for one in named
        ]

    async def _described(
        self, run: Run, membership: Membership, contacts: Mapping[int, Identified]
    ) -> Sequence[Person]:
        """Return those whom the event describes itself, without members of the groups that it excludes.

        And those whom it names by id and the tenant does not store, so that the plan says so.
        """
        found = await self._find(run.event)
        stored_ids = {id_ for _, id_ in found}  # they are on the pages
        direct = people.named_directly(run.event, found, _people(contacts))
        described = [person for person in direct if person.recipient.user_id not in stored_ids]
        ids = [one.recipient.user_id for one in described if one.recipient.user_id and not one.is_unknown]
        if not ids or not membership.excluded_groups:
            return described
        stored = await self._stored.find([(membership.tenant_id, id_) for id_ in ids])
        named = Membership(membership.tenant_id, recipients=ids, excluded_groups=membership.excluded_groups)
        left = await self._recipients.page(named, "", len(ids))
        left_ids = {person.recipient.user_id for person in left.people}
        excluded = {id_ for id_ in ids if (membership.tenant_id, id_) in stored and id_ not in left_ids}
        return [person for person in described if person.recipient.user_id not in excluded]


def _part(named: Sequence[Person], after: str, size: int) -> tuple[Sequence[Person], str]:
    """Return the next of those whom an event names, at most so many, and where the others begin; empty: nobody is left.

    If they do not fit on one page, they come in the order of their destinations. So each has one turn, also if
    others are erased or stored meanwhile.
    """
    if not after and len(named) <= size:
        return named, ""
    left = sorted((one for one in named if not after or one.destination > after[1:]), key=lambda one: one.destination)
    return left[:size], _NAMED + left[size - 1].destination if len(left) > size else ""


def _people(contacts: Mapping[int, Identified]) -> Mapping[int, Person]:
    """Return the contacts as people of the event: of one without an id its place says who it is."""
    return {
        place: one.person._replace(destination=audience.destination(one.person.recipient, place))
        for place, one in contacts.items()
    }
