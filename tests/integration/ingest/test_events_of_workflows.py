"""The list of the events that a stored workflow sent, or filtered, something for."""

import pytest

from clarion.common.v1 import event_pb2, trace_pb2
from runtime.errors import ClarionError
from runtime.ids import new_id
from tests.integration.ingest import builders
from tests.integration.ingest.builders import QUEUED, SKIPPED
from tests.integration.ingest.ledger import Ledger, user_ids


def _plan(
    event: event_pb2.Event, user: str, workflow: str, step: str, status: trace_pb2.DeliveryStatus.ValueType
) -> trace_pb2.PlannedDelivery:
    planned = builders.planned(event, f"{user}/{workflow}/{step}", status)
    planned.recipient.user_id = planned.destination = user
    planned.workflow_id, planned.step = workflow, step
    return planned


@pytest.fixture
async def found(ledger: Ledger) -> dict[str, list[str]]:
    """The events of two workflows, newest first, with 60 deliveries for each; of the first two all are skipped."""
    welcome, upsell = new_id(), new_id()
    ids: dict[str, list[str]] = {welcome: [], upsell: []}
    for number, started in enumerate([(welcome,), (upsell,), (welcome, upsell), (upsell,), (welcome,), (upsell,)]):
        event = builders.workflow_event(ledger.tenant, *started, metadata={"team": str(number // 3)})
        status = SKIPPED if number < 2 else QUEUED
        plans = [
            _plan(event, user, workflow, step, status)
            for user in user_ids(30)
            for workflow in started
            for step in ("first", "second")
        ]
        await ledger.write(event, builders.plan(event, plans, continues=True))
        for workflow in started:
            ids[workflow].append(event.id)
    return {workflow: sorted(of, reverse=True) for workflow, of in ids.items()}


async def test_newest_first_page_by_page(ledger: Ledger, found: dict[str, list[str]]) -> None:
    """However many deliveries each event has; another tenant finds nothing."""
    for workflow, ids in found.items():
        wanted = {"tenant_id": ledger.tenant, "workflow_id": workflow}
        assert [one.id for one in (await ledger.call("ListEvents", **wanted)).events] == ids
        pages, cursor = [], ""
        for _ in ids:
            page = await ledger.call("ListEvents", limit=1, cursor=cursor, **wanted)
            pages += [one.id for one in page.events]
            cursor = page.next_cursor
        assert pages == ids
        assert not (await ledger.call("ListEvents", tenant_id=new_id(), workflow_id=workflow)).events


@pytest.mark.parametrize(("filters", "number"), [({"metadata": {"team": "0"}}, 2), ({"status": SKIPPED}, 1)])
async def test_with_other_filters(
    ledger: Ledger, found: dict[str, list[str]], filters: dict[str, object], number: int
) -> None:
    """Those of the first ones that they match."""
    for workflow, ids in found.items():
        listed = await ledger.call("ListEvents", tenant_id=ledger.tenant, workflow_id=workflow, **filters)
        assert [one.id for one in listed.events] == ids[-number:]


async def test_what_is_no_id(ledger: Ledger) -> None:
    """It is refused, with the name of the field."""
    with pytest.raises(ClarionError) as refused:
        await ledger.call("ListEvents", workflow_id="welcome")
    assert refused.value.fields[0][0] == "workflow_id"
