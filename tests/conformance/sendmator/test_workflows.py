"""Workflows: listed, made, changed and deleted, and what they did."""

import asyncio
import dataclasses
from typing import Any

import pytest

from tests.conformance.sendmator.conftest import Account, assert_refused

# As the published page on listing workflows has it.
STEPS = [
    {
        "id": "step-1",
        "step_order": 1,
        "channel_type": "email",
        "step_name": "Welcome Email",
        "is_active": True,
        "configuration": {"template_id": "welcome-template", "delay_minutes": 0},
    },
    {
        "id": "step-2",
        "step_order": 2,
        "channel_type": "sms",
        "step_name": "Day 1 SMS",
        "is_active": True,
        "configuration": {"template_id": "day1-sms", "delay_minutes": 1440},
    },
]
WORKFLOW: dict[str, Any] = {
    "name": "Welcome Series",
    "description": "Onboarding emails for new users",
    "event_type": "new_user",
    "is_active": True,
    "steps": STEPS,
}

_TOO_MANY = (
    "An event type has at most 20 active workflows in a team, those for all teams included."
    " Deactivate one of them first, or add the steps to one of them."
)


async def test_create_and_list(account: Account) -> None:
    """The published object comes back as it was written."""
    made = await account.must("POST", "/workflows", WORKFLOW, status=201)
    assert {name: made[name] for name in WORKFLOW} == WORKFLOW
    listed = await account.must("GET", "/workflows")
    assert {name: listed[name] for name in ("total", "page", "totalPages", "limit")} == {
        "total": 1,
        "page": 1,
        "totalPages": 1,
        "limit": 20,
    }
    [shown] = listed["workflows"]
    assert {name: shown[name] for name in WORKFLOW} == WORKFLOW
    assert listed["data"] == listed["workflows"]


async def test_filters_of_the_list(account: Account) -> None:
    """By event, activity, and a part of the name; page by page."""
    for number in range(3):
        await account.workflow(f"Series {number}", f"event_{number}", is_active=number != 1)
    for query, wanted in (
        ("event_type=event_2", ["Series 2"]),
        ("is_active=false", ["Series 1"]),
        ("search=series%200", ["Series 0"]),
        ("page=2&limit=2", ["Series 0"]),
    ):
        told = await account.must("GET", f"/workflows?{query}")
        assert [one["name"] for one in told["workflows"]] == wanted, query
    assert (await account.must("GET", "/workflows?page=2&limit=2"))["total"] == 3


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_change(account: Account, method: str) -> None:
    """Fields that are absent stay; another content is a new version, and an older one is no base for it."""
    made = await account.must("POST", "/workflows", WORKFLOW)
    path = f"/workflows/{made['id']}"
    changed = await account.must(method, path, {"name": "Renamed", "is_active": False})
    assert (changed["name"], changed["is_active"], changed["version"]) == ("Renamed", False, 1)
    changed = await account.must(method, path, {"filters": {"tags": ["new_users"], "cooldown_seconds": 60}})
    assert (changed["version"], changed["steps"]) == (2, STEPS)
    assert changed["filters"] == {"tags": ["new_users"], "segment_id": None, "cooldown_seconds": 60}
    stale = await account.call(method, path, {"steps": STEPS[:1], "version": 1})
    assert_refused(stale, 409, "Conflict")


async def test_delete(account: Account) -> None:
    """It starts nothing any more, and its type is not known any more either."""
    workflow_id = await account.workflow("Welcome", "user_signup")
    await account.send("user_signup")
    await account.must("DELETE", f"/workflows/{workflow_id}")
    assert_refused(await account.call("GET", f"/workflows/{workflow_id}"), 404, "Not Found", "Workflow not found")
    answer = await account.call("POST", "/events/send", {"event_name": "user_signup"})
    assert_refused(answer, 404, "Not Found", "Event type not found")


async def test_what_is_wrong_names_the_step(account: Account) -> None:
    """In this API's form, and in a whole document."""
    steps = [{"channel_type": "email", "configuration": {}}]
    answer = await account.call("POST", "/workflows", {**WORKFLOW, "steps": steps})
    assert_refused(answer, 400, "Bad Request", "configuration.template_id of step step-1 is required")
    document = {"steps": [{"id": "a", "kind": "send", "channel": "EMAIL", "template": {}}]}
    body = {name: value for name, value in WORKFLOW.items() if name != "steps"}
    answer = await account.call("POST", "/workflows", {**body, "document": document})
    assert_refused(answer, 400, "Bad Request")
    assert "steps[0].template.key" in answer.body["message"]


async def test_a_name_that_is_taken(account: Account) -> None:
    """409: names are unique within a team."""
    await account.must("POST", "/workflows", WORKFLOW)
    assert_refused(await account.call("POST", "/workflows", WORKFLOW), 409, "Conflict")


async def test_too_many_for_one_event(account: Account) -> None:
    """409 says what to do about it."""
    for number in range(20):
        await account.must("POST", "/workflows", {**WORKFLOW, "name": f"Series {number}"}, status=201)
    answer = await account.call("POST", "/workflows", {**WORKFLOW, "name": "One more"})
    assert_refused(answer, 409, "Conflict", _TOO_MANY)
    made = await account.must("POST", "/workflows", {**WORKFLOW, "name": "One more", "is_active": False}, status=201)
    answer = await account.call("PATCH", f"/workflows/{made['id']}", {"is_active": True})
    assert_refused(answer, 409, "Conflict", _TOO_MANY)


async def test_a_workflow_of_all_teams(account: Account) -> None:
    """A key for one team reads and triggers it; only a key for all teams changes and deletes it."""
    document = {"steps": [{"id": "a", "kind": "send", "channel": "EMAIL", "template": {"key": "greeting"}}]}
    body = {"name": "Everywhere", "event_type": "new_user", "document": document}
    made = await account.client.operator.must("POST", f"/tenants/{account.tenant.id}/workflows", json=body)
    path = f"/workflows/{made['id']}"
    limited = dataclasses.replace(account, key=await account.create_key(scopes=[account.team]))
    assert (await limited.must("GET", path))["name"] == "Everywhere"
    trigger = {"workflow_id": made["id"], "recipient_type": "all"}
    await limited.must("POST", "/workflows/trigger", trigger, status=201)
    why = "This workflow belongs to all teams: a key for single teams cannot change it"
    for method, change in (("PATCH", {"is_active": False}), ("PUT", {"name": "Ours"}), ("DELETE", None)):
        assert_refused(await limited.call(method, path, change), 403, "Forbidden", why)
    own = await limited.workflow("Ours", "new_user")
    await limited.must("DELETE", f"/workflows/{own}")
    assert (await account.must("PATCH", path, {"is_active": False}))["name"] == "Everywhere"
    await account.must("DELETE", path)


async def test_details(account: Account) -> None:
    """What its newest trigger did, in upper case; the same by the id of that trigger."""
    await account.template()
    workflow_id = await account.workflow("Welcome Series", "new_user", "email")
    told = await account.must("GET", f"/workflows/{workflow_id}")
    assert (told["campaign_name"], told["status"], told["workflow_executions_count"]) == (
        "Welcome Series",
        "PENDING",
        0,
    )
    trigger_id = await account.send("new_user", user_info={"email": "a@b.example"})
    await account.over(trigger_id)
    for path in (f"/workflows/{workflow_id}", f"/workflows/{trigger_id}"):
        told = await account.must("GET", path)
        assert (told["trigger_type"], told["status"], told["workflow_executions_count"]) == ("WORKFLOW", "COMPLETED", 1)
        assert told["channels"]["email"]["sent"] == 1
        assert told["totals"]["overall_success_rate"] == 100
        assert told["progress"] == {"processed": 1, "total": 1, "percentage": 100}


async def test_details_of_a_workflow_that_ran_long_ago(account: Account) -> None:
    """However many events of its type came since then that did not start it."""
    await account.template()
    workflow_id = await account.workflow("Welcome Series", "new_user", "email")
    user = {"email": "a@b.example"}
    trigger_id = await account.send("new_user", user_info=user)
    await account.over(trigger_id)
    await account.must("PATCH", f"/workflows/{workflow_id}", {"is_active": False})
    await account.workflow("Another", "new_user", "email")
    later = await asyncio.gather(*[account.send("new_user", user_info=user) for _ in range(25)])
    await asyncio.gather(*map(account.over, later))
    told = await account.must("GET", f"/workflows/{workflow_id}")
    assert (told["trigger_id"], told["totals"]["total_sent"], told["status"]) == (trigger_id, 1, "COMPLETED")


@pytest.mark.parametrize("path", ["/events/send", "/workflows/trigger"])
async def test_variables_of_channels(account: Account, path: str) -> None:
    """Templates of a channel read its own variables before the others."""
    await account.template(body="{{code}} {{name}}")
    await account.template(channel="SMS", body="{{code}} {{name}}")
    await account.workflow("Codes", "code_wanted", "email", "sms")
    await account.must("POST", "/contacts", {"external_id": "ada", "email": "ada@example.com", "phone": "+12345678900"})
    body = {
        "variables": {"code": "0000", "name": "Ada"},
        "channel_variables": {"sms": {"code": "4821"}, "whatsapp": {"code": "9377"}},
    }
    if path == "/events/send":
        body |= {"event_name": "code_wanted", "user_info": {"contact_external_id": "ada"}}
    else:
        body |= {"workflow_name": "Codes", "recipient_type": "contact", "contact_external_id": "ada"}
    messages = await account.messages((await account.must("POST", path, body, status=201))["trigger_id"])
    assert messages["SMS"].text == "4821 Ada"
    assert "0000 Ada" in messages["EMAIL"].html
    wrong = await account.call("POST", path, {**body, "channel_variables": {"sms": ["4821"]}})
    assert_refused(wrong, 400, "Bad Request", "channel_variables.sms must be an object")


async def test_changes_are_in_the_audit_log(account: Account) -> None:
    """With the key that made them."""
    workflow_id = await account.workflow("Welcome", "user_signup")
    await account.must("PATCH", f"/workflows/{workflow_id}", {"is_active": False})
    path = f"/audit?tenant_id={account.tenant.id}"
    told = await account.client.operator.must("GET", path)
    ours = [one for one in told["data"] if one["actor"].startswith("key:")]
    assert [one["method"] for one in ours] == ["PATCH", "POST"]
    assert all(workflow_id in one["resource"] for one in ours)
