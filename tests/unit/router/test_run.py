"""What a page of a run gives."""

from clarion.common.v1 import event_pb2, trace_pb2
from runtime.ids import new_id
from services.domain import delivery_ids
from services.domain.reasons import Reason
from services.router.messages import MAX_PLANNED_BYTES, Plan
from services.router.runs import run as runs


def _run(*, sends: int = 0) -> runs.Run:
    event = event_pb2.Event(id=new_id(), tenant_id=new_id(), event_type="news")
    return runs.Run(
        id=runs.run_id(event.id),
        event=event,
        state=runs.EXPANDING,
        revision=0,
        body=None,
        page_after="",
        page_upto="",
        recipients=sends,
        sends=sends,
        skips=0,
        due_us=0,
        crashes=0,
        updated_us=0,
        output=None,
    )


def test_an_empty_last_page_is_no_reason() -> None:
    """Only an event of which nothing at all is planned says why."""
    nobody = Plan(reason=Reason.NO_RECIPIENT)
    after_others = runs.decide(_run(sends=500), nobody, "", 0, 1).output.records[-1].routed
    alone = runs.decide(_run(), nobody, "", 0, 1).output.records[-1].routed
    assert (after_others.reason, after_others.total, after_others.continues) == ("", 500, False)
    assert (alone.reason, alone.total) == (Reason.NO_RECIPIENT, 0)


def test_a_page_that_says_why_people_get_nothing() -> None:
    """Endpoints come with the first page, and its record has the reason, though pages follow."""
    webhook = trace_pb2.PlannedDelivery(delivery_id=new_id(), channel=event_pb2.CHANNEL_WEBHOOK, endpoint_id="e")
    plan = Plan(planned=[webhook], reason=Reason.NO_ACTIVE_TEMPLATE)
    (first,) = runs.decide(_run(), plan, "next", 500, 1).output.records
    assert (first.routed.reason, first.routed.continues) == (Reason.NO_ACTIVE_TEMPLATE, True)
    nobody = Plan(planned=[webhook], reason=Reason.NO_RECIPIENT)
    assert runs.decide(_run(), nobody, "next", 0, 1).output.records[-1].routed.reason == ""
    assert runs.decide(_run(), nobody, "", 0, 1).output.records[-1].routed.reason == Reason.NO_RECIPIENT


def test_an_event_to_many_endpoints_is_large() -> None:
    """It waits for its turn among the large ones."""
    few, many = (
        event_pb2.Event(endpoints=event_pb2.EndpointSet(endpoint_ids=[new_id() for _ in range(number)]))
        for number in (runs.MAX_FEW, runs.MAX_FEW + 1)
    )
    assert (runs.is_large(few), runs.is_large(many)) == (False, True)


def test_deliveries_say_when_they_were_decided() -> None:
    """Long after their event was accepted: workers need not ask whether another copy was sent."""
    plan = Plan(deliveries=[event_pb2.Delivery(id=new_id(), accepted_at_us=1, variables=b"{}")])
    [delivery] = runs.decide(_run(), plan, "", 1, 5_000_000).output.deliveries
    assert (delivery.decided_at_us, delivery.accepted_at_us, delivery.variables) == (5_000_000, 1, b"")


def test_records_are_bounded_by_bytes_too() -> None:
    """A page of recipients with long addresses fits into the broker's messages."""
    recipient = event_pb2.Recipient(user_id="u" * 255, email="e" * 1000, phone="1" * 1000)
    planned = [trace_pb2.PlannedDelivery(delivery_id=new_id(), recipient=recipient) for _ in range(500)]
    records = runs.decide(_run(), Plan(planned=planned), "", 500, 1).output.records
    assert len(records) > 1
    assert sum(len(record.routed.deliveries) for record in records) == 500
    assert max(record.ByteSize() for record in records) <= MAX_PLANNED_BYTES + 1024
    assert [record.routed.continues for record in records] == [True] * (len(records) - 1) + [False]


def test_a_pause_grows_with_the_wait() -> None:
    """From a quarter of a second to a quarter of a minute."""
    seconds = [runs.pause_s(0, at * 1_000_000) for at in (0, 20, 3600)]
    assert seconds == [0.25, 5.0, 15.0]


def test_events_that_earlier_versions_would_plan_otherwise() -> None:
    """They say so by their scheme, and their runs are in lanes that earlier routers do not look at."""
    contact = event_pb2.Target(contact=event_pb2.Contact(recipient=event_pb2.Recipient(email="a@example.com")))
    later = [
        event_pb2.Event(workflows=event_pb2.WorkflowSet()),
        event_pb2.Event(direct=event_pb2.DirectMessage(template_key="t")),
        *[
            event_pb2.Event(audience=[target])
            for target in (
                contact,
                event_pb2.Target(segment_id=new_id()),
                event_pb2.Target(tags=event_pb2.TagSet(tags=["vip"])),
            )
        ],
    ]
    today = [
        event_pb2.Event(recipient=event_pb2.Recipient(user_id="a")),
        event_pb2.Event(audience=[event_pb2.Target(group="g"), event_pb2.Target()]),
    ]
    for event in (*later, *today):
        event.tenant_id = new_id()
    assert [delivery_ids.scheme_of(event) for event in later] == [2] * len(later)
    assert [delivery_ids.scheme_of(event) for event in today] == [delivery_ids.CURRENT_SCHEME] * len(today)
    assert all(runs.FIRST_LATER_LANE <= runs.lane_of(event) < runs.LANES for event in later)
    assert all(0 <= runs.lane_of(event) < runs.FIRST_LATER_LANE for event in today)


def test_what_has_a_run() -> None:
    """An event that starts workflows, or is for a contact: its people are not known without a look."""
    started = event_pb2.WorkflowSet(workflows=[event_pb2.WorkflowVersion(workflow_id=new_id(), version=1)])
    recipient = event_pb2.Recipient(user_id="a")
    contact = event_pb2.Target(contact=event_pb2.Contact(recipient=recipient))
    assert runs.has_run(event_pb2.Event(recipient=recipient, workflows=started))
    assert runs.has_run(event_pb2.Event(audience=[contact]))
    assert not runs.has_run(event_pb2.Event(recipient=recipient, workflows=event_pb2.WorkflowSet()))
    assert not runs.has_run(event_pb2.Event(recipient=recipient))
