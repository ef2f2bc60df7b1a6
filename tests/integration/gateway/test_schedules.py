"""Schedules by the admin API, on a whole stack."""

from datetime import datetime
from typing import Any

import aiohttp
import pytest

from tests.integration.gateway.conftest import CreateTenant
from tests.integration.gateway.test_recipients import Api

EVENT: dict[str, Any] = {
    "event_type": "report.due",
    "audience": [
        {"recipient": {"user_id": "ada", "email": "ada@example.com", "name": "Ada", "data": {"plan": "gold"}}},
        {"contact": {"email": "bob@example.com"}},
        {"recipient_id": "eve"},
        {"group": "managers"},
        {"tags": ["vip", "beta"]},
        {"everybody": True},
    ],
    "exclusions": [{"recipient_id": "mallory"}],
    "metadata": {"team": "sales"},
    "variables": {"b": 1, "a": [2]},
    "payload": {"id": 7},
    "channels": ["EMAIL"],
    "scope": "production",
}
NEW = {"name": "Weekly report", "cron": "30  9 * * MON", "timezone": "Africa/Nairobi", "event": EVENT}


@pytest.fixture
async def api(http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant) -> Api:
    """A new tenant."""
    return Api(http, admin, await create_tenant())


async def _create(api: Api, **fields: Any) -> dict[str, Any]:
    status, made = await api.call("POST", "/schedules", {**NEW, **fields})
    assert status == 201, made
    found: dict[str, Any] = made
    return found


async def test_a_schedule_is_stored_as_it_was_sent(api: Api) -> None:
    """Its event has all of its fields; its times are Mondays at half past nine in Nairobi; the list has it, too."""
    status, segment = await api.call("POST", "/segments", {"key": "all", "name": "All", "filter": {"all": []}})
    assert status == 201, segment
    audience = [*EVENT["audience"], {"segment_id": segment["id"]}]
    made = await _create(api, event={**EVENT, "audience": audience})
    times = made.pop("next_times")
    assert [datetime.fromisoformat(one).strftime("%a %H:%M:%S.%f%z") for one in times] == [
        "Mon 06:30:00.000000+0000"
    ] * 5
    assert (made["cron"], made["in_words"], made["next_at"]) == ("30 9 * * MON", "At 09:30 on Monday", times[0])
    shown = made["event"]
    for name in ("event_type", "exclusions", "metadata", "variables", "payload", "channels", "scope"):
        assert shown[name] == EVENT[name]
    assert shown["audience"][0]["recipient"].items() >= EVENT["audience"][0]["recipient"].items()
    assert shown["audience"][1]["contact"]["email"] == "bob@example.com"
    assert shown["audience"][2:] == audience[2:]
    status, refused = await api.call("DELETE", f"/segments/{segment['id']}")
    assert (status, "Weekly report" in refused["detail"]) == (409, True)
    assert (await api.must("GET", "/schedules"))["data"] == [made]
    assert (await api.must("GET", "/schedules?scope=production"))["data"] == [made]
    assert (await api.must("GET", "/schedules?scope=other"))["data"] == []
    # What is shown can be sent back.
    again = await api.must("PATCH", f"/schedules/{made['id']}", {"event": shown})
    assert again["event"] == shown


async def test_a_schedule_is_changed_and_deleted(api: Api) -> None:
    """A pause has no next time; another zone has another one; what is deleted is gone."""
    made = await _create(api)
    path = f"/schedules/{made['id']}"
    paused = await api.must("PATCH", path, {"active": False, "name": "Report"})
    assert (paused["active"], paused["name"], paused["next_at"], paused["next_times"]) == (False, "Report", None, [])
    moved = await api.must("PATCH", path, {"active": True, "timezone": "", "cron": "0 12 * * *"})
    assert moved["next_at"].endswith("T12:00:00.000000Z")
    assert await api.must("GET", path) == moved
    await api.must("DELETE", path)
    assert (await api.call("GET", path))[0] == 404
    assert (await api.call("DELETE", path))[0] == 404


async def test_wrong_fields_are_named_as_in_the_body(api: Api) -> None:
    """Those that the form finds, and those that the router does."""
    for body, field in (
        ({"cron": "61 9 * * *"}, "cron"),
        ({"cron": "0 0 30 2 *"}, "cron"),
        ({"timezone": "Nairobi"}, "timezone"),
        ({"name": ""}, "name"),
        ({"event": {**EVENT, "audience": []}}, "event.audience"),
        ({"event": {**EVENT, "audience": [{"recipient_id": "a", "group": "b"}]}}, "event.audience[0]"),
        ({"event": {**EVENT, "metadata": {"schedule": "mine"}}}, "event.metadata"),
        ({"event": {**EVENT, "due_at": "2027-01-01"}}, "event.due_at"),
    ):
        status, problem = await api.call("POST", "/schedules", {**NEW, **body})
        assert (status, [one["field"] for one in problem["errors"]]) == (422, [field]), problem
    assert (await api.must("GET", "/schedules"))["data"] == []


async def test_times_before_anything_is_stored(api: Api) -> None:
    """What an expression means, with its next times; one that is wrong is refused."""
    found = await api.must("GET", "/schedule-times?cron=0+9+1+*+*&timezone=Europe/Berlin")
    assert found["in_words"] == "At 09:00 on the first day of every month"
    assert [one[8:10] for one in found["next_times"]] == ["01"] * 5
    status, problem = await api.call("GET", "/schedule-times?cron=x")
    assert (status, problem["errors"][0]["field"]) == (422, "cron")


async def test_another_tenants_schedule_is_not_found(api: Api, create_tenant: CreateTenant) -> None:
    """However it is asked for."""
    made = await _create(api)
    api.tenant = await create_tenant("Other")
    path = f"/schedules/{made['id']}"
    for method, body in (("GET", None), ("PATCH", {"active": False}), ("DELETE", None)):
        assert (await api.call(method, path, body))[0] == 404
    assert (await api.must("GET", "/schedules"))["data"] == []


async def test_an_erased_person_is_in_no_schedule(api: Api) -> None:
    """The answer counts the schedules; one that was for them alone is stopped, and says why."""
    for_many = await _create(api)
    alone = await _create(api, event={**EVENT, "audience": EVENT["audience"][:1]})
    erased = await api.must("POST", "/recipients/erase", {"user_id": "ada"})
    assert erased["erased"]["schedules"] == 2
    left = (await api.must("GET", f"/schedules/{for_many['id']}"))["event"]["audience"]
    assert left == for_many["event"]["audience"][1:]
    stopped = await api.must("GET", f"/schedules/{alone['id']}")
    assert (stopped["active"], stopped["last_error"], stopped["event"]["audience"]) == (False, "recipient_erased", [])
