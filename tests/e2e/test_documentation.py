"""README.md and docs/*.md: what they tell a reader to type, typed as it stands."""

import asyncio
import json

import pytest

from checks.client import Client
from checks.waiting import until
from runtime.ids import is_uuid
from stack.client import Running
from tests import documentation

_ADMIN = "docs/admin-api.md"
_WALK = "From nothing to a mail in five commands"


async def test_the_first_notification(client: Client, shared_stack: Running) -> None:
    """The answer is success, and the demo user has an e-mail and a notification in the inbox."""
    lines = documentation.block(documentation.section("README.md", "The first notification"), "sh", "curl")
    done = await asyncio.to_thread(documentation.shell, lines, shared_stack)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["success"] is True

    async def shown() -> bool:
        inbox = (await client.tenant.inbox(client.user_id)).body["data"]
        answer = await client.http.call("GET", "/demo/outbox.json")
        return "Welcome" in {one["title"] for one in inbox} and "Welcome" in {
            one["subject"] for one in answer.body["messages"]
        }

    await until(shown, "the notification and the mail", deadline=30)


async def test_the_five_commands(client: Client, shared_stack: Running) -> None:
    """A tenant, a provider, a template, an event, its timeline; and the mail, as the tenant's outbox has it.

    Then a stored recipient in a group.
    """
    *lines, timeline = documentation.blocks(documentation.section(_ADMIN, _WALK), "sh")
    kept = 'printf "\\n%s %s" "$tenant" "$event"'
    made = await asyncio.to_thread(documentation.shell, "\n".join([*lines, kept]), shared_stack)
    assert made.returncode == 0, made.stderr
    answers, _, ids = made.stdout.rpartition("\n")
    tenant_id, event_id = ids.split()
    assert is_uuid(event_id), made.stdout
    decoder, rest, kinds = json.JSONDecoder(), answers.strip(), []
    while rest:
        answer, end = decoder.raw_decode(rest)
        kinds.append(answer.get("kind") or answer.get("event_type"))
        rest = rest[end:].strip()
    assert kinds == ["sandbox", "order.shipped"]

    await until(lambda: client.operator.finished(event_id), "the event's end", deadline=30)
    known = f"tenant={tenant_id} event={event_id}"
    outbox = documentation.block(documentation.section(_ADMIN, "Outbox"), "sh", "outbox")
    asked = "\n".join([known, lines[0], timeline.replace("sleep 2; ", ""), "echo", outbox])
    told = await asyncio.to_thread(documentation.shell, asked, shared_stack)
    assert told.returncode == 0, told.stderr
    event, messages = (json.loads(line) for line in told.stdout.splitlines())
    assert [step["step"] for step in event["timeline"]] == ["accepted", "routed", "queued", "rendered", "sent"]
    [message] = messages["data"]
    assert (message["subject"], message["recipient"]) == ("Order W-1 is on its way", "ada@example.com")
    assert "Dear Ada," in message["text"]

    storing = documentation.block(documentation.section(_ADMIN, "Recipients and groups"), "sh", "recipients")
    told = await asyncio.to_thread(documentation.shell, "\n".join([known, lines[0], storing]), shared_stack)
    assert told.stdout.endswith('{"added":1,"removed":0}'), told


@pytest.mark.parametrize("name", ["delivery-reports", "privacy", "providers", "signatures", "templates"])
async def test_the_calls_of_a_page(client: Client, shared_stack: Running, name: str) -> None:
    """Each is answered with success, with the variables that docs/admin-api.md sets and the page names."""
    tenant = await client.operator.create_tenant("Reader")
    resend = {"api_key": "re_1", "from_email": "orders@acorn.example"}
    provider = {"tenant_id": tenant.id, "channel": "EMAIL", "kind": "resend", "settings": resend}
    variables = {
        "CLARION_URL": client.http.url,
        "CLARION_ADMIN_TOKEN": client.operator.admin_token,
        "CLARION_TENANT_ID": tenant.id,
        "CLARION_API_KEY": tenant.api_key,
        "PROVIDER": (await client.operator.must("POST", "/providers", json=provider))["id"],
    }
    if name == "signatures":
        made = await client.operator.must("POST", f"/tenants/{tenant.id}/webhook-secret", json={})
        variables["WEBHOOK_SECRET"] = made["webhook_secret"]
    calls = [code for code in documentation.blocks(documentation.page(f"docs/{name}.md"), "sh") if "curl" in code]
    assert calls
    for code in calls:
        failing = code.replace("curl -sS", "curl -sSf")
        done = await asyncio.to_thread(documentation.shell, failing, shared_stack, **variables)
        assert done.returncode == 0, (code, done.stderr)


async def test_a_workspace_from_nothing(shared_stack: Running) -> None:
    """The printed lines make a tenant with a key and a token, an endpoint that subscribes, and a delivery to it."""
    lines = "\n".join(documentation.blocks(documentation.section("docs/nahook.md", "Getting started"), "sh"))
    done = await asyncio.to_thread(documentation.shell, lines, shared_stack)
    assert done.returncode == 0, done.stderr
    subscribed, rest = json.JSONDecoder().raw_decode(done.stdout)
    assert subscribed == {"subscribed": 1}
    told = json.loads(done.stdout[rest:])
    assert (len(told["deliveryIds"]), told["failures"]) == (1, [])


async def test_an_account_from_nothing(shared_stack: Running) -> None:
    """The printed lines make a tenant with a key and a team, a workflow, and an event that starts it."""
    lines = "\n".join(documentation.blocks(documentation.section("docs/sendmator.md", "Getting started"), "sh"))
    done = await asyncio.to_thread(documentation.shell, lines, shared_stack)
    assert done.returncode == 0, done.stderr
    trigger = json.loads(done.stdout)
    assert (trigger["flow_type"], trigger["summary"]["failed"]) == ("workflow", 0)


async def test_the_webhooks_of_a_page(shared_stack: Running) -> None:
    """Each call of docs/webhooks.md, one after the other."""
    lines = "\n".join(documentation.blocks(documentation.page("docs/webhooks.md"), "sh"))
    failing = lines.replace("curl -sS", "curl -sSf")
    told = await asyncio.to_thread(documentation.shell, failing + '\nprintf "\\n%s" "$secret"', shared_stack)
    assert told.returncode == 0, told.stderr
    assert told.stdout.rpartition("\n")[2].startswith("whsec_")
