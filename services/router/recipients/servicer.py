"""RecipientService: wire to stores."""

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

from prometheus_client import Counter

from clarion.common.v1 import event_pb2
from clarion.router.v1 import recipients_pb2, recipients_pb2_grpc
from runtime import logs
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid
from services.domain import addresses
from services.domain.paging import page_limit
from services.domain.searching import check_search
from services.router.groups.check import check_group, check_members
from services.router.groups.store import GroupRow, GroupStore
from services.router.recipients import changes, devices
from services.router.recipients.check import (
    MAX_ITEMS,
    MAX_TAG,
    MAX_TAGS,
    Fault,
    checked,
    invalid,
    tenant,
    text,
    wrong_tags,
)
from services.router.recipients.identity import Identities
from services.router.recipients.listing import MAX_OFFSET, Listing, RecipientList
from services.router.recipients.row import RecipientRow
from services.router.recipients.store import Pool, RecipientSearch, RecipientStore
from services.router.recipients.writing import RecipientWriter, Saved
from services.router.segments.filter import Filter, parse
from services.router.segments.scan import Scan
from services.router.segments.store import SegmentStore

RECIPIENT_SERVICE = "clarion.router.v1.RecipientService"

MAX_SEARCH = 100
DEFAULT_LISTED_TAGS, MAX_LISTED_TAGS = 100, 1000

_CHANGES = Counter("clarion_recipient_changes_total", "Changes of stored recipients and groups, by kind.", ["change"])

log = logs.get(__name__)


class _Naming(Protocol):
    """A request that names a recipient."""

    tenant_id: str
    recipient_id: str
    id: str


class RecipientServicer(recipients_pb2_grpc.RecipientServiceServicer):
    """See proto/clarion/router/v1/recipients.proto."""

    # A hundred recipients, and 500 ids, as large as they may be.
    MAX_BYTES: ClassVar = {
        "PutRecipients": 4 * 1024 * 1024,
        "SaveRecipients": 8 * 1024 * 1024,
        "ChangeMembers": 1024 * 1024,
    }

    def __init__(self, pool: Pool, recipients: RecipientStore, groups: GroupStore, scan: Scan) -> None:
        self._contacts = Identities(pool)
        self._recipients = recipients
        self._groups = groups
        self._list = RecipientList(pool, scan)
        self._segments = SegmentStore(pool)
        self._writer = RecipientWriter(pool)

    async def PutRecipients(
        self, request: recipients_pb2.PutRecipientsRequest, context: Any
    ) -> recipients_pb2.PutRecipientsResponse:
        """Store recipients."""
        rows = await self._recipients.put(request.tenant_id, checked(request))
        _CHANGES.labels("stored").inc(len(rows))
        log.info("recipients_stored", tenant_id=request.tenant_id, count=len(rows))
        return recipients_pb2.PutRecipientsResponse(recipients=map(recipient_of, rows))

    async def GetRecipient(
        self, request: recipients_pb2.GetRecipientRequest, context: Any
    ) -> recipients_pb2.GetRecipientResponse:
        """Return a recipient and the keys of their groups."""
        row = await self._find(request)
        groups = await self._recipients.groups_of(request.tenant_id, row.id)
        return recipients_pb2.GetRecipientResponse(recipient=recipient_of(row), groups=groups)

    async def ListRecipients(
        self, request: recipients_pb2.ListRecipientsRequest, context: Any
    ) -> recipients_pb2.ListRecipientsResponse:
        """List recipients."""
        limit = page_limit(request.limit)
        check(request.tenant_id, cursor=request.cursor, tags=request.tags)
        faults = list(text("search", request.search, limit=MAX_SEARCH))
        if not 0 <= request.offset <= MAX_OFFSET or (request.offset and request.cursor):
            faults.append(("offset", f"must be at most {MAX_OFFSET:,}, and is not used together with cursor"))
        if faults:
            raise invalid(faults)
        simple = RecipientSearch(
            tags=tuple(dict.fromkeys(request.tags)), after=request.cursor, **_address(request.address)
        )
        segment = await self._segment(request.tenant_id, request.segment_id) if request.segment_id else None
        listing = Listing(simple, request.search, segment, request.offset)
        rows, next_cursor = await self._list.page(request.tenant_id, listing, limit)
        total = await self._list.count(request.tenant_id, listing) if request.count else 0
        return recipients_pb2.ListRecipientsResponse(
            recipients=map(recipient_of, rows), next_cursor=next_cursor, total=total
        )

    async def SaveRecipients(
        self, request: recipients_pb2.SaveRecipientsRequest, context: Any
    ) -> recipients_pb2.SaveRecipientsResponse:
        """Store recipients, each with a result of its own."""
        faults = list(tenant(request.tenant_id))
        if request.mode not in (changes.CREATE, changes.UPDATE, changes.UPSERT):
            faults.append(("mode", "is required"))
        if not 1 <= len(request.changes) <= MAX_ITEMS:
            faults.append(("changes", f"must be from 1 to {MAX_ITEMS}"))
        if faults:
            raise invalid(faults)
        results: list[recipients_pb2.SaveResult | None] = []
        wanted = []
        for one in request.changes:
            try:
                wanted.append(changes.checked(one, request.mode, unique_email=request.unique_email))
                results.append(None)
            except ClarionError as error:
                results.append(recipients_pb2.SaveResult(error=error.to_proto()))
        saved = iter(await self._writer.save(request.tenant_id, wanted))
        answered = [_result(next(saved)) if result is None else result for result in results]
        stored = sum(one.HasField("recipient") for one in answered)
        _CHANGES.labels("stored").inc(stored)
        log.info("recipients_stored", tenant_id=request.tenant_id, count=stored, refused=len(answered) - stored)
        return recipients_pb2.SaveRecipientsResponse(results=answered)

    async def StoreContact(
        self, request: recipients_pb2.StoreContactRequest, context: Any
    ) -> recipients_pb2.StoreContactResponse:
        """Find out who a contact is, and store what is new of them."""
        if faults := list(tenant(request.tenant_id)):
            raise invalid(faults)
        (found,) = await self._contacts.resolve([(request.tenant_id, request.contact)])
        if found.person.is_unknown:
            raise invalid([("contact", "cannot be stored: it has no address, or the tenant has too many recipients")])
        _CHANGES.labels("stored").inc(found.is_new)
        log.info("contact_stored", tenant_id=request.tenant_id, is_new=found.is_new)
        return recipients_pb2.StoreContactResponse(recipient_id=found.person.recipient.user_id, is_new=found.is_new)

    async def ChangeTags(
        self, request: recipients_pb2.ChangeTagsRequest, context: Any
    ) -> recipients_pb2.ChangeTagsResponse:
        """Add and remove tags of a recipient."""
        faults: list[Fault] = []
        for field, tags in (("add", request.add), ("remove", request.remove)):
            faults += [(f"{field}{at.removeprefix('tags')}", description) for at, description in wrong_tags(tags)]
        if both := set(request.add) & set(request.remove):
            faults += [(f"remove[{at}]", "is in add, too") for at, one in enumerate(request.remove) if one in both]
        if faults:
            raise invalid(faults)
        row = await self._find(request)
        changed = await self._recipients.change_tags(request.tenant_id, row.id, request.add, set(request.remove))
        if changed is None:
            raise _no_recipient()
        log.info("recipient_tags_changed", tenant_id=request.tenant_id)
        return recipients_pb2.ChangeTagsResponse(recipient=recipient_of(changed))

    async def ListTags(self, request: recipients_pb2.ListTagsRequest, context: Any) -> recipients_pb2.ListTagsResponse:
        """List the tags of a tenant."""
        limit = page_limit(request.limit, default=DEFAULT_LISTED_TAGS, largest=MAX_LISTED_TAGS)
        if faults := [*tenant(request.tenant_id), *text("prefix", request.prefix, limit=MAX_TAG)]:
            raise invalid(faults)
        tags = await self._recipients.tags(request.tenant_id, request.prefix, limit)
        return recipients_pb2.ListTagsResponse(
            tags=[recipients_pb2.TagCount(tag=tag, recipients=number) for tag, number in tags]
        )

    async def SearchRecipients(
        self, request: recipients_pb2.SearchRecipientsRequest, context: Any
    ) -> recipients_pb2.SearchRecipientsResponse:
        """Look for a recipient of any tenant."""
        query, tenant_ids, limit = check_search(request)
        try:
            address = next(iter(_address(query).values()), None)
        except ClarionError:  # it may be a user's id
            address = None
        hits = await self._recipients.search(query, address, tenant_ids, limit)
        return recipients_pb2.SearchRecipientsResponse(hits=hits)

    async def DeleteRecipient(
        self, request: recipients_pb2.DeleteRecipientRequest, context: Any
    ) -> recipients_pb2.DeleteRecipientResponse:
        """Delete a recipient."""
        row = await self._find(request)
        if await self._recipients.delete(request.tenant_id, row.id) is None:
            raise _no_recipient()
        _CHANGES.labels("deleted").inc()
        log.info("recipient_deleted", tenant_id=request.tenant_id)
        return recipients_pb2.DeleteRecipientResponse()

    async def PutGroup(self, request: recipients_pb2.PutGroupRequest, context: Any) -> recipients_pb2.PutGroupResponse:
        """Store a group, or rename it."""
        check_group(request)
        row = await self._groups.put(request.tenant_id, request.key, request.name)
        log.info("group_stored", tenant_id=request.tenant_id, group_id=row.id)
        return recipients_pb2.PutGroupResponse(group=_group(row))

    async def GetGroup(self, request: recipients_pb2.GetGroupRequest, context: Any) -> recipients_pb2.GetGroupResponse:
        """Return a group."""
        return recipients_pb2.GetGroupResponse(group=_group(await self._find_group(request.tenant_id, request.key)))

    async def ListGroups(
        self, request: recipients_pb2.ListGroupsRequest, context: Any
    ) -> recipients_pb2.ListGroupsResponse:
        """List groups."""
        limit = page_limit(request.limit)
        check(request.tenant_id, cursor=request.cursor)
        if faults := list(text("search", request.search, limit=MAX_SEARCH)):
            raise invalid(faults)
        rows = await self._groups.page(request.tenant_id, request.search, request.cursor, limit)
        return recipients_pb2.ListGroupsResponse(
            groups=map(_group, rows), next_cursor=rows[-1].id if len(rows) == limit else ""
        )

    async def DeleteGroup(
        self, request: recipients_pb2.DeleteGroupRequest, context: Any
    ) -> recipients_pb2.DeleteGroupResponse:
        """Delete a group."""
        check(request.tenant_id, key=request.key)
        if not await self._groups.delete(request.tenant_id, request.key):
            raise _no_group()
        log.info("group_deleted", tenant_id=request.tenant_id)
        return recipients_pb2.DeleteGroupResponse()

    async def ChangeMembers(
        self, request: recipients_pb2.ChangeMembersRequest, context: Any
    ) -> recipients_pb2.ChangeMembersResponse:
        """Add and remove members."""
        check_members(request)
        check(request.tenant_id, key=request.key)
        changed = await self._groups.change_members(request.tenant_id, request.key, request.add, request.remove)
        if changed is None:
            raise _no_group()
        added, removed = changed
        _CHANGES.labels("member_added").inc(added)
        _CHANGES.labels("member_removed").inc(removed)
        log.info("members_changed", tenant_id=request.tenant_id, added=added, removed=removed)
        return recipients_pb2.ChangeMembersResponse(added=added, removed=removed)

    async def ListMembers(
        self, request: recipients_pb2.ListMembersRequest, context: Any
    ) -> recipients_pb2.ListMembersResponse:
        """List the members of a group."""
        limit = page_limit(request.limit)
        check(request.tenant_id, cursor=request.cursor)
        group = await self._find_group(request.tenant_id, request.key)
        ids = await self._groups.member_ids(group.id, request.cursor, limit)
        rows, next_cursor = await self._recipients.by_ids(request.tenant_id, ids, limit)
        return recipients_pb2.ListMembersResponse(recipients=map(recipient_of, rows), next_cursor=next_cursor)

    async def _find(self, request: "_Naming") -> RecipientRow:
        """Return the recipient whom a request names by the tenant's id of them, or by ours. Raises NOT_FOUND."""
        if request.id:
            check(request.tenant_id)
            row = await self._recipients.get_by_id(request.tenant_id, request.id) if is_uuid(request.id) else None
        else:
            check(request.tenant_id, recipient_id=request.recipient_id)
            row = await self._recipients.get(request.tenant_id, request.recipient_id)
        if row is None:
            raise _no_recipient()
        return row

    async def _segment(self, tenant_id: str, segment_id: str) -> Filter:
        segment = await self._segments.get(tenant_id, segment_id) if is_uuid(segment_id) else None
        if segment is None:
            raise invalid([("segment_id", "is not the id of a segment")])
        return parse(segment.filter)

    async def _find_group(self, tenant_id: str, key: str) -> GroupRow:
        check(tenant_id, key=key)
        row = await self._groups.get(tenant_id, key)
        if row is None:
            raise _no_group()
        return row


def check(tenant_id: str, *, cursor: str = "", tags: Sequence[str] = (), **required: str) -> None:
    """Raise INVALID naming each wrong field. required: ids and keys."""
    faults: list[Fault] = [*tenant(tenant_id)]
    for field, value in required.items():
        faults += text(field, value, required=True)
    if cursor and not is_uuid(cursor):
        faults.append(("cursor", "must be the next_cursor of the previous page"))
    if len(tags) > MAX_TAGS:
        faults.append(("tags", f"must be at most {MAX_TAGS}"))
    for position, tag in enumerate(tags):
        faults += text(f"tags[{position}]", tag, required=True)
    if faults:
        raise invalid(faults)


def _result(saved: Saved) -> recipients_pb2.SaveResult:
    if saved.decision.error is not None or saved.row is None:
        error = saved.decision.error or _no_recipient()
        return recipients_pb2.SaveResult(error=error.to_proto())
    return recipients_pb2.SaveResult(recipient=recipient_of(saved.row), is_new=saved.is_new)


def _address(written: str) -> dict[str, str]:
    """Return the filter for an address. Raises INVALID if it is neither an e-mail address nor a number."""
    if not written:
        return {}
    field, parse = ("email", addresses.parse_email) if "@" in written else ("phone", addresses.parse_phone)
    try:
        return {field: parse(written)}
    except addresses.InvalidAddress as error:
        raise invalid([("address", f"is invalid: {error}")]) from error


def _no_recipient() -> ClarionError:
    return ClarionError(Code.NOT_FOUND, "No recipient with this id is stored.")


def _no_group() -> ClarionError:
    return ClarionError(Code.NOT_FOUND, "There is no group with this key.")


def recipient_of(row: RecipientRow) -> recipients_pb2.StoredRecipient:
    """Return the wire form of a stored recipient."""
    one = row.recipient
    return recipients_pb2.StoredRecipient(
        recipient_id=one.recipient_id,
        email=one.email,
        phone=one.phone,
        name=one.name,
        locale=one.locale,
        timezone=one.timezone,
        data=one.data,
        tags=one.tags,
        muted_channels=one.muted_channels,
        created_at_us=row.created_at_us,
        updated_at_us=row.updated_at_us,
        id=row.id,
        category_preferences=[
            recipients_pb2.CategoryPreference(
                channel=event_pb2.Channel.ValueType(each.channel), category=each.category, wanted=each.wanted
            )
            for each in one.category_preferences
        ],
        device_tokens=[
            recipients_pb2.DeviceToken(kind=each.kind, token=devices.shown(each.token)) for each in one.device_tokens
        ],
        inactive=one.inactive,
    )


def _group(row: GroupRow) -> recipients_pb2.Group:
    return recipients_pb2.Group(key=row.key, name=row.name, members=row.members, created_at_us=row.created_at_us)
