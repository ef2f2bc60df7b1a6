"""Recipients that are saved one by one, their tags, and lists of them, on PostgreSQL."""

import asyncio
from typing import Any

import pytest

from clarion.common.v1 import error_pb2, event_pb2
from clarion.router.v1 import recipients_pb2
from runtime.errors import Code
from services.domain import channels
from services.router.ports import Membership
from services.router.recipients import store as recipient_store
from services.router.recipients.identity import Identities
from services.router.recipients.people import PostgresRecipients
from tests.integration.router.recipient_world import OTHER, TENANT, Api
from tests.waiting import eventually

CREATE, UPDATE = recipients_pb2.SAVE_MODE_CREATE, recipients_pb2.SAVE_MODE_UPDATE
TagList = recipients_pb2.TagList


def _refused(result: recipients_pb2.SaveResult) -> tuple[int, list[str]]:
    return result.error.code, [one.field for one in result.error.fields]


async def test_what_is_absent_stays(api: Api) -> None:
    """A change has only what is to change; data is replaced or merged; everything comes back but tokens."""
    email, sms = event_pb2.CHANNEL_EMAIL, event_pb2.CHANNEL_SMS
    preference = recipients_pb2.CategoryPreference(channel=email, category="news", wanted=False)
    first = await api.saved(
        recipient_id="a",
        email="a@example.org",
        name="Ada",
        data=b'{"z":1e300,"plan":"pro"}',
        tags=TagList(tags=["vip", "vip", "beta"]),
        muted_channels=recipients_pb2.ChannelList(channels=[sms]),
        category_preferences=recipients_pb2.CategoryPreferences(preferences=[preference]),
        device_tokens=recipients_pb2.DeviceTokens(
            tokens=[recipients_pb2.DeviceToken(kind="fcm", token="abcdef-secret-secret-wxyz")]
        ),
    )
    assert (list(first.tags), first.data, list(first.muted_channels)) == (
        ["vip", "beta"],
        b'{"z":1e300,"plan":"pro"}',
        [sms],
    )
    assert (list(first.category_preferences), first.device_tokens[0].token) == ([preference], "abcdef…wxyz")
    second = await api.saved(id=first.id, name="", data=b'{"plan":null,"n":[1]}', merges_data=True)
    first.name, first.data, first.updated_at_us = "", b'{"z":1e300,"n":[1]}', second.updated_at_us
    assert second == first
    third = await api.saved(email="A@EXAMPLE.ORG", data=b"{}", tags=TagList(), new_recipient_id="b")
    assert (third.id, third.recipient_id, third.data, list(third.tags)) == (first.id, "b", b"{}", [])
    assert await api.rows("recipient_tags") == 0
    # What PutRecipients replaces are the fields that it has.
    await api.put("b", email="a@example.org")
    stored = (await api.call("GetRecipient", id=first.id)).recipient
    assert list(stored.category_preferences) == [preference]


async def test_each_change_has_a_result_of_its_own(api: Api) -> None:
    """One that is wrong or refused does not keep the others from being stored; a later one sees an earlier one."""
    results = await api.save(
        {"recipient_id": "a", "email": "a@example.org"},
        {"recipient_id": "b", "email": "not an address"},
        {"recipient_id": "c", "email": "A@example.org"},
        {"email": "a@example.org", "name": "Ada"},
        {"email": "d@example.org"},
        {"recipient_id": "a", "name": "Ada L."},
    )
    invalid, conflict = error_pb2.ERROR_CODE_INVALID, error_pb2.ERROR_CODE_CONFLICT
    assert [one.is_new for one in results] == [True, False, False, False, True, False]
    assert (_refused(results[1]), _refused(results[2])) == ((invalid, ["email"]), (conflict, ["email"]))
    assert [one.recipient.name for one in results] == ["", "", "", "Ada", "", "Ada L."]
    assert len(await api.ids()) == 2


async def test_modes(api: Api) -> None:
    """Create and update say what is in the way; without unique_email an address is nobody's."""
    a = await api.saved(recipient_id="a", email="a@example.org")
    conflict, not_found = error_pb2.ERROR_CODE_CONFLICT, error_pb2.ERROR_CODE_NOT_FOUND
    created = await api.save({"recipient_id": "a"}, {"email": "A@example.org"}, {"recipient_id": "b"}, mode=CREATE)
    assert [_refused(one) for one in created[:2]] == [(conflict, ["recipient_id"]), (conflict, ["email"])]
    assert created[2].is_new
    updated = await api.save(
        {"recipient_id": "x"},
        {"id": a.id, "new_recipient_id": "b"},
        {"recipient_id": "b", "email": "a@example.org"},
        {"recipient_id": "b", "name": "Bob"},
        mode=UPDATE,
    )
    assert [_refused(one) for one in updated[:3]] == [
        (not_found, []),
        (conflict, ["new_recipient_id"]),
        (conflict, ["email"]),
    ]
    assert updated[3].recipient.name == "Bob"
    plain = await api.save({"email": "a@example.org"}, {"email": "a@example.org"}, unique_email=False)
    assert [one.is_new for one in plain] == [True, True]


async def test_an_address_is_given_up_with_the_change_to_another(api: Api) -> None:
    """Then somebody else may have it; also if PutRecipients changed it."""
    await api.saved(recipient_id="a", email="a@example.org")
    await api.put("a", email="other@example.org")
    assert (await api.saved(recipient_id="b", email="a@example.org")).recipient_id == "b"
    await api.saved(recipient_id="b", email="")
    assert (await api.saved(recipient_id="c", email="A@example.org")).recipient_id == "c"


async def test_one_address_under_concurrency(api: Api) -> None:
    """Forty callers who save different people with one address: one of them succeeds, the others are told."""
    results = await asyncio.gather(
        *[api.save({"recipient_id": f"r{number}", "email": "a@example.org"}, mode=CREATE) for number in range(40)]
    )
    assert sum(one.is_new for [one] in results) == 1
    assert {_refused(one)[1][0] for [one] in results if one.HasField("error")} == {"email"}
    same = await asyncio.gather(*[api.save({"email": "b@example.org", "name": f"{number}"}) for number in range(40)])
    assert sum(one.is_new for [one] in same) == 1
    assert len({one.recipient.id for [one] in same}) == 1
    assert await api.rows("recipients") == 2


async def test_a_full_tenant_still_changes_who_is_stored(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only who is new is refused."""
    monkeypatch.setattr(recipient_store, "MAX_RECIPIENTS", 1)
    await api.saved(recipient_id="a")
    new, old = await api.save({"recipient_id": "b"}, {"recipient_id": "a", "name": "Ada"})
    assert (new.error.code, old.recipient.name) == (error_pb2.ERROR_CODE_CONFLICT, "Ada")
    assert await api.rows("recipients") == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"recipient_id": "x" * 256}, "recipient_id"),
        ({"recipient_id": "a", "data": b"[]"}, "data"),
        ({"recipient_id": "a", "tags": TagList(tags=[""])}, "tags[0]"),
        ({"id": "nonsense"}, "id"),
        (
            {"device_tokens": recipients_pb2.DeviceTokens(tokens=[recipients_pb2.DeviceToken(kind="x", token="t")])},
            "device_tokens[0].kind",
        ),
        (
            {
                "category_preferences": recipients_pb2.CategoryPreferences(
                    preferences=[recipients_pb2.CategoryPreference(channel=event_pb2.CHANNEL_WEBHOOK, category="c")]
                )
            },
            "category_preferences[0].channel",
        ),
        (
            {
                "preference_changes": recipients_pb2.PreferenceChanges(
                    changes=[recipients_pb2.CategoryPreference(channel=event_pb2.CHANNEL_SMS, category="c")],
                    categories=["d"],
                )
            },
            "preference_changes.changes[0].category",
        ),
        ({"preference_changes": recipients_pb2.PreferenceChanges()}, "preference_changes.categories"),
    ],
)
async def test_a_wrong_field_is_named(api: Api, change: dict[str, Any], field: str) -> None:
    """Where it is, and nothing is stored."""
    [result] = await api.save(change)
    assert field in _refused(result)[1]
    assert await api.rows("recipients") == 0


async def test_of_wishes_at_the_same_time_none_is_lost(api: Api) -> None:
    """Each caller refuses one category; the last of a channel mutes it. Wishes bring them back, one by one."""
    categories = [f"c{number}" for number in range(10)]
    email, sms = event_pb2.CHANNEL_EMAIL, event_pb2.CHANNEL_SMS
    other = recipients_pb2.CategoryPreference(channel=email, category="other", wanted=False)
    await api.saved(recipient_id="a", category_preferences=recipients_pb2.CategoryPreferences(preferences=[other]))

    def change(channel: Any, category: str, *, wanted: bool) -> recipients_pb2.PreferenceChanges:
        one = recipients_pb2.CategoryPreference(channel=channel, category=category, wanted=wanted)
        return recipients_pb2.PreferenceChanges(changes=[one], categories=categories)

    async def all_at_once(*, wanted: bool) -> recipients_pb2.StoredRecipient:
        await asyncio.gather(
            *[
                api.saved(recipient_id="a", preference_changes=change(channel, category, wanted=wanted))
                for channel in (email, sms)
                for category in categories
            ]
        )
        person: recipients_pb2.StoredRecipient = (await api.call("GetRecipient", recipient_id="a")).recipient
        return person

    refused = await all_at_once(wanted=False)
    assert list(refused.muted_channels) == [email, sms]
    assert len(refused.category_preferences) == 21
    wanted = await all_at_once(wanted=True)
    assert list(wanted.muted_channels) == []
    assert list(wanted.category_preferences) == [other]


async def test_merged_data_is_bounded(api: Api) -> None:
    """By what would be stored."""
    await api.saved(recipient_id="a", data=b'{"a":"%s"}' % (b"x" * 10_000))
    [result] = await api.save({"recipient_id": "a", "data": b'{"b":"%s"}' % (b"x" * 10_000), "merges_data": True})
    assert _refused(result) == (error_pb2.ERROR_CODE_INVALID, ["data"])


async def test_tags(api: Api) -> None:
    """They are added and removed at once, counted, and bounded."""
    await api.saved(recipient_id="a", tags=TagList(tags=["vip", "old"]))
    await api.saved(recipient_id="b", tags=TagList(tags=["vip"]))
    await api.put("c", tenant_id=OTHER, tags=["vip"])
    changed = (await api.call("ChangeTags", recipient_id="a", add=["new", "vip"], remove=["old", "none"])).recipient
    assert list(changed.tags) == ["vip", "new"]
    assert await api.ids(tags=["new", "vip"]) == ["a"]
    assert await api.ids(tags=["old"]) == []
    tags = (await api.call("ListTags")).tags
    assert [(one.tag, one.recipients) for one in tags] == [("vip", 2), ("new", 1)]
    assert [one.tag for one in (await api.call("ListTags", prefix="n", limit=1)).tags] == ["new"]
    assert (await api.refused("ChangeTags", recipient_id="x", add=["t"])).code is Code.NOT_FOUND
    full = await api.refused("ChangeTags", recipient_id="a", add=[f"t{number}" for number in range(49)])
    assert full.fields[0][0] == "add"
    await asyncio.gather(*[api.call("ChangeTags", recipient_id="b", add=[f"t{number}"]) for number in range(20)])
    assert len((await api.call("GetRecipient", recipient_id="b")).recipient.tags) == 21


async def test_lists_are_searched_counted_and_paged_by_number(api: Api) -> None:
    """In the order of creation, with all filters together."""
    for number in range(7):
        await api.saved(
            recipient_id=f"user-{number}", email=f"u{number}@example.org", name="Ada" if number % 2 else "BOB"
        )
    await api.call("ChangeTags", recipient_id="user-1", add=["vip"])
    await api.call("ChangeTags", recipient_id="user-3", add=["vip"])
    assert await api.ids(search="aDa") == ["user-1", "user-3", "user-5"]
    assert await api.ids(search="U4@EX") == ["user-4"]
    assert await api.ids(search="%") == []
    assert await api.ids(search="ada", tags=["vip"]) == ["user-1", "user-3"]
    assert await api.ids(search="user", address="u3@example.org") == ["user-3"]
    page = await api.call("ListRecipients", limit=2, offset=4, count=True)
    assert ([one.recipient_id for one in page.recipients], page.total) == (["user-4", "user-5"], 7)
    counted = await api.call("ListRecipients", search="bob", tags=["vip"], count=True)
    assert (counted.total, list(counted.recipients)) == (0, [])
    for fields in ({"offset": 10_001}, {"offset": -1}, {"search": "x" * 101}, {"segment_id": "none"}):
        assert (await api.refused("ListRecipients", **fields)).code is Code.INVALID


async def test_who_is_inactive_stays_so_until_a_change_says_otherwise(api: Api) -> None:
    """Whatever stores them meanwhile: another change, PutRecipients, an event. They are planned as muted."""
    muted = recipients_pb2.ChannelList(channels=[event_pb2.CHANNEL_SMS])
    first = await api.saved(recipient_id="a", email="a@example.org", muted_channels=muted, data=b'{"n":1e300}')
    assert (await api.saved(id=first.id, inactive=True)).inactive
    again = await api.saved(recipient_id="a", data=b'{"x":1}')
    assert (again.inactive, list(again.muted_channels)) == (True, [event_pb2.CHANNEL_SMS])
    await api.put("a", email="a@example.org", data=b"{}")
    contact = event_pb2.Contact(recipient=event_pb2.Recipient(email="a@example.org", name="Ada"))
    [found] = await Identities(api.pool).resolve([(TENANT, contact)])
    everything = frozenset(channels.FOR_PEOPLE)
    assert (found.person.recipient.name, found.person.muted) == ("Ada", everything)
    stored = PostgresRecipients(api.pool)
    for whole in (False, True):
        assert (await stored.find([(TENANT, "a")], whole=whole))[TENANT, "a"].muted == everything
        for membership in (
            Membership(TENANT, everybody=True, whole=whole),
            Membership(TENANT, recipients=["a"], whole=whole),
        ):
            [person] = (await stored.page(membership, "", 10)).people
            assert person.muted == everything
    back = await api.saved(recipient_id="a", inactive=False)
    assert (back.inactive, list(back.muted_channels)) == (False, [])


async def test_of_names_and_devices_at_the_same_time_none_is_lost(api: Api) -> None:
    """Each change names one part of what is stored; the name is made of both parts in the end."""
    await api.saved(recipient_id="a", name="Nobody At All")
    tokens = {"fcm": "f" * 30, "apns": "a" * 30, "expo": "e" * 30}
    await asyncio.gather(
        api.saved(recipient_id="a", name_parts=recipients_pb2.NameParts(first="Ada")),
        api.saved(recipient_id="a", name_parts=recipients_pb2.NameParts(last="King")),
        *[
            api.saved(
                recipient_id="a",
                device_tokens=recipients_pb2.DeviceTokens(
                    tokens=[recipients_pb2.DeviceToken(kind=kind, token=token)], keeps_other_kinds=True
                ),
            )
            for kind, token in tokens.items()
        ],
    )
    person = (await api.call("GetRecipient", recipient_id="a")).recipient
    assert (person.name, person.data) == ("Ada King", b'{"first_name":"Ada","last_name":"King"}')
    assert sorted(one.kind for one in person.device_tokens) == sorted(tokens)


async def test_a_change_does_not_undo_what_replaced_its_person_meanwhile(api: Api) -> None:
    """PutRecipients gives somebody another address while they are saved by the former one: that is somebody new."""
    await api.saved(recipient_id="a", email="old@example.org")
    async with api.pool.acquire() as connection:
        async with connection.transaction():
            await connection.execute("UPDATE router.recipients SET email = 'new@example.org', unique_email = NULL")
            saving = asyncio.create_task(api.saved(email="old@example.org", name="Bob"))
            await eventually(api.is_waiting)
        saved = await saving
    assert saved.recipient_id != "a"
    kept = (await api.call("GetRecipient", recipient_id="a")).recipient
    assert (kept.email, kept.name) == ("new@example.org", "")
