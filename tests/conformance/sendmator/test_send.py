"""POST /events/send: the five calls of the page as they are printed, and what its tables say of request and answer."""

import asyncio
import json
import shutil
import subprocess
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from tests.conformance.sendmator import contract
from tests.conformance.sendmator.conftest import RATE_HEADERS, Account, assert_refused

_DEADLINE_S = 60.0
_EXAMPLES = {
    "signup": 0,
    "purchase": 1,
    "password_reset": 2,
    "custom_event": 4,
}
_SCHEDULED = 3


async def printed(account: Account, number: int) -> tuple[int, Any]:
    """Run a call as it is printed, with our host, key and team. Return the status and the body of its answer."""
    if shutil.which("curl") is None:
        pytest.skip("the calls need curl on PATH")
    script = contract.ours(contract.curls()[number], account.client.http.url, account.key, account.team)

    def run() -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["sh", "-e"],
            input=f"{script} -sS -w '\\n%{{http_code}}'",
            capture_output=True,
            text=True,
            timeout=_DEADLINE_S,
            check=False,
        )

    done = await asyncio.to_thread(run)
    assert done.returncode == 0, done.stderr
    body, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(body)


def later(**units: int) -> str:
    """Return a time from now on, as JavaScript prints it."""
    moment = datetime.now(UTC).replace(microsecond=0) + timedelta(**units)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.mark.parametrize("name", _EXAMPLES)
async def test_example(account: Account, name: str) -> None:
    """It is accepted with exactly the published answer, and starts the workflow of its event."""
    body = json.loads(contract.body_of(contract.curls()[_EXAMPLES[name]]))
    await account.template()
    await account.workflow("Welcome", body["event_name"])
    status, answer = await printed(account, _EXAMPLES[name])
    assert status == 201, answer
    assert set(answer) == {"success", "trigger_id", "job_id", "message"}
    assert (answer["success"], answer["message"]) == (True, "Event queued successfully")
    assert str(uuid.UUID(answer["trigger_id"])) == answer["trigger_id"]
    assert answer["job_id"].isdigit()
    assert (await account.over(answer["trigger_id"]))["summary"]["sent"] == 1


async def test_scheduled_example(account: Account) -> None:
    """As it is printed its time has passed by now; at a time to come it answers in the published words."""
    await account.workflow("Renewal", "subscription_renewal_reminder")
    status, answer = await printed(account, _SCHEDULED)
    assert (status, answer["message"]) == (400, "trigger_at must be a future date")
    at = later(days=400)
    body = json.loads(contract.body_of(contract.curls()[_SCHEDULED])) | {"trigger_at": at.replace(".000Z", "Z")}
    answer = await account.must("POST", "/events/send", body, status=201)
    assert set(answer) == {"success", "trigger_id", "job_id", "message", "scheduled_for"}
    assert (answer["message"], answer["scheduled_for"]) == (f"Event scheduled for {at}", at)
    trigger = await account.must("GET", f"/triggers/{answer['trigger_id']}")
    assert (trigger["status"], trigger["started_at"], trigger["scheduled_for"]) == ("pending", None, at)


async def test_scheduled_for_moments_from_now(account: Account) -> None:
    """It is sent at its time, not before."""
    await account.template()
    await account.workflow("Renewal", "renewal")
    at = later(seconds=4)
    answer = await account.must(
        "POST", "/events/send", {"event_name": "renewal", "user_info": {"email": "a@b.example"}, "trigger_at": at}
    )
    trigger = await account.over(answer["trigger_id"])
    assert trigger["summary"]["sent"] == 1
    assert trigger["started_at"] >= at


@pytest.mark.parametrize(
    "name", ["user_signup", "subscription_cancelled", "UserSignup", "purchase-completed", "cancel_sub"]
)
async def test_names(account: Account, name: str) -> None:
    """Consistent ones are the caller's affair: whatever a workflow names is taken, and means that name alone."""
    await account.workflow("Any", name)
    await account.send(name)
    assert (await account.call("POST", "/events/send", {"event_name": name.swapcase()})).status == 404


async def test_two_equal_calls_are_two_events(account: Account) -> None:
    """Nothing is taken for a duplicate."""
    await account.declare("user_signup")
    first, second = [await account.send("user_signup") for _ in range(2)]
    assert first != second


async def test_without_a_contact(account: Account) -> None:
    """It is accepted; whoever it would be for is filtered, because there is nobody."""
    await account.template()
    await account.workflow("Welcome", "user_signup")
    trigger = await account.over(await account.send("user_signup", source={"type": "cron"}))
    assert (trigger["status"], trigger["summary"]["sent"]) == ("completed", 0)


async def test_declared_type_without_workflows(account: Account) -> None:
    """It exists, and nothing is sent."""
    await account.declare("user_signup")
    trigger = await account.over(await account.send("user_signup", user_info={"email": "a@b.example"}))
    assert trigger["summary"] == {"total_contacts": 1, "sent": 0, "failed": 0, "filtered": 0}


async def test_source_is_kept_and_searchable(account: Account) -> None:
    """By its type, and whole with the event."""
    await account.declare("user_signup")
    trigger_id = await account.send(
        "user_signup", source={"type": "mobile_app", "ip": "192.168.1.1", "user_agent": "Mozilla/5.0"}
    )
    await account.over(trigger_id)
    content = await account.client.operator.must("GET", f"/events/{trigger_id}/body")
    assert content["payload"]["source"] == {
        "type": "mobile_app",
        "ip": "192.168.1.1",
        "user_agent": "Mozilla/5.0",
    }
    for source, found in (("mobile_app", [trigger_id]), ("cron", [])):
        labels = quote(json.dumps({"source": source}))
        path = f"/events?tenant_id={account.tenant.id}&metadata={labels}"
        told = await account.client.operator.must("GET", path)
        assert [one["id"] for one in told["data"]] == found


async def test_event_data_and_variables_in_templates(account: Account) -> None:
    """Under the names of the page."""
    await account.template(body="{{user_name}}/{{event_data.order_id}}/{{source.type}}/{{contact_email}}")
    await account.workflow("Thanks", "purchase_completed")
    trigger_id = await account.send(
        "purchase_completed",
        user_info={"email": "alice@example.com"},
        source={"type": "api"},
        event_data={"order_id": "ORD-98765"},
        variables={"user_name": "Alice"},
    )
    messages = await account.messages(trigger_id)
    assert "Alice/ORD-98765/api/alice@example.com" in messages["EMAIL"].html


async def test_custom_fields_and_name_are_stored_with_the_contact(account: Account) -> None:
    """Who is found by the external id, else by the address."""
    await account.declare("user_signup")
    user = {
        "contact_external_id": "user_123",
        "email": "user@example.com",
        "phone": "+1234567890",
        "name": "John Doe",
        "custom_fields": {"company": "Acme Inc", "role": "Admin", "plan": "Enterprise"},
    }
    await account.template()
    await account.workflow("Welcome", "user_signup")
    await account.over(await account.send("user_signup", user_info=user))
    contact = await account.must("GET", "/contacts/external/user_123")
    assert (contact["email"], contact["first_name"], contact["last_name"]) == ("user@example.com", "John", "Doe")
    assert contact["custom_fields"] == user["custom_fields"]


async def test_a_new_type_is_known_to_the_next_call(account: Account) -> None:
    """Whether it was declared or a workflow names it."""
    answer = await account.call("POST", "/events/send", {"event_name": "course_completed"})
    assert_refused(answer, 404, "Not Found", "Event type not found")
    await account.declare("course_completed")
    await account.send("course_completed")
    await account.workflow("Other", "other_event")
    await account.send("other_event")


async def test_every_answer_has_the_limits(account: Account) -> None:
    """What is left after it, and when that is free again."""
    await account.declare("user_signup")
    left = []
    for _ in range(2):
        answer = await account.call("POST", "/events/send", {"event_name": "user_signup"})
        assert answer.headers["X-RateLimit-Limit"] == "1000"
        assert abs(int(answer.headers["X-RateLimit-Reset"]) - time.time()) < 3_700
        left.append(int(answer.headers["X-RateLimit-Remaining"]))
    assert left == [999, 998]
    for method, path, status in (
        ("POST", "/events/send", 400),
        ("GET", "/contacts", 200),
        ("GET", f"/triggers/{uuid.uuid4()}", 404),
    ):
        answer = await account.call(method, path, {} if method == "POST" else None)
        assert answer.status == status
        assert [answer.headers[name] for name in RATE_HEADERS[:2]] == ["1000", "998"]
