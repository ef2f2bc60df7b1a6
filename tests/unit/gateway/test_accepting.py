"""The gateway's groups of events: what goes to ingest with which deadline, and what never goes."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from clarion.ingest.v1 import ingest_pb2
from gateway.accepting import DEADLINE_S, LONGEST_S, STORING_S, TriggerBatcher
from gateway.revisions import Revisions
from runtime.errors import ClarionError, Code

_NOW_US = 1_800_000_000_000_000


@dataclass
class Ingest:
    """Stands for gateway.clients.Clients: accepts every event. gate: calls wait for it."""

    calls: list[tuple[ingest_pb2.AcceptEventsRequest, float]] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    AcceptEvents: str = "AcceptEvents"

    @property
    def ingest(self) -> "Ingest":
        """The stub."""
        return self

    async def call(self, _: Any, request: ingest_pb2.AcceptEventsRequest, *, deadline: float) -> Any:
        """Answer, once the gate is open."""
        self.calls.append((request, deadline))
        await self.gate.wait()
        accepted = ingest_pb2.AcceptResult(accepted=ingest_pb2.Accepted(event_id="e"))
        return ingest_pb2.AcceptEventsResponse(results=[accepted] * len(request.items))


def batcher(ingest: Ingest, **options: Any) -> TriggerBatcher:
    """Return a batcher before this ingest."""
    clients: Any = ingest
    return TriggerBatcher(clients, max_waiting_bytes=10_000, now=lambda: _NOW_US, **options)


def event(**fields: Any) -> ingest_pb2.NewEvent:
    """Return an event."""
    return ingest_pb2.NewEvent(event_type="a.b", **fields)


def to_subscribers(**fields: Any) -> ingest_pb2.NewEvent:
    """Return an event for endpoints."""
    return event(to_endpoints=ingest_pb2.ToEndpoints(subscribers=ingest_pb2.Subscribers()), **fields)


async def test_events_for_endpoints_carry_the_tenants_newest_revision() -> None:
    """Others do not need it. They go in calls of their own, so that neither waits for the other."""
    ingest, revisions = Ingest(), Revisions()
    ingest.gate.set()
    revisions.remember("t", 7)
    accepting = batcher(ingest, revisions=revisions)
    events = (("t", to_subscribers()), ("s", to_subscribers()), ("t", event()))
    await asyncio.gather(*[accepting.accept(tenant_id, one) for tenant_id, one in events])
    seen = [[(item.tenant_id, item.revision) for item in request.items] for request, _ in ingest.calls]
    assert sorted(seen) == [[("t", 0)], [("t", 7), ("s", 0)]]


@pytest.mark.parametrize(
    ("left_s", "deadline"), [(None, DEADLINE_S), (-1, STORING_S - 1), (5, 5 + STORING_S), (3600, LONGEST_S)]
)
async def test_a_call_ends_when_ingest_knows_what_is_stored(left_s: int | None, deadline: float) -> None:
    """Not when the time is over by which its event was to be answered."""
    ingest = Ingest()
    ingest.gate.set()
    by = 0 if left_s is None else _NOW_US + left_s * 1_000_000
    await batcher(ingest).accept("t", event(answer_by_us=by))
    assert [used for _, used in ingest.calls] == [max(deadline, DEADLINE_S)]


async def test_an_event_whose_time_is_over_is_never_sent() -> None:
    """TIMEOUT while the call before it hangs; one that was sent is waited for."""
    ingest = Ingest()
    accepting = batcher(ingest)
    soon = _NOW_US + 10_000
    sent = asyncio.create_task(accepting.accept("t", event(answer_by_us=soon)))
    await asyncio.sleep(0)
    late = asyncio.create_task(accepting.accept("t", event(answer_by_us=soon)))
    with pytest.raises(ClarionError) as refused:
        await late
    assert refused.value.code is Code.TIMEOUT
    assert not sent.done()
    ingest.gate.set()
    assert (await sent).event_id == "e"
    await accepting.accept("t", event())
    assert sum(len(request.items) for request, _ in ingest.calls) == 2
