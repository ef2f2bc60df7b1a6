"""Events sent again on a running stack, by the operator's API: one, a dead letter's like, and all since a time."""

import datetime as dt
import json
from typing import Any

from checks.client import Client, Tenant, steps
from checks.waiting import expect, until
from stack.client import Running
from tests.e2e.recipients.test_erasure import finished, notify


async def ended(client: Client, replay: dict[str, Any], deadline: float = 90) -> dict[str, Any]:
    """Wait until a replay no longer runs."""

    async def over() -> dict[str, Any] | None:
        answer = await client.operator.call("GET", f"/replays/{replay['id']}")
        expect(answer.status == 200, f"the replay answered {answer.status}")  # not while ingest is away
        return answer.body if answer.body["state"] != "running" else None

    return await until(over, "the replay's end", deadline=deadline)


async def test_one_event_by_the_templates_of_today(client: Client, tenant: Tenant) -> None:
    """Another event with its own timeline, marked; the first one's timeline tells of it. Both are printed."""
    first = await notify(tenant, "ada", 1)
    await finished(client, first)
    mended = await client.operator.create_template(tenant, "note.info", "SMS", "Mended note {{n}}")

    async def is_known() -> bool:
        planned = await client.operator.planned(tenant, "note.info")
        return bool(planned["SMS"]["template_version_id"] == mended)

    await until(is_known, "the mended template at the router", deadline=30)
    answer = await client.operator.must("POST", f"/events/{first}/replay", json={"channels": ["SMS"]})
    assert answer["replay_of"] == first
    second = await finished(client, answer["event_id"])
    assert second["replay_of"] == first
    assert {(one["channel"], one["status"], one["reason"]) for one in second["deliveries"]} == {
        ("SMS", "sent", None),
        ("PUSH", "skipped", "not_requested"),
    }
    path = f"/tenants/{tenant.id}/recipients/export"
    events = (await client.operator.must("POST", path, json={"user_id": "ada"}))["events"]
    assert [event["messages"][0]["text"] for event in events] == ["Mended note 1", "Note 1"]
    whole = await finished(client, first)
    assert ("replayed", None) in steps(whole)
    for event in (whole, second):
        print(json.dumps([(step["step"], step["channel"], step["detail"]) for step in event["timeline"]]))


async def test_all_that_was_skipped_since_a_time(client: Client, tenant: Tenant) -> None:
    """Three events before there was a template; then it is there, and they are sent, once. Also after a restart."""
    since = dt.datetime.now(dt.UTC).isoformat()
    early = [await notify(tenant, "ada", number, eventType="late.info") for number in range(3)]
    for event_id in early:
        assert (await finished(client, event_id))["deliveries"] == []
    await client.operator.create_template(tenant, "late.info", "SMS", "Late {{n}}")
    body = {"tenant_id": tenant.id, "since": since, "status": "skipped"}
    replay = await client.operator.must("POST", "/replays", json=body)
    assert (replay["state"], replay["status"], replay["per_second"]) == ("running", "skipped", 50)
    done = await ended(client, replay)
    assert (done["state"], done["replayed"], done["unplayable"]) == ("done", 3, 0)

    async def all_sent() -> bool:
        found = (await client.operator.must("GET", f"/events?tenant_id={tenant.id}&event_type=late.info"))["data"]
        sent = [one for one in found if one["replay_of"] and one["deliveries"]]
        return len(found) == 6 and [one["deliveries"][0]["status"] for one in sent] == ["sent"] * 3

    await until(all_sent, "the replayed events", deadline=30)
    assert (await ended(client, await client.operator.must("POST", "/replays", json=body)))["replayed"] == 0
    listed = (await client.operator.must("GET", f"/replays?tenant_id={tenant.id}&limit=1"))["data"]
    assert len(listed) == 1


async def test_a_replay_goes_on_where_a_killed_ingest_left_it(client: Client, tenant: Tenant, running: Running) -> None:
    """70 events in two pages, ingest killed between them: each event once, and told so. The counts are printed."""
    first = [await notify(tenant, "ada", number) for number in range(70)]
    for event_id in first:
        await finished(client, event_id)
    body = {"tenant_id": tenant.id, "since": "2026-01-01T00:00:00Z", "per_second": 5}
    replay = await client.operator.must("POST", "/replays", json=body)

    async def under_way() -> bool:
        found = await client.operator.call("GET", f"/replays/{replay['id']}")
        return found.status == 200 and 0 < found.body["replayed"] < 70

    await until(under_way, "the first page", deadline=30)
    await running.wait_restarted("ingest", running.kill("ingest"))
    done = await ended(client, replay)
    assert (done["state"], done["replayed"], done["unplayable"]) == ("done", 70, 0)

    async def all_over() -> list[str] | None:
        found = await _all_events(client, tenant)
        again = [one["replay_of"] for one in found if one["replay_of"] and one["finished_at"]]
        return again if len(again) >= 70 else None

    again = await until(all_over, "the replayed events", deadline=60)
    assert sorted(again) == sorted(first)
    texts = await client.operator.must("POST", f"/tenants/{tenant.id}/recipients/export", json={"user_id": "ada"})
    assert all(len(event["messages"]) == 1 for event in texts["events"])
    print(f"replayed {done['replayed']} of {len(first)}, ingest killed once: {len(again)} events, each once")


async def _all_events(client: Client, tenant: Tenant) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        answer = await client.operator.call("GET", f"/events?tenant_id={tenant.id}&limit=100{cursor}")
        expect(answer.status == 200, f"the events answered {answer.status}")
        found += answer.body["data"]
        if answer.body["next_cursor"] is None:
            return found
        cursor = f"&cursor={answer.body['next_cursor']}"


async def test_cancelled(client: Client, tenant: Tenant) -> None:
    """Two at a time are a conflict, a cancelled one stays so, nonsense names its field."""
    for number in range(2):
        await finished(client, await notify(tenant, "ada", number))
    body = {"tenant_id": tenant.id, "since": "2026-01-01T00:00:00Z"}
    await client.operator.must("PATCH", f"/tenants/{tenant.id}", json={"active": False})
    replay = await client.operator.must("POST", "/replays", json=body)
    assert (await client.operator.call("POST", "/replays", json=body)).status == 409
    cancelled = await client.operator.must("POST", f"/replays/{replay['id']}/cancel")
    assert (cancelled["state"], cancelled["replayed"]) == ("cancelled", 0)
    assert (await client.operator.call("POST", f"/replays/{replay['id']}/cancel")).status == 409
    cases = [
        ("since", {"since": "yesterday"}),
        ("until", {"until": "2999-01-01T00:00:00Z"}),
        ("status", {"status": "x"}),
    ]
    for field, change in cases:
        answer = await client.operator.call("POST", "/replays", json={**body, **change})
        assert (answer.status, answer.body["errors"][0]["field"]) == (422, field)
