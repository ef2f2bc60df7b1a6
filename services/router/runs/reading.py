"""Reads whom an event is for: those whom it names at once, or the next page of groups, tags, segments and everybody."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from clarion.common.v1 import event_pb2
from services.domain import audience
from services.router import people
from services.router.ports import Conflict, Contacts, Identified, Membership, Person, StoredRecipients
from services.router.runs import run as runs
from services.router.runs.run import Run


class Page(NamedTuple):
    """See ports.MemberPage. conflicts: of the contacts on it."""

    people: Sequence[Person]
    after: str
    conflicts: Sequence[Conflict] = ()


class Audiences:
    """Reads pages of so many recipients. Each method raises UNAVAILABLE while the database is away."""

    def __init__(self, recipients: StoredRecipients, contacts: Contacts, *, page: int) -> None:
        self._recipients = recipients
        self._contacts = contacts
        self._stored = people.StoredPeople(recipients)
        self._page = page

    async def newest(self, tenant_id: str) -> str:
        """See StoredRecipients."""
        return await self._recipients.newest(tenant_id)

    async def next(self, run: Run) -> Page:
        """Return the next page of a run; of one that names its recipients the only one."""
        contacts = await self._named_contacts(run.event)
        conflicts = [conflict for one in contacts.values() for conflict in one.conflicts]
        if runs.is_paged(run.event):
            page = await self._members(run, contacts)
            return Page(page.people, page.after, () if run.page_after else conflicts)
        found = await self._find(run.event)
        named = people.named_directly(run.event, found, _people(contacts))
        return Page(await self._with_tags(run.event, named), "", conflicts)

    async def _named_contacts(self, event: event_pb2.Event) -> Mapping[int, Identified]:
        """Return the contacts that an event names, by their place among its targets."""
        named = {place: target.contact for place, target in enumerate(event.audience) if target.HasField("contact")}
        if not named:
            return {}
        found = await self._contacts.resolve([(event.tenant_id, contact) for contact in named.values()])
        return dict(zip(named, found, strict=True))

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

    async def _members(self, run: Run, contacts: Mapping[int, Identified]) -> Page:
        """Return the next page; the first one begins with those whom the event describes itself."""
        membership = runs.membership(run.event, [one.person.recipient.user_id for one in contacts.values()])
        page = await self._recipients.page(
            membership, run.page_after, runs.page_size(run.event, self._page), run.page_upto
        )
        if run.page_after:
            return Page(page.people, page.after)
        described = await self._with_tags(run.event, await self._described(run, membership, contacts))
        return Page([*described, *page.people], page.after)

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


def _people(contacts: Mapping[int, Identified]) -> Mapping[int, Person]:
    """Return the contacts as people of the event: of one without an id its place says who it is."""
    return {
        place: one.person._replace(destination=audience.destination(one.person.recipient, place))
        for place, one in contacts.items()
    }
