"""Triggers and executions as answers show them."""

import json
from typing import Any

import pytest

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.ingest.v1 import ledger_pb2
from clarion.router.v1 import runs_pb2, workflows_pb2
from gateway.dialects.sendmator import ids, lists
from gateway.dialects.sendmator.errors import ApiError
from gateway.dialects.sendmator.triggers import views
from gateway.dialects.sendmator.triggers.finding import Trigger, is_readable
from services.domain import statuses
from tests.unit.gateway.sendmator.callers import OTHER_TEAM, TEAM, TENANT, caller

ID = "f47ac10b-58cc-7372-a567-0e02b2c3d479"
WORKFLOW_ID = "01a1fe7a-0000-7000-8000-000000000007"
# 2024-12-10T10:00:00Z
AT_US = 1_733_824_800_000_000

_SENT, _DEAD = trace_pb2.DELIVERY_STATUS_SENT, trace_pb2.DELIVERY_STATUS_DEAD
_QUEUED, _SKIPPED = trace_pb2.DELIVERY_STATUS_QUEUED, trace_pb2.DELIVERY_STATUS_SKIPPED


def event(counts: dict[Any, int] | None = None, **fields: Any) -> ledger_pb2.EventSummary:
    """Return an event with deliveries of these statuses."""
    found = [ledger_pb2.StatusCount(status=status, count=count) for status, count in (counts or {}).items()]
    return ledger_pb2.EventSummary(id=ID, tenant_id=TENANT, accepted_at_us=AT_US, counts=found, **fields)


def test_the_published_example() -> None:
    """Each field of the answer to GET /triggers/{id}."""
    found = event(
        {_SENT: 995, _DEAD: 5},
        routed_at_us=AT_US + 1_000_000,
        finished_at_us=AT_US + 330_000_000,
        recipient_count=1000,
        has_workflows=True,
    )
    assert views.trigger(Trigger(found, None)) == {
        "id": ID,
        "flow_type": "workflow",
        "trigger_type": "workflow",
        "status": "completed",
        "created_at": "2024-12-10T10:00:00.000Z",
        "started_at": "2024-12-10T10:00:01.000Z",
        "completed_at": "2024-12-10T10:05:30.000Z",
        "summary": {"total_contacts": 1000, "sent": 995, "failed": 5, "filtered": 0},
        "details_endpoint": f"/triggers/{ID}/workflow",
    }


@pytest.mark.parametrize(
    ("found", "run", "status"),
    [
        (event(), None, "pending"),
        (event({_QUEUED: 5}, routed_at_us=1), None, "processing"),
        (event(waiting=True, due_at_us=AT_US * 2), runs_pb2.RUN_STATE_WAITING, "pending"),
        (event({_SENT: 1}, routed_at_us=1), runs_pb2.RUN_STATE_RUNNING, "processing"),
        (event({_SENT: 1, _DEAD: 2}, finished_at_us=2), None, "completed"),
        (event({_SKIPPED: 2}, finished_at_us=2), None, "completed"),
        (event(finished_at_us=2), None, "completed"),
        (event({_DEAD: 2, _SKIPPED: 1}, finished_at_us=2), None, "failed"),
        (event({_SENT: 1}, finished_at_us=2), runs_pb2.RUN_STATE_FAILED, "failed"),
        (event(finished_at_us=2, reason="internal_error"), None, "failed"),
        (event({_SENT: 1}), runs_pb2.RUN_STATE_CANCELED, "canceled"),
        (event({_SENT: 1}, finished_at_us=2, reason="canceled"), None, "canceled"),
    ],
)
def test_how_far_a_trigger_has_come(found: ledger_pb2.EventSummary, run: Any, status: str) -> None:
    """In lower case; what is planned is not sent."""
    kept = runs_pb2.Run(state=run) if run is not None else None
    assert views.status_of(Trigger(found, kept)) == status


def test_every_status_counts_as_one_kind_of_job() -> None:
    """What bounced after it was sent has failed."""
    words = {status.name: views.job_status(number) for number, status in statuses.BY_NUMBER.items()}
    assert words == {
        "queued": "pending",
        "retrying": "pending",
        "skipped": "filtered",
        "sent": "sent",
        "delivered": "sent",
        "failed": "failed",
        "dead": "failed",
        "bounced": "failed",
        "complained": "failed",
    }
    assert set(views.FAILED_STATUSES) == {statuses.BY_NAME[name] for name, word in words.items() if word == "failed"}


def test_each_workflow_step_by_step() -> None:
    """In the order of the document, also those that nobody has reached."""
    document = {
        "steps": [
            {"id": "b", "name": "First", "kind": "send", "channel": "SMS", "template": {"key": "t"}},
            {"id": "a", "kind": "send", "channel": "EMAIL", "template": {"key": "t"}},
        ]
    }
    stored = workflows_pb2.Workflow(id=WORKFLOW_ID, name="Welcome", document=json.dumps(document).encode())
    counts = [
        ledger_pb2.WorkflowCount(
            workflow_id=WORKFLOW_ID, step="b", channel=event_pb2.CHANNEL_SMS, status=status, count=count
        )
        for status, count in ((_SENT, 3), (_QUEUED, 1))
    ]
    found = views.workflow_details(Trigger(event(routed_at_us=1), None), counts, {WORKFLOW_ID: stored})
    (workflow,) = found["workflows"]
    assert (workflow["name"], workflow["status"]) == ("Welcome", "processing")
    first, second = workflow["steps"]
    assert (first["step_order"], first["step_name"], first["channel_type"]) == (1, "First", "sms")
    assert first["jobs"] == {"total": 4, "pending": 1, "sent": 3, "failed": 0, "filtered": 0}
    assert first["execution_details_endpoint"] == f"/api/v1/sms/executions/{first['execution_id']}/jobs"
    assert ids.execution(first["execution_id"]) == ids.Execution(ID, WORKFLOW_ID, "b")
    assert (second["step_name"], second["status"], second["jobs"]["total"]) == ("a", "pending", 0)


def test_a_workflow_whose_filters_nobody_passed() -> None:
    """It is filtered, not failed."""
    counts = [
        ledger_pb2.WorkflowCount(
            workflow_id=WORKFLOW_ID, step="a", channel=event_pb2.CHANNEL_EMAIL, status=_SKIPPED, count=1
        )
    ]
    found = views.workflow_details(Trigger(event(finished_at_us=1), None), counts, {WORKFLOW_ID: None})
    assert found["workflows"][0]["status"] == "filtered"


def test_ids() -> None:
    """A job's id is digits that JavaScript reads exactly; an execution's id names what it is of."""
    assert int(ids.job_id(ID)) < 2**53
    assert ids.job_id(ID).isdigit()
    assert ids.execution_id(ids.Execution(ID)) == ID
    assert ids.execution(ID) == ids.Execution(ID)
    nothing_of_a_workflow = ids.execution_id(ids.Execution(ID, WORKFLOW_ID, ""))
    for wrong in ("x", "exec_", "exec_AAAA", "exec_!", ID.upper(), nothing_of_a_workflow):
        with pytest.raises(ApiError) as caught:
            ids.execution(wrong)
        assert caught.value.status == 404


def test_a_list_has_all_three_shapes() -> None:
    """Those of the list of contacts, of the client's page on contacts, and of the client's types."""
    shown = lists.shown("contacts", ["a", "b"], lists.Page(2, 2), total=5)
    assert (shown["data"], shown["has_more"], shown["next_cursor"]) == (["a", "b"], True, None)
    assert (shown["contacts"], shown["total"], shown["totalPages"]) == (["a", "b"], 5, 3)
    assert shown["success"]
    assert shown["pagination"] == {"page": 2, "limit": 2, "total": 5, "totalPages": 3}
    assert not lists.shown("contacts", ["e"], lists.Page(3, 2), total=5)["has_more"]


@pytest.mark.parametrize(
    ("tenant_id", "team", "scopes", "names_team", "readable"),
    [
        (TENANT, TEAM, (), False, True),
        (TENANT, TEAM, (), True, True),
        (TENANT, OTHER_TEAM, (), True, False),
        (TENANT, OTHER_TEAM, (), False, True),
        (TENANT, OTHER_TEAM, (TEAM,), False, False),
        (TENANT, "", (), False, True),
        (TENANT, "", (TEAM,), False, False),
        ("another", TEAM, (), False, False),
    ],
)
def test_who_may_read_a_trigger(
    tenant_id: str, team: str, scopes: tuple[str, ...], *, names_team: bool, readable: bool
) -> None:
    """Those of its account, and of its team if the key or the request is limited to one."""
    found = ledger_pb2.EventSummary(id=ID, tenant_id=tenant_id, metadata={"team": team} if team else {})
    assert is_readable(found, caller(*scopes, names_team=names_team)) is readable


def test_the_types_of_messages() -> None:
    """By which lists find them."""
    assert views.message_type(event_pb2.CHANNEL_EMAIL) == "direct.email"
