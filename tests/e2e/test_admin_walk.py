"""docs/admin-api.md's five commands, run one after the other as a reader would."""

import asyncio
import json

from checks.client import Client
from checks.waiting import until
from runtime.ids import is_uuid
from stack.client import Running
from tests import documentation

_PAGE = "docs/admin-api.md"
_WALK = "From nothing to a mail in five commands"


async def test_the_five_commands(client: Client, shared_stack: Running) -> None:
    """A tenant, a provider, a template, an event, its timeline; and the mail, as the tenant's outbox has it."""
    *lines, timeline = documentation.blocks(documentation.section(_PAGE, _WALK), "sh")
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
    outbox = documentation.block(documentation.section(_PAGE, "Outbox"), "sh", "outbox")
    asked = "\n".join([known, lines[0], timeline.replace("sleep 2; ", ""), "echo", outbox])
    told = await asyncio.to_thread(documentation.shell, asked, shared_stack)
    assert told.returncode == 0, told.stderr
    event, messages = (json.loads(line) for line in told.stdout.splitlines())
    assert [step["step"] for step in event["timeline"]] == ["accepted", "routed", "queued", "rendered", "sent"]
    [message] = messages["data"]
    assert (message["subject"], message["recipient"]) == ("Order W-1 is on its way", "ada@example.com")
    assert "Dear Ada," in message["text"]
