"""Plans as records of at most 500 decisions, which together are the plan."""

from hypothesis import given
from hypothesis import strategies as st

from clarion.common.v1 import trace_pb2
from services.router.messages import MAX_PLANNED, Plan, records
from tests.unit.router.planning import an_event


def _plan(*numbers: int) -> Plan:
    return Plan(planned=[trace_pb2.PlannedDelivery(delivery_id=str(number)) for number in numbers])


def test_a_small_plan_is_one_record() -> None:
    """It closes the plan, and its own deliveries are all."""
    event = an_event()
    assert records(event, _plan(1, 2)) == [
        trace_pb2.TraceRecord(
            event_id=event.id,
            tenant_id=event.tenant_id,
            routed=trace_pb2.Routed(
                deliveries=[
                    trace_pb2.PlannedDelivery(delivery_id="1"),
                    trace_pb2.PlannedDelivery(delivery_id="2"),
                ]
            ),
        )
    ]


def test_why_there_is_nothing_to_send() -> None:
    """One record, with the reason."""
    (record,) = records(an_event(), Plan(reason="no_active_template"))
    assert record.HasField("routed")
    assert record.routed == trace_pb2.Routed(reason="no_active_template")


@given(st.lists(st.integers(0, 1200), max_size=4))
def test_the_records_of_several_pages_rejoin(sizes: list[int]) -> None:
    """Nothing is lost or doubled, whatever the pages; the last record alone closes the plan and has the total."""
    numbers = iter(range(10_000))
    pages = [_plan(*[next(numbers) for _ in range(size)]) for size in sizes]
    total = sum(sizes)
    written = [record.routed for page in pages for record in records(an_event(), page, closes=False)]
    written += [record.routed for record in records(an_event(), _plan(), before=total)]
    assert [int(one.delivery_id) for part in written for one in part.deliveries] == list(range(total))
    assert all(len(part.deliveries) <= MAX_PLANNED for part in written)
    assert [part.continues for part in written] == [True] * (len(written) - 1) + [False]
    assert [part.total for part in written] == [0] * (len(written) - 1) + [total]


@given(st.integers(0, 2800))
def test_a_long_plan_is_several_records(total: int) -> None:
    """The last one has the total, which is left out where the only record tells it."""
    written = [record.routed for record in records(an_event(), _plan(*range(total)))]
    assert [int(one.delivery_id) for part in written for one in part.deliveries] == list(range(total))
    assert len(written) == max(1, -(-total // MAX_PLANNED))
    assert written[-1].total == (total if total > MAX_PLANNED else 0)
    assert [part.continues for part in written] == [True] * (len(written) - 1) + [False]
