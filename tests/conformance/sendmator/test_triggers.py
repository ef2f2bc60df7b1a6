"""Tracking an event, and how events match workflows: the examples of the page on a running stack."""

import uuid
from typing import Any

from tests.conformance.sendmator.conftest import END_S, Account
from tests.waiting import eventually

_USER = {"contact_external_id": "user_12345", "email": "john.doe@example.com", "name": "John Doe"}
_FIELDS = {
    "id",
    "flow_type",
    "trigger_type",
    "status",
    "created_at",
    "started_at",
    "completed_at",
    "summary",
    "details_endpoint",
}


async def matching(account: Account) -> None:
    """Make the three workflows of the page's example, whose messages go out by e-mail and by SMS."""
    await account.template()
    await account.template(channel="SMS")
    await account.workflow("Welcome Email", "user_signup", "email")
    await account.workflow("Onboarding Series", "user_signup", "sms", filters={"tags": ["new_users"]})
    await account.workflow("Purchase Thank You", "purchase_completed", "email")


async def test_right_after_the_send(account: Account) -> None:
    """It is there at once, though nothing of it may have happened yet."""
    await account.declare("user_signup")
    trigger_id = await account.send("user_signup")
    trigger = await account.must("GET", f"/triggers/{trigger_id}", status=200)
    assert trigger["id"] == trigger_id
    assert (await account.must("GET", f"/triggers/{trigger_id}/workflow", status=200))["id"] == trigger_id


async def test_basic_info(account: Account) -> None:
    """Every field of the published answer, and no other."""
    await account.template()
    await account.workflow("Welcome Email", "user_signup")
    trigger_id = await account.send("user_signup", user_info=_USER)
    trigger = await account.over(trigger_id)
    assert set(trigger) == _FIELDS
    assert trigger["summary"] == {"total_contacts": 1, "sent": 1, "failed": 0, "filtered": 0}
    assert (trigger["flow_type"], trigger["trigger_type"], trigger["status"]) == ("workflow", "workflow", "completed")
    assert trigger["created_at"] <= trigger["started_at"] <= trigger["completed_at"]
    assert all(trigger[name].endswith("Z") and len(trigger[name]) == 24 for name in ("created_at", "completed_at"))
    assert trigger["details_endpoint"] == f"/triggers/{trigger_id}/workflow"


async def test_matching_example_for_a_contact_with_the_tag(account: Account) -> None:
    """Welcome and Onboarding, not Purchase."""
    await matching(account)
    await account.must("POST", "/contacts", {**_contact(), "tags": ["new_users", "vip"]})
    trigger_id = await account.send("user_signup", user_info=_USER)
    details = await account.details(trigger_id)
    assert {name: one["status"] for name, one in details.items()} == {
        "Welcome Email": "completed",
        "Onboarding Series": "completed",
    }
    messages = await account.messages(trigger_id)
    assert messages["EMAIL"].recipient == _USER["email"]
    assert messages["SMS"].recipient == "+12345678900"


async def test_matching_example_for_a_contact_without_the_tag(account: Account) -> None:
    """Welcome alone; Onboarding is filtered, with the reason."""
    await matching(account)
    await account.must("POST", "/contacts", {**_contact(), "tags": ["vip"]})
    trigger_id = await account.send("user_signup", user_info=_USER)
    details = await account.details(trigger_id)
    assert {name: one["status"] for name, one in details.items()} == {
        "Welcome Email": "completed",
        "Onboarding Series": "filtered",
    }
    assert set(await account.messages(trigger_id)) == {"EMAIL"}
    summary = (await account.over(trigger_id))["summary"]
    assert summary == {"total_contacts": 1, "sent": 1, "failed": 0, "filtered": 1}
    [step] = details["Onboarding Series"]["steps"]
    jobs = await account.must("GET", step["execution_details_endpoint"].removeprefix("/api/v1") + "?status=filtered")
    [job] = jobs["data"]
    assert (job["status"], job["contact_external_id"]) == ("filtered", "user_12345")
    assert job["reason"] == "filtered_tags"
    assert job["filter_reason"]


async def test_matching_example_for_another_event(account: Account) -> None:
    """Purchase alone."""
    await matching(account)
    details = await account.details(await account.send("purchase_completed", user_info=_USER))
    assert set(details) == {"Purchase Thank You"}


async def test_a_cooldown(account: Account) -> None:
    """The second event within it is filtered."""
    await account.template()
    await account.workflow("Welcome", "user_signup", filters={"cooldown_seconds": 3_600})
    first, second = [await account.send("user_signup", user_info=_USER) for _ in range(2)]
    summaries = [(await account.over(one))["summary"] for one in (first, second)]
    assert sorted((one["sent"], one["filtered"]) for one in summaries) == [(0, 1), (1, 0)]


async def test_workflows_that_are_not_active_or_of_another_team(account: Account) -> None:
    """They do not match."""
    await account.template()
    await account.workflow("Off", "user_signup", is_active=False)
    team = await account.create_team("other")
    elsewhere = {"X-API-Key": account.key, "X-Team-ID": team}
    body = {
        "name": "Elsewhere",
        "event_type": "user_signup",
        "steps": [{"channel_type": "email", "configuration": {"template_id": "greeting"}}],
    }
    assert (await account.call("POST", "/workflows", body, headers=elsewhere)).status == 201
    assert await account.details(await account.send("user_signup", user_info=_USER)) == {}


async def test_another_team_does_not_see_a_trigger(account: Account) -> None:
    """A request that names a team reads that team's alone."""
    await account.declare("user_signup")
    trigger_id = await account.send("user_signup")
    await account.over(trigger_id)
    team = await account.create_team("other")
    headers = {"X-API-Key": account.key, "X-Team-ID": team}
    assert (await account.call("GET", f"/triggers/{trigger_id}", headers=headers)).status == 404
    assert (await account.call("GET", f"/triggers/{trigger_id}", headers={"X-API-Key": account.key})).status == 200


async def test_steps_with_a_delay_are_read_while_they_wait(account: Account) -> None:
    """Planned is not sent: the second message counts when it goes out."""
    await account.template()
    steps = [
        {"id": "now", "step_order": 1, "channel_type": "email", "configuration": {"template_id": "greeting"}},
        {
            "id": "later",
            "step_order": 2,
            "channel_type": "email",
            "configuration": {"template_id": "greeting", "delay_minutes": 60},
        },
    ]
    body = {"name": "Series", "event_type": "user_signup", "steps": steps}
    await account.must("POST", "/workflows", body)
    trigger_id = await account.send("user_signup", user_info=_USER)

    async def first() -> dict[str, Any] | None:
        """Return the details once the first message is sent."""
        details = dict(await account.must("GET", f"/triggers/{trigger_id}/workflow"))
        return details if details["summary"]["sent"] else None

    details = await eventually(first, END_S)
    assert details is not None
    assert details["summary"] == {"total_contacts": 1, "sent": 1, "failed": 0, "filtered": 0}
    assert (details["status"], details["completed_at"]) == ("processing", None)
    now, later = details["workflows"][0]["steps"]
    assert (now["status"], now["jobs"]["sent"]) == ("completed", 1)
    assert (later["status"], later["jobs"]["total"]) == ("pending", 0)


async def test_synchronous(account: Account) -> None:
    """POST /events/trigger answers when the event is processed, with what GET …/workflow says."""
    await account.template()
    await account.workflow("Welcome Email", "user_signup")
    body = {"event_name": "user_signup", "user_info": _USER}
    answer = await account.must("POST", "/events/trigger", body, status=201)
    assert str(uuid.UUID(answer["trigger_id"])) == answer["id"]
    assert (answer["success"], answer["status"]) == (True, "completed")
    assert answer["summary"] == {"total_contacts": 1, "sent": 1, "failed": 0, "filtered": 0}
    [workflow] = answer["workflows"]
    assert (workflow["name"], workflow["steps"][0]["jobs"]["sent"]) == ("Welcome Email", 1)


async def test_synchronous_waits_at_most_ten_seconds(account: Account) -> None:
    """Then it says "processing", and which workflows it started that wait; a time is not possible."""
    await account.template()
    steps = [
        {
            "step_order": 1,
            "channel_type": "email",
            "configuration": {"template_id": "greeting", "delay_minutes": 60},
        }
    ]
    await account.must("POST", "/workflows", {"name": "Later", "event_type": "user_signup", "steps": steps})
    body: dict[str, Any] = {"event_name": "user_signup", "user_info": _USER}
    answer = await account.must("POST", "/events/trigger", body, status=201)
    assert (answer["status"], answer["message"]) == ("processing", "Event queued successfully")
    [workflow] = answer["workflows"]
    assert (workflow["name"], workflow["status"], workflow["steps"][0]["status"]) == ("Later", "pending", "pending")
    details = await account.must("GET", f"/workflows/{workflow['workflow_id']}")
    assert (details["trigger_id"], details["status"]) == (answer["trigger_id"], "PROCESSING")
    refused = await account.call("POST", "/events/trigger", {**body, "trigger_at": "2090-01-01T00:00:00Z"})
    assert refused.status == 400


async def test_triggering_a_workflow(account: Account) -> None:
    """By name or id, for a contact, for those with all tags, or for all; whatever its event, active or not."""
    await account.template()
    workflow_id = await account.workflow("Welcome Series", "user_signup", is_active=False)
    for name, tags in (("a", ["vip", "new"]), ("b", ["vip"]), ("c", [])):
        await account.must("POST", "/contacts", {"external_id": name, "email": f"{name}@example.com", "tags": tags})
    for body, people in (
        ({"workflow_id": workflow_id, "recipient_type": "contact", "contact_external_id": "a"}, 1),
        ({"workflow_name": "Welcome Series", "recipient_type": "tag", "tag": ["vip", "new"]}, 1),
        ({"workflow_name": "Welcome Series", "recipient_type": "tag", "tags": ["vip"]}, 2),
        ({"workflow_id": workflow_id, "recipient_type": "all", "variables": {"x": 1}}, 3),
    ):
        answer = await account.must("POST", "/workflows/trigger", body, status=201)
        assert (answer["message"], answer["workflow_id"]) == ("Workflow queued successfully", workflow_id)
        assert (await account.over(answer["trigger_id"]))["summary"]["sent"] == people, body
    unknown = {"workflow_name": "No such", "recipient_type": "all"}
    assert (await account.call("POST", "/workflows/trigger", unknown)).status == 404


def _contact() -> dict[str, Any]:
    return {
        "external_id": _USER["contact_external_id"],
        "email": _USER["email"],
        "first_name": "John",
        "phone": "+12345678900",
    }
