"""The recipients that tenants store, in memory."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from clarion.common.v1 import event_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.router.ports import MemberPage, Membership, Person, RecipientKey

_NOBODY = "00000000-0000-0000-0000-000000000000"


@dataclass
class MemoryRecipients:
    """services.router.ports.StoredRecipients, and what fills it."""

    people: dict[RecipientKey, tuple[str, Person]] = field(default_factory=dict)
    groups: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    segments: dict[str, set[str]] = field(default_factory=dict)
    away: bool = False

    def store(
        self,
        tenant_id: str,
        recipient_id: str,
        *,
        groups: Iterable[str] = (),
        muted: Iterable[event_pb2.Channel.ValueType] = (),
        tags: Iterable[str] = (),
        unwanted: Iterable[tuple[event_pb2.Channel.ValueType, str]] = (),
        **fields: Any,
    ) -> None:
        """Store a recipient, as a member of these groups too. fields: of Recipient."""
        recipient = event_pb2.Recipient(user_id=recipient_id, **{"data": b"{}", **fields})
        id_, _ = self.people.get((tenant_id, recipient_id), (new_id(), None))
        person = Person(recipient, recipient_id, frozenset(muted), tags=frozenset(tags), unwanted=frozenset(unwanted))
        self.people[tenant_id, recipient_id] = id_, person
        for group in groups:
            self.groups.setdefault((tenant_id, group), set()).add(recipient_id)

    def delete(self, tenant_id: str, recipient_id: str) -> None:
        """Delete a recipient with their memberships."""
        del self.people[tenant_id, recipient_id]
        for (tenant, _), members in self.groups.items():
            if tenant == tenant_id:
                members.discard(recipient_id)

    async def find(self, wanted: Collection[RecipientKey], *, whole: bool = False) -> Mapping[RecipientKey, Person]:
        """See StoredRecipients."""
        self._check()
        return {key: _seen(self.people[key][1], whole=whole) for key in wanted if key in self.people}

    async def newest(self, tenant_id: str) -> str:
        """See StoredRecipients."""
        self._check()
        return max([id_ for key, (id_, _) in self.people.items() if key[0] == tenant_id], default=_NOBODY)

    async def page(self, membership: Membership, after: str, limit: int, upto: str = "") -> MemberPage:
        """See StoredRecipients."""
        self._check()
        tenant_id = membership.tenant_id
        named = {*membership.recipients, *self._members(tenant_id, membership.groups)}
        named |= {one for segment in membership.segment_ids for one in self.segments.get(segment, ())}
        for tags in membership.tags:
            named |= {
                id_ for (tenant, id_), (_, one) in self.people.items() if tenant == tenant_id and one.tags >= {*tags}
            }
        excluded = {*membership.excluded, *self._members(tenant_id, membership.excluded_groups)}
        found = sorted(
            (id_, key[1], person)
            for key, (id_, person) in self.people.items()
            if key[0] == tenant_id and (membership.everybody or key[1] in named) and after < id_ <= (upto or id_)
        )
        people = [_seen(one, whole=membership.whole) for _, id_, one in found[:limit] if id_ not in excluded]
        return MemberPage(people, found[limit - 1][0] if len(found) > limit else "")

    def _members(self, tenant_id: str, groups: Iterable[str]) -> set[str]:
        return {one for group in groups for one in self.groups.get((tenant_id, group), ())}

    def _check(self) -> None:
        if self.away:
            raise ClarionError(Code.UNAVAILABLE, "The database does not answer.", retry_after=1)


def _seen(person: Person, *, whole: bool) -> Person:
    """Return what is read of a person."""
    if whole:
        return person
    recipient = event_pb2.Recipient()
    recipient.CopyFrom(person.recipient)
    for field_ in ("name", "data"):
        recipient.ClearField(field_)
    return person._replace(recipient=recipient, tags=frozenset(), unwanted=frozenset())
