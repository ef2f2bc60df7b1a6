"""Recipients and groups over gRPC's servicers, on PostgreSQL."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from clarion.router.v1 import codes_pb2, recipients_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.domain import code_subjects
from services.router import servicer_privacy
from services.router.codes.code import new_code
from services.router.groups import store as group_store
from services.router.recipients import store as recipient_store
from services.router.schedules.schedule import NewSchedule, Schedule
from services.router.schedules.store import ScheduleStore
from tests.integration.router.recipient_world import OTHER, TENANT, Api
from tests.waiting import eventually

PHONE = "+447911123456"


def _described(**fields: Any) -> event_pb2.Target:
    return event_pb2.Target(recipient=event_pb2.Recipient(**fields))


async def _schedule(api: Api, event: ingest_pb2.NewEvent, name: str = "s", tenant_id: str = TENANT) -> Schedule:
    new = NewSchedule(tenant_id, "", name, "0 9 * * *", "", active=True, event=event.SerializeToString())
    return await ScheduleStore(api.pool).create(new, 1)


async def test_a_recipient_is_stored_replaced_and_deleted(api: Api) -> None:
    """What comes back is what was stored; replaced, they keep their place and when they were created."""
    fields: dict[str, Any] = {
        "email": "ada@example.org",
        "phone": "+254712345678",
        "name": "Ada",
        "locale": "sw-KE",
        "timezone": "Africa/Nairobi",
        "data": b'{"z":1e300,"a":[123456789012345678901234567890]}',
        "tags": ["vip", "beta"],
        "muted_channels": [event_pb2.CHANNEL_SMS],
    }
    [stored] = await api.put("ada", **fields)
    assert stored.created_at_us == stored.updated_at_us > 0
    wanted = recipients_pb2.StoredRecipient(
        recipient_id="ada",
        id=stored.id,
        created_at_us=stored.created_at_us,
        updated_at_us=stored.updated_at_us,
        **fields,
    )
    assert stored == wanted
    await api.put("bob")
    [replaced] = await api.put("ada", name="Ada L.", tags=["vip"])
    assert (replaced.created_at_us, replaced.updated_at_us > stored.updated_at_us) == (stored.created_at_us, True)
    assert (replaced.name, replaced.email, list(replaced.tags)) == ("Ada L.", "", ["vip"])
    assert (await api.call("GetRecipient", recipient_id="ada")).recipient == replaced
    assert await api.ids() == ["ada", "bob"]
    await api.call("DeleteRecipient", recipient_id="ada")
    assert await api.ids() == ["bob"]
    for method in ("GetRecipient", "DeleteRecipient"):
        assert (await api.refused(method, recipient_id="ada")).code is Code.NOT_FOUND
    assert await api.rows("recipient_tags") == 0


async def test_a_call_stores_all_or_none(api: Api) -> None:
    """In the order of the request, whichever of them were stored before; one that is invalid refuses them all."""
    await api.put("b")
    assert [one.recipient_id for one in await api.put("c", "b", "a")] == ["c", "b", "a"]
    assert await api.ids() == ["b", "c", "a"]
    with pytest.raises(ClarionError):
        await api.put("d", email="no address")
    assert await api.ids() == ["b", "c", "a"]


async def test_recipients_are_listed_by_tags_and_address(api: Api) -> None:
    """All of the tags; exactly the address, in any case and way of writing it."""
    await api.put("a", "b", "c", tags=["x", "y"], email="Both@example.org")
    await api.put("d", "e", tags=["y"], phone="+447911123456")
    await api.put("f")
    assert await api.ids(tags=["x"]) == ["a", "b", "c"]
    assert await api.ids(tags=["y"]) == ["a", "b", "c", "d", "e"]
    assert await api.ids(tags=["y", "x", "y"]) == ["a", "b", "c"]
    assert await api.ids(tags=["x", "none"]) == []
    assert await api.ids(address="BOTH@example.org") == ["a", "b", "c"]
    assert await api.ids(address="+44 (0)7911 123456", tags=["y"]) == ["d", "e"]
    assert await api.ids(address="+447911123456", tags=["x"]) == []
    assert await api.ids(address="both@example.org", tags=["x", "none"]) == []
    await api.put("b", "d", tags=["x"])
    assert await api.ids(tags=["x"]) == ["a", "b", "c", "d"]
    assert await api.ids(tags=["y"]) == ["a", "c", "e"]


async def test_groups_are_stored_renamed_listed_and_deleted(api: Api) -> None:
    """Renamed, one keeps its members and place; deleted, its key is free and its members stay stored."""
    await api.put("a", "b")
    for key in ("g", "h", "i"):
        await api.group(key, "a", "b")
    renamed = (await api.call("PutGroup", key="g", name="New")).group
    assert (renamed.key, renamed.name, renamed.members, renamed.created_at_us > 0) == ("g", "New", 2, True)
    assert (await api.call("GetGroup", key="g")).group == renamed
    page = await api.call("ListGroups", limit=2)
    assert [one.key for one in page.groups] == ["g", "h"]
    assert [one.key for one in (await api.call("ListGroups", cursor=page.next_cursor)).groups] == ["i"]
    for text, found in (("nEw", ["g"]), ("H", ["h"]), ("%", [])):
        assert [one.key for one in (await api.call("ListGroups", search=text)).groups] == found
    await api.call("DeleteGroup", key="g")
    assert [one.key for one in (await api.call("ListGroups")).groups] == ["h", "i"]
    for method, fields in (("GetGroup", {}), ("DeleteGroup", {}), ("ListMembers", {}), ("ChangeMembers", {"add": "a"})):
        assert (await api.refused(method, key="g", **fields)).code is Code.NOT_FOUND
    assert await api.ids() == ["a", "b"]
    assert list((await api.call("GetRecipient", recipient_id="a")).groups) == ["h", "i"]
    await api.group("g", "b")
    assert (await api.ids("ListMembers", key="g"), await api.members("g")) == (["b"], 1)


async def test_members_are_added_removed_and_counted(api: Api) -> None:
    """Each once, however often they are named; who is not stored is named, and then nothing changes."""
    await api.put("a", "b", "c", "d")
    await api.group("g")
    changed = await api.call("ChangeMembers", key="g", add=["c", "a", "b", "a"], remove=["d", "none"])
    assert (changed.added, changed.removed) == (3, 0)
    changed = await api.call("ChangeMembers", key="g", add=["c", "d"], remove=["a"])
    assert (changed.added, changed.removed, await api.members("g")) == (1, 1, 3)
    assert await api.ids("ListMembers", key="g") == ["b", "c", "d"]
    refused = await api.refused("ChangeMembers", key="g", add=["a", "none", "nobody"], remove=["b"])
    assert (refused.code, [field for field, _ in refused.fields]) == (Code.INVALID, ["add[1]", "add[2]"])
    assert (await api.ids("ListMembers", key="g"), await api.members("g")) == (["b", "c", "d"], 3)


async def test_who_is_deleted_leaves_their_groups(api: Api) -> None:
    """Which then count one less."""
    await api.put("a", "b")
    await api.group("g", "a", "b")
    await api.group("h", "a")
    await api.call("DeleteRecipient", recipient_id="a")
    assert [await api.members(key) for key in ("g", "h")] == [1, 0]
    assert await api.ids("ListMembers", key="g") == ["b"]
    await api.put("a")
    assert list((await api.call("GetRecipient", recipient_id="a")).groups) == []


async def test_the_rows_of_deleted_groups_are_deleted_in_batches(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all such groups, and of no other."""
    monkeypatch.setattr(group_store, "BATCH", 2)
    await api.put("a", "b", "c")
    for key in ("g", "h", "i"):
        await api.group(key, "a", "b", "c")
    for key in ("g", "i"):
        await api.call("DeleteGroup", key=key)
    counts = []
    while await api.groups.remove_deleted():
        counts.append(await api.rows("group_members"))
    assert counts == [7, 6, 4, 3]
    assert (await api.rows("groups"), await api.ids("ListMembers", key="h")) == (1, ["a", "b", "c"])


async def test_the_rows_of_deleted_groups_are_deleted_in_the_background(api: Api) -> None:
    """By a task that does not end."""
    await api.put("a")
    await api.group("g", "a")
    await api.call("DeleteGroup", key="g")
    removing = asyncio.create_task(api.groups.keep_removing_deleted())

    async def is_gone() -> bool:
        return await api.rows("groups") == 0

    await eventually(is_gone)
    assert not removing.done()
    removing.cancel()


async def test_another_tenants_ids_keys_and_cursors_find_nothing(api: Api) -> None:
    """Whatever is asked; equal ids and keys are different people and groups."""
    await api.put("a", "b", "c", tenant_id=OTHER, email="b@example.org", tags=["t"])
    await api.group("theirs", "b", "c", tenant_id=OTHER)
    await api.group("both", "b", "c", tenant_id=OTHER)
    await api.put("mine", "c", name="mine")
    await api.group("both", "mine", "c")
    assert await api.ids() == ["mine", "c"]
    assert await api.ids(address="b@example.org") == await api.ids(tags=["t"]) == []
    assert await api.ids("ListMembers", key="both") == ["mine", "c"]
    for method, fields in (
        ("GetRecipient", {"recipient_id": "b"}),
        ("DeleteRecipient", {"recipient_id": "b"}),
        ("GetGroup", {"key": "theirs"}),
        ("DeleteGroup", {"key": "theirs"}),
        ("ListMembers", {"key": "theirs"}),
        ("ChangeMembers", {"key": "theirs", "add": ["mine"]}),
    ):
        assert (await api.refused(method, **fields)).code is Code.NOT_FOUND, method
    assert (await api.refused("ChangeMembers", key="both", add=["b"])).fields[0][0] == "add[0]"
    assert (await api.call("ChangeMembers", key="both", remove=["b"])).removed == 0
    cursor = (await api.call("ListRecipients", tenant_id=OTHER, limit=1)).next_cursor
    assert {one.recipient_id for one in (await api.call("ListRecipients", cursor=cursor)).recipients} == {"mine", "c"}
    await api.call("DeleteGroup", key="both")
    await api.call("EraseRecipient", user_id="c")
    assert await api.ids(tenant_id=OTHER) == ["a", "b", "c"]
    assert await api.ids("ListMembers", key="both", tenant_id=OTHER) == ["b", "c"]


async def test_what_is_stored_of_a_recipient_is_exported_and_erased(api: Api) -> None:
    """With their groups; again, there is nothing."""
    [stored] = await api.put("a", name="Ada", tags=["t"])
    await api.put("b", name="Bob")
    await api.group("g", "a", "b")
    await api.group("h", "a")
    exported = await api.call("ExportRecipient", user_id="a")
    assert (exported.recipient, list(exported.groups)) == (stored, ["g", "h"])
    erased = await api.call("EraseRecipient", user_id="a")
    assert (erased.recipients, erased.memberships) == (1, 2)
    assert not (await api.call("ExportRecipient", user_id="a")).HasField("recipient")
    erased = await api.call("EraseRecipient", user_id="a")
    assert (erased.recipients, erased.memberships) == (0, 0)
    assert (await api.ids(), await api.rows("group_members"), await api.rows("recipient_tags")) == (["b"], 1, 0)


async def test_one_time_codes_for_an_erased_recipient_are_deleted(api: Api) -> None:
    """Those for their addresses, however they were written; the others' stay."""
    await api.put("a", email="Ada@Example.org", phone="+447911123456")
    for subject in (
        code_subjects.subject(code_subjects.EMAIL, "ada@EXAMPLE.org"),
        code_subjects.subject(code_subjects.SMS, "+44 7911 123456"),
        code_subjects.subject(code_subjects.EMAIL, "bob@example.org"),
    ):
        new = codes_pb2.CreateCodeRequest(tenant_id=TENANT, subject=subject, memo=subject.encode())
        await api.codes.create(new_code(new))
        await api.codes.create(replace(new_code(new), tenant_id=OTHER))
    await api.call("EraseRecipient", user_id="nobody")
    assert await api.rows("codes") == 6
    await api.call("EraseRecipient", user_id="a")
    left = await api.pool.fetch("SELECT tenant_id::text, subject, memo FROM router.codes ORDER BY id")
    assert [row["subject"] for row in left if row["tenant_id"] == TENANT] == ["email:bob@example.org"]
    assert len(left) == 4


async def test_more_addresses_of_an_erased_recipient(api: Api) -> None:
    """Those that the caller names count like those that are stored, in whatever form; what is none is refused."""
    await api.put("a", email="ada@example.org")
    event = ingest_pb2.NewEvent(event_type="x", audience=[_described(email="Old@example.org"), _described(phone=PHONE)])
    schedule = await _schedule(api, event)
    new = codes_pb2.CreateCodeRequest(tenant_id=TENANT, subject="email:old@example.org")
    await api.codes.create(new_code(new))
    wrong = await api.refused("EraseRecipient", user_id="a", addresses=["old@example.org", "12"])
    assert [field for field, _ in wrong.fields] == ["addresses[1]"]
    erased = await api.call("EraseRecipient", user_id="a", addresses=[" old@EXAMPLE.org", "+44 7911 123456"])
    assert (erased.recipients, erased.schedules, await api.rows("codes")) == (1, 1, 0)
    left = await ScheduleStore(api.pool).get(TENANT, schedule.id)
    assert (left.active, left.event) == (False, ingest_pb2.NewEvent(event_type="x").SerializeToString())


async def test_the_schedules_of_a_recipient_are_exported(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """By id and by address, page by page, each without the others; its content too, unless they are only excluded."""
    await api.put("a", email="ada@example.org")
    ada, bob, nameless = _described(user_id="a"), _described(user_id="b"), _described(email=" ADA@example.org")
    body = b'{"of":"a"}'
    events = {
        "both": ingest_pb2.NewEvent(event_type="x", audience=[ada, bob], variables=body),
        "by address": ingest_pb2.NewEvent(event_type="x", audience=[bob, nameless], variables=body),
        "only": ingest_pb2.NewEvent(event_type="x", recipient=ada.recipient, variables=body),
        "excluded": ingest_pb2.NewEvent(
            event_type="x", audience=[bob], exclusions=[event_pb2.Target(recipient_id="a")], variables=body
        ),
        "others": ingest_pb2.NewEvent(event_type="x", audience=[bob], variables=body),
    }
    for name, event in events.items():
        await _schedule(api, event, name)
    await _schedule(api, events["only"], tenant_id=OTHER)
    monkeypatch.setattr(servicer_privacy, "EXPORTED_SCHEDULES", 2)
    found: dict[str, ingest_pb2.NewEvent] = {}
    cursor, more = "", True
    while more:
        page = await api.call("ExportSchedules", user_id="a", cursor=cursor)
        found |= {one.name: ingest_pb2.NewEvent.FromString(one.event) for one in page.schedules}
        cursor, more = page.next_cursor, bool(page.next_cursor)
    assert {name: list(event.audience) for name, event in found.items()} == {
        "both": [ada],
        "by address": [nameless],
        "only": [],
        "excluded": [],
    }
    assert [event.variables for event in found.values()] == [body, body, body, b""]


async def test_the_cooldowns_of_a_recipient_are_exported(api: Api) -> None:
    """Also of one who is not stored; of another tenant's with the same id none."""
    workflow_id = new_id()
    for tenant_id in (TENANT, OTHER):
        await api.pool.execute(
            "INSERT INTO router.cooldowns (tenant_id, workflow_id, recipient_id, workflow_run_id, until)"
            " VALUES ($1, $2, 'a', $2, 'epoch'::timestamptz + interval '5 seconds')",
            tenant_id,
            workflow_id,
        )
    exported = await api.call("ExportRecipient", user_id="a")
    assert not exported.HasField("recipient")
    [held] = exported.cooldowns
    assert (held.workflow_id, held.workflow_name, held.until_us) == (workflow_id, "", 5_000_000)


async def test_nobody_else_is_deleted_who_has_the_id_now(api: Api) -> None:
    """Somebody gets another id while they are deleted, and somebody new has the former one."""
    [first] = await api.put("a", name="Ada")
    async with api.pool.acquire() as connection:
        async with connection.transaction():
            await connection.execute("UPDATE router.recipients SET recipient_id = 'b'")
            deleting = asyncio.create_task(api.call("DeleteRecipient", id=first.id))
            await eventually(api.is_waiting)
            await connection.execute(
                "INSERT INTO router.recipients"
                " (tenant_id, id, recipient_id, email, phone, name, locale, timezone, data, tags, muted_channels)"
                " VALUES ($1, $2, 'a', '', '', 'Bob', '', '', '{}', '{}', '{}')",
                TENANT,
                new_id(),
            )
        await deleting
    assert (await api.ids(), (await api.call("GetRecipient", recipient_id="a")).recipient.name) == (["a"], "Bob")


async def test_a_tenant_has_a_bounded_number_of_recipients_and_groups(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CONFLICT past it, and nothing of the call is stored; what is deleted makes room."""
    monkeypatch.setattr(recipient_store, "MAX_RECIPIENTS", 3)
    monkeypatch.setattr(group_store, "MAX_GROUPS", 1)
    await api.put("a", "b")
    with pytest.raises(ClarionError) as refused:
        await api.put("b", "c", "d")
    assert (refused.value.code, await api.ids()) == (Code.CONFLICT, ["a", "b"])
    await api.put("b", "c")
    await api.put("a", "b", tenant_id=OTHER)
    await api.call("DeleteRecipient", recipient_id="a")
    await api.put("d", "b")
    await api.group("g")
    await api.group("g")
    assert (await api.refused("PutGroup", key="h")).code is Code.CONFLICT
    await api.call("DeleteGroup", key="g")
    await api.group("h")


async def test_a_recipient_is_in_a_bounded_number_of_groups(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """INVALID past it, naming who; to be added again to a group of theirs is no fault."""
    monkeypatch.setattr(group_store, "MAX_GROUPS_OF_ONE", 2)
    await api.put("a", "b")
    await api.group("g", "a")
    await api.group("h", "a")
    await api.group("i")
    refused = await api.refused("ChangeMembers", key="i", add=["b", "a"])
    assert (refused.code, [field for field, _ in refused.fields]) == (Code.INVALID, ["add[1]"])
    assert (await api.call("ChangeMembers", key="h", add=["b", "a"])).added == 1


async def test_changes_at_the_same_time_leave_the_counts_right(api: Api) -> None:
    """Recipients stored, deleted, added and removed by calls that meet: none waits for another for ever."""
    names = [f"r{number}" for number in range(100)]
    await api.put(*names)
    await api.group("g", *names)
    await api.group("h", *names)

    async def member(method: str, **fields: Any) -> None:
        try:
            await api.call(method, **fields)
        except ClarionError as error:
            if error.code not in (Code.INVALID, Code.NOT_FOUND):  # another call deleted them first
                raise

    calls: list[Coroutine[Any, Any, object]] = [api.put(*order) for order in (names, names[::-1]) * 3]
    calls += [member("DeleteRecipient", recipient_id=name) for name in names[:8]]
    calls += [member("ChangeMembers", key=key, add=names[4:], remove=names[:4]) for key in ("g", "h")]
    calls += [member("ChangeMembers", key=key, add=names[12:], remove=names[8:12]) for key in ("h", "g")]
    await asyncio.gather(*calls)
    for key in ("g", "h"):
        assert await api.members(key) == len(await api.ids("ListMembers", key=key))
    counted = await api.pool.fetchrow("SELECT recipients, groups FROM router.recipient_counts")
    assert counted is not None
    assert (counted["recipients"], counted["groups"]) == (await api.rows("recipients"), 2)


@pytest.mark.parametrize(
    ("method", "fields", "field"),
    [
        ("ListRecipients", {"limit": 101}, "limit"),
        ("ListRecipients", {"cursor": "x"}, "cursor"),
        ("ListRecipients", {"tenant_id": "x"}, "tenant_id"),
        ("ListRecipients", {"address": "x"}, "address"),
        ("ListRecipients", {"address": "a@b@c"}, "address"),
        ("ListRecipients", {"tags": ["\0"]}, "tags[0]"),
        ("ListRecipients", {"tags": ["t"] * 51}, "tags"),
        ("GetRecipient", {"recipient_id": ""}, "recipient_id"),
        ("DeleteRecipient", {"recipient_id": "\0"}, "recipient_id"),
        ("ListGroups", {"limit": -1}, "limit"),
        ("ListGroups", {"cursor": "x"}, "cursor"),
        ("ListGroups", {"search": "x" * 101}, "search"),
        ("GetGroup", {"key": ""}, "key"),
        ("DeleteGroup", {"key": "\0"}, "key"),
        ("ListMembers", {"key": "g", "cursor": "x"}, "cursor"),
        ("ChangeMembers", {"key": "", "add": ["a"]}, "key"),
        ("EraseRecipient", {"user_id": ""}, "user_id"),
        ("ExportRecipient", {"user_id": "\0"}, "user_id"),
    ],
)
async def test_a_wrong_field_is_named(api: Api, method: str, fields: dict[str, Any], field: str) -> None:
    """INVALID."""
    refused = await api.refused(method, **fields)
    assert (refused.code, [name for name, _ in refused.fields]) == (Code.INVALID, [field])


async def test_a_database_that_is_away(api: Api) -> None:
    """UNAVAILABLE, whatever is asked."""
    api.pool.terminate()
    with pytest.raises(ClarionError) as away:
        await api.put("a")
    assert away.value.code is Code.UNAVAILABLE
    for method, fields in (
        ("GetRecipient", {"recipient_id": "a"}),
        ("ListRecipients", {}),
        ("ListRecipients", {"tags": ["a"]}),
        ("DeleteRecipient", {"recipient_id": "a"}),
        ("PutGroup", {"key": "g"}),
        ("GetGroup", {"key": "g"}),
        ("ListGroups", {}),
        ("DeleteGroup", {"key": "g"}),
        ("ChangeMembers", {"key": "g", "add": ["a"]}),
        ("ListMembers", {"key": "g"}),
        ("EraseRecipient", {"user_id": "a"}),
        ("ExportRecipient", {"user_id": "a"}),
    ):
        assert (await api.refused(method, **fields)).code is Code.UNAVAILABLE, method
