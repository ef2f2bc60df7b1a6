"""Stored recipients and groups by the admin API, and their part of a recipient's erasure and export."""

import urllib.parse
from typing import Any

import aiohttp
import pytest

from runtime.ids import new_id
from stack.client import Running
from tests.integration.gateway.conftest import CreateTenant, Tenant
from tests.waiting import eventually

ADA = {
    "email": "Ada@example.com",
    "phone": "+44 (0)7911 123456",
    "name": "Ada Lovelace-Zk4w",
    "locale": "sw_ke",
    "timezone": "Africa/Nairobi",
    "data": {"plan": "gold", "size": 2**64},
    "tags": ["vip"],
    "muted_channels": ["SMS"],
}
STORED = {**ADA, "phone": "+447911123456", "locale": "sw-KE"}
# Must be encoded in a path.
STRANGE = "org/42?ü%#é"


class Api:
    """An operator's calls about one tenant."""

    def __init__(self, http: aiohttp.ClientSession, headers: dict[str, str], tenant: Tenant) -> None:
        self._http = http
        self._headers = headers
        self.tenant = tenant

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Return the answer's status and JSON; None where there is no body."""
        url = f"/api/v1/admin/tenants/{self.tenant.id}{path}"
        sent = {} if body is None else {"json": body}
        async with self._http.request(method, url, headers=self._headers, **sent) as answer:
            return answer.status, await answer.json(content_type=None) if answer.status != 204 else None

    async def must(self, method: str, path: str, body: Any = None) -> Any:
        """Return the JSON of a call that succeeds."""
        status, answer = await self.call(method, path, body)
        assert status in (200, 204), answer
        return answer

    async def ids(self, path: str) -> list[str]:
        """Return the ids of a list of recipients."""
        return [one["recipient_id"] for one in (await self.must("GET", path))["data"]]


@pytest.fixture
async def api(http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant) -> Api:
    """A new tenant."""
    return Api(http, admin, await create_tenant())


def _logs(running: Running) -> list[str]:
    """Return what each process of the stack wrote."""
    return [path.read_text(errors="replace") for path in running.data.rglob("*.log")]


def _path(recipient_id: str) -> str:
    return "/recipients/" + urllib.parse.quote(recipient_id, safe="")


async def test_a_recipient_is_stored_shown_listed_and_deleted(api: Api) -> None:
    """By an id that must be encoded, too; one is replaced whole."""
    for name in ("u1", STRANGE):
        stored = await api.must("PUT", _path(name), ADA)
        assert stored == {
            **STORED,
            "recipient_id": name,
            "id": stored["id"],
            "active": True,
            "category_preferences": [],
            "device_tokens": [],
            "created_at": stored["created_at"],
            "updated_at": stored["updated_at"],
        }
        assert await api.must("GET", _path(name)) == {**stored, "groups": []}
    assert await api.ids("/recipients") == ["u1", STRANGE]
    page = await api.must("GET", "/recipients?limit=1")
    assert [one["recipient_id"] for one in page["data"]] == ["u1"]
    assert await api.ids(f"/recipients?cursor={page['next_cursor']}") == [STRANGE]
    replaced = await api.must("PUT", _path("u1"), {"name": "Ada L."})
    assert (replaced["name"], replaced["email"], replaced["data"], replaced["tags"]) == ("Ada L.", "", {}, [])
    assert await api.ids("/recipients?tag=vip") == [STRANGE]
    assert await api.ids("/recipients?address=ada@example.com") == [STRANGE]
    assert await api.ids("/recipients?address=%2B447911123456&tag=vip") == [STRANGE]
    await api.must("DELETE", _path(STRANGE))
    assert await api.ids("/recipients") == ["u1"]
    for method in ("GET", "DELETE"):
        assert (await api.call(method, _path(STRANGE)))[0] == 404


async def test_several_recipients_are_stored_at_once(api: Api) -> None:
    """In the order of the request; one that is invalid refuses them all."""
    people = [{"recipient_id": name, "tags": ["t"]} for name in ("b", "a", STRANGE)]
    answer = await api.must("PUT", "/recipients", {"recipients": people})
    assert [one["recipient_id"] for one in answer["recipients"]] == ["b", "a", STRANGE]
    wrong = [{"recipient_id": "c"}, {"recipient_id": "", "email": "ada", "timezone": "Mars"}]
    status, problem = await api.call("PUT", "/recipients", {"recipients": wrong})
    assert (status, [fault["field"] for fault in problem["errors"]]) == (
        422,
        ["recipients[1].recipient_id", "recipients[1].timezone", "recipients[1].email"],
    )
    channels = [{"recipient_id": "c"}, {"recipient_id": "d", "muted_channels": ["PUSH", "FAX"]}]
    status, problem = await api.call("PUT", "/recipients", {"recipients": channels})
    assert [fault["field"] for fault in problem["errors"]] == ["recipients[1].muted_channels[1]"]
    webhook = [{"recipient_id": "c", "muted_channels": ["WEBHOOK"]}]  # it reaches no people
    status, problem = await api.call("PUT", "/recipients", {"recipients": webhook})
    assert [fault["field"] for fault in problem["errors"]] == ["recipients[0].muted_channels[0]"]
    assert (await api.call("PUT", "/recipients", {"recipients": []}))[0] == 422
    assert await api.ids("/recipients?tag=t") == ["b", "a", STRANGE]


async def test_a_wrong_field_of_one_recipient_is_named_as_in_its_body(api: Api) -> None:
    """In the list of errors and in the sentence."""
    status, problem = await api.call("PUT", _path("u1"), {"locale": "no language", "phone": "0712"})
    assert (status, [fault["field"] for fault in problem["errors"]]) == (422, ["locale", "phone"])
    assert "recipients[" not in problem["detail"]
    assert (await api.call("PUT", _path("u1"), {"nick": "a"}))[0] == 422
    assert (await api.call("PUT", _path("u" * 256), {}))[1]["errors"][0]["field"] == "recipient_id"
    for query in ("?tags=vip", "?cursor=x", "?address=x", "?limit=101", "?tag="):
        assert (await api.call("GET", f"/recipients{query}"))[0] == 422, query


async def test_groups_have_members(api: Api) -> None:
    """Added, removed, listed and counted; one that is not stored changes nothing."""
    people = [{"recipient_id": name} for name in ("a", "b", "c")]
    await api.must("PUT", "/recipients", {"recipients": people})
    key = "/groups/" + urllib.parse.quote("team/ü", safe="")
    made = await api.must("PUT", key, {})
    assert made == {"key": "team/ü", "name": "", "members": 0, "created_at": made["created_at"]}
    assert await api.must("POST", f"{key}/members", {"add": ["c", "a", "b"]}) == {"added": 3, "removed": 0}
    assert await api.must("POST", f"{key}/members", {"add": ["a"], "remove": ["b"]}) == {"added": 0, "removed": 1}
    status, problem = await api.call("POST", f"{key}/members", {"add": ["b", "x"]})
    assert (status, problem["errors"][0]["field"]) == (422, "add[1]")
    assert (await api.call("POST", f"{key}/members", {}))[0] == 422
    assert await api.ids(f"{key}/members") == ["a", "c"]
    page = await api.must("GET", f"{key}/members?limit=1")
    assert await api.ids(f"{key}/members?cursor={page['next_cursor']}") == ["c"]
    assert await api.must("PUT", key, {"name": "Team"}) == {**made, "name": "Team", "members": 2}
    await api.must("PUT", "/groups/other", {})
    assert [one["key"] for one in (await api.must("GET", "/groups"))["data"]] == ["team/ü", "other"]
    assert (await api.must("GET", _path("a")))["groups"] == ["team/ü"]
    await api.must("DELETE", key)
    for method, path in (("GET", key), ("DELETE", key), ("GET", f"{key}/members")):
        assert (await api.call(method, path))[0] == 404
    assert await api.ids("/recipients") == ["a", "b", "c"]


async def test_tenants_have_recipients_of_their_own(
    api: Api, http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant
) -> None:
    """Another tenant's are not found, and there are none of a tenant that does not exist."""
    other = Api(http, admin, await create_tenant())
    await other.must("PUT", _path("u1"), ADA)
    await other.must("PUT", "/groups/g", {})
    for method, path, body in (
        ("GET", _path("u1"), None),
        ("DELETE", _path("u1"), None),
        ("GET", "/groups/g", None),
        ("GET", "/groups/g/members", None),
        ("POST", "/groups/g/members", {"add": ["u1"]}),
    ):
        assert (await api.call(method, path, body))[0] == 404
    assert await api.ids("/recipients?address=ada@example.com") == await api.ids("/recipients?tag=vip") == []
    nobody = Api(http, admin, Tenant(new_id(), "", ""))
    calls: tuple[tuple[str, str, Any], ...] = (
        ("PUT", _path("u1"), {}),
        ("PUT", "/recipients", {"recipients": [{"recipient_id": "a"}]}),
        ("PUT", "/groups/g", {}),
        ("GET", "/recipients", None),
    )
    for method, path, body in calls:
        assert (await nobody.call(method, path, body))[0] == 404


@pytest.mark.parametrize("name", ["a{b}", "{recipient_id}", "%7Bx%7D"])
async def test_an_id_may_have_braces(api: Api, name: str) -> None:
    """Of a recipient, and the key of a group."""
    for path in (_path(name), "/groups/" + urllib.parse.quote(name, safe="")):
        await api.must("PUT", path, {})
        found = await api.must("GET", path)
        assert found.get("recipient_id", found.get("key")) == name
    assert (await api.must("POST", "/recipients/export", {"user_id": name}))["recipient"]["recipient_id"] == name
    for path in (_path(name), "/groups/" + urllib.parse.quote(name, safe="")):
        await api.must("DELETE", path)
        assert (await api.call("GET", path))[0] == 404
    assert (await api.call("POST", _path(name)))[0] == 405


async def test_a_recipients_data_is_exported_and_erased_with_them(api: Api) -> None:
    """The stored recipient is on the first page of an export; erased, nothing of them is stored."""
    await api.must("PUT", _path(STRANGE), ADA)
    await api.must("PUT", _path("b"), {})
    await api.must("PUT", "/groups/g", {})
    await api.must("POST", "/groups/g/members", {"add": [STRANGE, "b"]})
    event = {"event_type": "report.due", "audience": [{"recipient_id": STRANGE}, {"group": "g"}]}
    status, schedule = await api.call("POST", "/schedules", {"name": "Daily", "cron": "0 9 * * *", "event": event})
    assert status == 201, schedule
    exported = await api.must("POST", "/recipients/export", {"user_id": STRANGE})
    assert [one["id"] for one in exported["schedules"]] == [schedule["id"]]
    assert [one["recipient_id"] for one in exported["schedules"][0]["event"]["audience"]] == [STRANGE]
    assert (exported["cooldowns"], exported["workflow_runs"]) == ([], [])
    assert exported["recipient"] == await api.must("GET", _path(STRANGE))
    assert (exported["recipient"]["groups"], exported["recipient"]["data"]) == (["g"], ADA["data"])
    status, refused = await api.call("POST", "/recipients/erase", {"user_id": STRANGE, "addresses": ["ada"]})
    assert (status, [one["field"] for one in refused["errors"]]) == (422, ["addresses[0]"])
    erased = await api.must("POST", "/recipients/erase", {"user_id": STRANGE, "addresses": ["old@example.com"]})
    assert erased["erased"]["schedules"] == 1
    assert (erased["complete"], erased["erased"]["recipients"], erased["erased"]["memberships"]) == (True, 1, 1)
    assert (await api.call("GET", _path(STRANGE)))[0] == 404
    assert await api.ids("/groups/g/members") == ["b"]
    assert (await api.must("POST", "/recipients/export", {"user_id": STRANGE}))["recipient"] is None
    erased = await api.must("POST", "/recipients/erase", {"user_id": STRANGE})
    assert (erased["erased"]["recipients"], erased["erased"]["memberships"]) == (0, 0)


async def test_nobody_is_named_in_the_audit_log_or_a_log(
    api: Api, http: aiohttp.ClientSession, admin: dict[str, str], local_stack: Running
) -> None:
    """Each change has its entry, with the names of its fields."""
    person = f"Zw7q/{new_id()}"
    await api.must("PUT", _path(person), {**ADA, "name": person, "email": f"{new_id()}@qx3v.example"})
    await api.must("PUT", "/groups/g", {})
    await api.must("POST", "/groups/g/members", {"add": [person]})
    await api.call("PUT", _path(person), {"email": f"{person} qx3v.example"})
    await api.must("DELETE", _path(person))
    async with http.get(f"/api/v1/admin/audit?tenant_id={api.tenant.id}", headers=admin) as answer:
        entries = (await answer.json())["data"][::-1]
    routes = [
        (one["method"], one["route"].removeprefix("/api/v1/admin/tenants/{id}"), one["status"]) for one in entries
    ]
    assert routes[-5:] == [
        ("PUT", "/recipients/{recipient_id}", 200),
        ("PUT", "/groups/{group_key}", 200),
        ("POST", "/groups/{group_key}/members", 200),
        ("PUT", "/recipients/{recipient_id}", 422),
        ("DELETE", "/recipients/{recipient_id}", 204),
    ]
    assert {one["resource"] for one in entries[-5:]} == {
        f"{api.tenant.id}/(a person)",
        f"{api.tenant.id}/g",
    }
    assert entries[-5]["fields"] == [*ADA]
    logs = _logs(local_stack)
    assert any(api.tenant.id in log for log in logs)
    for word in (person, person.partition("/")[2], "qx3v.example", ADA["name"]):
        assert not any(str(word) in log or str(word) in str(entries) for log in logs), word


async def test_a_recipient_is_changed_field_by_field(api: Api) -> None:
    """What is absent stays; a wrong field and an id that is taken are named as in the body."""
    await api.must("PUT", _path("u1"), ADA)
    await api.must("PUT", _path("u2"), {})
    news = {"channel": "EMAIL", "category": "news", "wanted": False}
    changed = await api.must(
        "PATCH",
        _path("u1"),
        {
            "name": "Ada L.",
            "data_fields": {"plan": None, "seats": 3},
            "category_preferences": [news],
            "device_tokens": [{"kind": "fcm", "token": "abcdef-secret-secret-wxyz"}],
        },
    )
    assert (changed["name"], changed["email"], changed["tags"]) == ("Ada L.", "Ada@example.com", ["vip"])
    assert (changed["data"], changed["category_preferences"]) == ({"size": 2**64, "seats": 3}, [news])
    shown = [{"kind": "fcm", "token": "abcdef…wxyz"}]
    assert changed["device_tokens"] == shown
    assert await api.must("PATCH", _path("u1"), {}) == changed
    assert await api.must("PATCH", _path("u1"), {"device_tokens": shown}) == changed
    renamed = await api.must("PATCH", _path("u1"), {"recipient_id": STRANGE})
    assert (renamed["id"], renamed["recipient_id"]) == (changed["id"], STRANGE)
    for body, status, field in (
        ({"recipient_id": "u2"}, 409, "recipient_id"),
        ({"email": "nonsense"}, 422, "email"),
        ({"data": {}, "data_fields": {}}, 422, "data_fields"),
        ({"muted_channels": ["FAX"]}, 422, "muted_channels[0]"),
        ({"device_tokens": [*shown, {"kind": "apns", "token": "abcdef…wxyz"}]}, 422, "device_tokens[1].token"),
    ):
        answered, problem = await api.call("PATCH", _path(STRANGE), body)
        assert (answered, [one["field"] for one in problem["errors"]]) == (status, [field])
    assert (await api.call("PATCH", _path("u1"), {}))[0] == 404


async def test_recipients_are_tagged_searched_and_counted(api: Api) -> None:
    """By numbered pages, too."""
    for name in ("u1", "u2", "u3"):
        await api.must("PUT", _path(name), {"name": f"Ada {name}"})
    tagged = await api.must("POST", _path("u2") + "/tags", {"add": ["vip", "beta"]})
    assert tagged["tags"] == ["vip", "beta"]
    await api.must("POST", _path("u3") + "/tags", {"add": ["vip"]})
    assert (await api.must("GET", "/tags"))["tags"] == [
        {"tag": "vip", "recipients": 2},
        {"tag": "beta", "recipients": 1},
    ]
    assert [one["tag"] for one in (await api.must("GET", "/tags?prefix=b&limit=1"))["tags"]] == ["beta"]
    page = await api.must("GET", "/recipients?search=ADA&offset=1&limit=1&count=true")
    assert ([one["recipient_id"] for one in page["data"]], page["total"]) == (["u2"], 3)
    assert await api.ids("/recipients?search=u3&tag=vip") == ["u3"]
    assert (await api.call("GET", "/recipients?offset=10001"))[0] == 422


async def test_segments_are_kept_and_counted(api: Api) -> None:
    """A filter that is wrong is told where; who is in one is counted before it is stored."""
    for name, plan in (("u1", "gold"), ("u2", "free"), ("u3", "gold")):
        await api.must("PUT", _path(name), {"data": {"plan": plan}})
    gold = {"all": [{"field": "data.plan", "op": "is", "value": "GOLD"}]}
    count = await api.must("POST", "/segment-count", {"filter": gold})
    assert (count["count"], count["more"]) == (2, False)
    assert [one["recipient_id"] for one in count["first"]] == ["u1", "u3"]
    status, segment = await api.call("POST", "/segments", {"key": "gold", "name": "Gold", "filter": gold})
    assert (status, segment["filter"]) == (201, gold)
    path = f"/segments/{segment['id']}"
    assert await api.ids(f"{path}/members") == ["u1", "u3"]
    assert await api.ids(f"/recipients?segment_id={segment['id']}&search=u3") == ["u3"]
    changed = await api.must("PATCH", path, {"name": "Golden"})
    assert (changed["name"], changed["filter"]) == ("Golden", gold)
    assert (await api.must("GET", path)) == changed
    assert (await api.must("GET", "/segments"))["data"] == [changed]
    wrong = {"all": [{"field": "data.plan", "op": "is", "value": None}, {"field": "secret", "op": "is", "value": "x"}]}
    status, problem = await api.call("POST", "/segment-count", {"filter": wrong})
    assert (status, [one["field"] for one in problem["errors"]]) == (
        422,
        ["filter.all[0].value", "filter.all[1].field"],
    )
    assert (await api.call("POST", "/segments", {"key": "gold", "name": "x", "filter": gold}))[0] == 409
    await api.must("DELETE", path)
    assert (await api.call("GET", path))[0] == 404


async def test_an_export_is_imported_again(api: Api, http: aiohttp.ClientSession, admin: dict[str, str]) -> None:
    """Whatever the cells hold: formulas, separators, line ends; rows that are wrong are told."""
    people = {
        "u1": {**STORED, "name": '=HYPERLINK("x")', "tags": ["a,b", "c;d"]},
        "u2": {"email": "bob@example.com", "name": 'Bob, "the\n builder"', "phone": "+254712345678"},
        "u3": {"name": "'quoted", "data": {"n": [1.5, {"a": None}]}},
        "-4": {"email": "d@example.com"},
    }
    for name, fields in people.items():
        await api.must("PUT", _path(name), fields)
    base = f"/api/v1/admin/tenants/{api.tenant.id}"
    async with http.post(f"{base}/recipient-export", json={}, headers=admin) as answer:
        file = await answer.read()
        assert (answer.status, answer.content_type) == (200, "text/csv")
    assert b"'=HYPERLINK" in file
    assert b"+254712345678" in file
    stored = {name: await api.must("GET", _path(name)) for name in people}
    for name in people:
        await api.must("DELETE", _path(name))

    status, created = await api.call("POST", "/imports", {"file_name": "people.csv"})
    assert (status, created["state"]) == (201, "uploading")
    path = f"/imports/{created['id']}"
    file += b"u5,nonsense,,,,,,\r\n"
    async with http.put(base + path + "/file", data=file, headers={**admin, "Content-Type": "text/csv"}) as answer:
        assert answer.status == 202, await answer.text()

    async def done() -> Any:
        found = await api.must("GET", path)
        return found if found["state"] != "running" else None

    ended = await eventually(done)
    assert (ended["state"], ended["created"], ended["faults"], ended["size"]) == ("done", 4, 1, len(file))
    faults = (await api.must("GET", f"{path}/faults"))["data"]
    assert [(one["line"], one["column"]) for one in faults] == [(7, "email")]
    for name, before in stored.items():
        after = await api.must("GET", _path(name))
        changing = ("id", "created_at", "updated_at", "muted_channels")
        assert {k: v for k, v in after.items() if k not in changing} == {
            k: v for k, v in before.items() if k not in changing
        }
    assert [one["id"] for one in (await api.must("GET", "/imports"))["data"]] == [created["id"]]
    assert (await api.call("POST", f"{path}/cancel"))[0] == 409


async def test_a_file_that_cannot_be_imported(api: Api, http: aiohttp.ClientSession, admin: dict[str, str]) -> None:
    """Is refused with what is wrong, and the import is gone; another type of content is not taken."""
    created = (await api.call("POST", "/imports", {}))[1]
    url = f"/api/v1/admin/tenants/{api.tenant.id}/imports/{created['id']}/file"
    async with http.put(url, data=b"{}", headers={**admin, "Content-Type": "application/json"}) as answer:
        assert answer.status == 415
    async with http.put(url, data=b"name\nAda\n", headers={**admin, "Content-Type": "text/csv"}) as answer:
        problem = await answer.json()
        assert (answer.status, problem["errors"][0]["field"]) == (422, "columns")
    assert (await api.call("GET", f"/imports/{created['id']}"))[0] == 404
