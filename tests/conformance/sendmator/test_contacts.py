"""Contacts: stored, found, tagged, unsubscribed, and what they want."""

import asyncio
from typing import Any
from urllib.parse import quote

import pytest

from tests.conformance.sendmator.conftest import Account, assert_refused

# As the published page on adding contacts has it.
CONTACT: dict[str, Any] = {
    "external_id": "CRM-001",
    "email": "john.doe@example.com",
    "first_name": "John",
    "last_name": "Doe",
    "tags": ["customer", "vip", "premium"],
    "is_active": True,
    "custom_fields": {"company": "Acme Corp", "annual_revenue": 150000, "preferred_language": "en"},
    "metadata": {"source": "website", "utm_source": "google"},
}


async def test_create(account: Account) -> None:
    """The contact comes back, bare and as data, and is found by each of its ids."""
    made = await account.must("POST", "/contacts", CONTACT, status=201)
    for name, value in CONTACT.items():
        found = sorted(made[name]) if name == "tags" else made[name]
        assert found == (sorted(value) if name == "tags" else value), name
    assert made["data"] == {name: value for name, value in made.items() if name not in ("success", "data")}
    for path in (f"/contacts/{made['id']}", "/contacts/external/CRM-001", "/contacts/by-email/john.doe@example.com"):
        assert (await account.must("GET", path))["id"] == made["id"]


async def test_external_id(account: Account) -> None:
    """One that is missing is made; one that is taken is a conflict, and so is an address, whatever its case."""
    made = await account.must("POST", "/contacts", {"email": "jane@example.com"}, status=201)
    assert len(made["external_id"]) == 36
    await account.must("POST", "/contacts", CONTACT)
    taken = await account.call("POST", "/contacts", {**CONTACT, "email": "other@example.com"})
    assert_refused(taken, 409, "Conflict", "A contact with this external_id already exists")
    taken = await account.call("POST", "/contacts", {"email": "JANE@example.com"})
    assert_refused(taken, 409, "Conflict", "A contact with this email already exists")
    assert_refused(
        await account.call("POST", "/contacts", {"first_name": "A"}), 400, "Bad Request", "email is required"
    )


async def test_upsert_by_external_id(account: Account) -> None:
    """PUT stores a new contact, and changes one who is stored."""
    first = await account.must("PUT", "/contacts/external/u1", {"email": "u1@example.com", "first_name": "U"})
    second = await account.must("PUT", "/contacts/external/u1", {"last_name": "One", "custom_fields": {"a": 1}})
    assert second["id"] == first["id"]
    assert (second["email"], second["first_name"], second["last_name"]) == ("u1@example.com", "U", "One")


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_update(account: Account, method: str) -> None:
    """Both methods change the fields that the body has; PUT replaces custom fields."""
    made = await account.must("POST", "/contacts", CONTACT)
    body = {"first_name": "Jane", "tags": ["a"], "custom_fields": {"company": None, "role": "Dev"}}
    changed = await account.must(method, f"/contacts/{made['id']}", body)
    assert (changed["first_name"], changed["last_name"], changed["email"]) == ("Jane", "Doe", CONTACT["email"])
    assert changed["tags"] == ["a"]
    kept = {"annual_revenue": 150000, "preferred_language": "en"} if method == "PATCH" else {"company": None}
    assert {name: value for name, value in changed["custom_fields"].items() if value is not None} == {
        name: value for name, value in {**kept, "role": "Dev"}.items() if value is not None
    }
    assert changed["metadata"] == CONTACT["metadata"]
    renamed = await account.must(method, f"/contacts/{made['id']}", {"external_id": "CRM-002"})
    assert renamed["external_id"] == "CRM-002"
    await account.must("GET", "/contacts/external/CRM-002")


async def test_delete(account: Account) -> None:
    """At first a contact is only made inactive: nothing is sent to them. With ?hard=true they are gone."""
    made = await account.must("POST", "/contacts", CONTACT)
    await account.must("DELETE", f"/contacts/{made['id']}")
    assert not (await account.must("GET", f"/contacts/{made['id']}"))["is_active"]
    await account.template()
    await account.workflow("Welcome", "user_signup")
    trigger_id = await account.send("user_signup", user_info={"contact_external_id": "CRM-001"})
    assert (await account.over(trigger_id))["summary"]["filtered"] == 1
    await account.must("DELETE", f"/contacts/{made['id']}?hard=true")
    assert (await account.call("GET", f"/contacts/{made['id']}")).status == 404


async def test_bulk(account: Account) -> None:
    """Each row has a result: created, skipped because it is stored, or wrong."""
    await account.must("POST", "/contacts", CONTACT)
    rows = [
        {"email": "a@example.com", "first_name": "A"},
        CONTACT,
        {"first_name": "nobody"},
        {"email": "no address"},
        {"email": "b@example.com", "tags": 5},
    ]
    told = await account.must("POST", "/contacts/bulk", {"contacts": rows}, status=201)
    assert [one["status"] for one in told["results"]] == ["created", "skipped", "error", "error", "error"]
    assert told["summary"] == {"created_count": 1, "skipped_count": 1, "error_count": 3}
    assert told["skipped"] == [
        {
            "email": CONTACT["email"],
            "external_id": "CRM-001",
            "reason": "A contact with this external_id already exists",
        }
    ]
    assert (told["total_processed"], told["created"][0]["email"]) == (5, "a@example.com")
    again = {"contacts": [{**CONTACT, "first_name": "Jane"}], "upsert": True}
    told = await account.must("POST", "/contacts/bulk", again)
    assert (told["results"][0]["status"], told["results"][0]["contact"]["first_name"]) == ("updated", "Jane")
    # What a row does not have stays: nobody becomes active by it. Of two rows for one contact the later one counts.
    await account.must("DELETE", f"/contacts/{told['results'][0]['contact']['id']}")
    rows = [{"external_id": "CRM-001", "email": CONTACT["email"], "custom_fields": {"company": name}} for name in "ab"]
    told = await account.must("POST", "/contacts/bulk", {"contacts": rows, "upsert": True})
    contact = told["results"][1]["contact"]
    assert (contact["is_active"], contact["first_name"], contact["tags"]) == (False, "Jane", CONTACT["tags"])
    assert contact["custom_fields"] == {**CONTACT["custom_fields"], "company": "b"}


async def test_tags(account: Account) -> None:
    """Added and removed; the request that removes has a body, too."""
    made = await account.must("POST", "/contacts", {"email": "a@example.com", "tags": ["trial"]})
    path = f"/contacts/{made['id']}/tags"
    tags = (await account.must("POST", path, {"tags": ["premium", "early"]}))["tags"]
    assert sorted(tags) == ["early", "premium", "trial"]
    assert sorted((await account.must("DELETE", path, {"tags": ["trial", "none"]}))["tags"]) == ["early", "premium"]


async def test_unsubscribe(account: Account) -> None:
    """Nothing is wanted any more, until they subscribe again."""
    made = await account.must("POST", "/contacts", {"email": "a@example.com"})
    gone = await account.must("POST", f"/contacts/{made['id']}/unsubscribe")
    assert (gone["is_unsubscribed"], gone["is_active"]) == (True, True)
    assert not (await account.must("POST", f"/contacts/{made['id']}/resubscribe"))["is_unsubscribed"]


async def test_preferences(account: Account) -> None:
    """By channel and category, one or several at a time."""
    made = await account.must("POST", "/contacts", {"email": "a@example.com"})
    path = f"/contacts/{made['id']}/preferences"
    told = await account.must("GET", path)
    assert (told["totalPreferences"], told["subscribedCount"], told["unsubscribedCount"]) == (21, 21, 0)
    changes = [
        {"channel": "email", "category": "promotional", "subscribed": False},
        {"channel": "sms", "category": "marketing", "subscribed": False},
    ]
    changed = await account.must("PATCH", path, {"preferences": changes})
    assert not changed["preferences"]["email"]["promotional"]
    assert changed["preferences"]["email"]["marketing"]
    changed = await account.must("PATCH", f"{path}/email/promotional", {"subscribed": True})
    assert all(changed["preferences"]["email"].values())
    changed = await account.must("DELETE", f"{path}/email")
    assert not any(changed["preferences"]["email"].values())
    await account.must("DELETE", path)
    assert (await account.must("GET", path))["subscriptionRate"] == 0
    await account.must("POST", f"{path}/subscribe-all")
    assert (await account.must("GET", path))["subscribedCount"] == 21
    assert (await account.call("PATCH", f"{path}/email/news", {"subscribed": True})).status == 400


async def test_preferences_that_are_changed_at_the_same_time(account: Account) -> None:
    """None is lost."""
    made = await account.must("POST", "/contacts", {"email": "a@example.com"})
    path = f"/contacts/{made['id']}/preferences"
    changes = [
        account.must("PATCH", f"{path}/{channel}/{category}", {"subscribed": False})
        for channel in ("email", "sms")
        for category in ("promotional", "utility", "marketing", "service", "system")
    ]
    await asyncio.gather(*changes)
    assert (await account.must("GET", path))["unsubscribedCount"] == len(changes)


async def test_a_category_that_is_not_wanted_is_filtered(account: Account) -> None:
    """What a workflow names as its category is compared with it."""
    await account.template()
    await account.workflow("Promotion", "sale", category="promotional")
    wanted = {"email": {"promotional": False}}
    await account.must("POST", "/contacts", {"external_id": "u", "email": "a@example.com", "preferences": wanted})
    trigger_id = await account.send("sale", user_info={"contact_external_id": "u"})
    assert (await account.over(trigger_id))["summary"] == {"total_contacts": 1, "sent": 0, "failed": 0, "filtered": 1}


@pytest.mark.parametrize(
    "body",
    [
        {"fcm_token": "firebase-token-1234567890"},
        {"token": "firebase-token-1234567890", "platform": "ios", "app_version": "1", "device_model": "x"},
        {"apns_token": "apple-token-1234567890"},
    ],
)
async def test_device_token(account: Account, body: dict[str, Any]) -> None:
    """As the server client and the mobile client write it; it is shown without its middle."""
    await account.must("PUT", "/contacts/external/u1", {"email": "a@example.com"})
    told = await account.must("PATCH", "/contacts/external/u1/device-token", body)
    kind = "apns_token" if "apns_token" in body else "fcm_token"
    assert told[kind]
    assert told[kind] not in body.values()


async def test_list_in_all_three_shapes(account: Account) -> None:
    """By page number and by cursor, with filters."""
    for number in range(5):
        tags = ["vip", "customer"] if number % 2 else ["customer"]
        body = {
            "external_id": f"u{number}",
            "email": f"u{number}@example.com",
            "first_name": f"Name{number}",
            "tags": tags,
        }
        await account.must("POST", "/contacts", body)
    told = await account.must("GET", "/contacts?page=2&limit=2")
    assert (told["total"], told["totalPages"], told["has_more"]) == (5, 3, True)
    assert told["pagination"] == {"page": 2, "limit": 2, "total": 5, "totalPages": 3}
    assert told["data"] == told["contacts"]
    pages: list[list[str]] = []
    cursor = ""
    while not pages or cursor:
        told = await account.must("GET", f"/contacts?limit=2{f'&starting_after={cursor}' if cursor else ''}")
        pages.append([one["external_id"] for one in told["data"]])
        cursor = told["next_cursor"] or ""
        assert told["has_more"] is bool(cursor)
    assert sorted(one for page in pages for one in page) == ["u0", "u1", "u2", "u3", "u4"]
    assert [len(page) for page in pages] == [2, 2, 1]
    for query, wanted in (
        ("tag=vip", ["u1", "u3"]),
        ("tags=customer,vip", ["u1", "u3"]),
        (f"{quote('tags[]')}=vip", ["u1", "u3"]),
        ("search=name4", ["u4"]),
        ("email=u2%40", ["u2"]),
        ("is_active=true", ["u0", "u1", "u2", "u3", "u4"]),
        ("is_unsubscribed=true", []),
        ("created_before=2020-01-01", []),
        ("sort_by=email&sort_order=DESC&limit=2", ["u4", "u3"]),
    ):
        told = await account.must("GET", f"/contacts?{query}")
        found = [one["external_id"] for one in told["contacts"]]
        assert (found if "sort" in query else sorted(found)) == wanted, query
    assert (await account.call("GET", "/contacts?starting_after=contact_def456ghi789")).status == 400


async def test_another_account_sees_nothing(account: Account, another: Account) -> None:
    """Not by id, nor in its list."""
    made = await account.must("POST", "/contacts", CONTACT)
    assert (await another.call("GET", f"/contacts/{made['id']}")).status == 404
    assert (await another.must("GET", "/contacts"))["contacts"] == []
