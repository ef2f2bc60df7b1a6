"""What a process reports of its attempts."""

from typing import Any

import pytest

from services.delivery.attempts import Made
from services.delivery.ports import SendResult, Verdict
from services.domain.endpoints import Endpoint
from services.domain.reasons import Reason
from services.senders.webhooks.parking.breaker import Observation, Seen
from services.senders.webhooks.parking.ports import EndpointKey
from services.senders.webhooks.parking.watcher import EndpointWatcher
from tests.unit.senders.builders import TENANT
from tests.unit.senders.webhooks.builders import delivery
from tests.unit.senders.webhooks.parking.fakes import KnownEndpoints, NotedStates

KEY = EndpointKey(TENANT, "018f1a2c-0000-7000-8000-00000000e001")
OK = SendResult(Verdict.SENT, "webhook")
DOWN = SendResult(Verdict.TRANSIENT, "webhook", Reason.ENDPOINT_TIMEOUT)


@pytest.fixture
def states() -> NotedStates:
    """Nothing was reported yet."""
    return NotedStates()


@pytest.fixture
def watcher(states: NotedStates) -> EndpointWatcher:
    """A watcher that knows the endpoint."""
    endpoint = Endpoint(id=KEY.endpoint_id, environment_id="e1", revision=3)
    known: Any = KnownEndpoints({KEY: endpoint})
    reported: Any = states
    return EndpointWatcher(reported, known)


def see(
    watcher: EndpointWatcher,
    result: SendResult,
    started_us: int = 5,
    *,
    event_type: str = "order.paid",
    attempt: int = 1,
) -> None:
    """Let it see an attempt."""
    tried = delivery(KEY.endpoint_id, event_type=event_type)
    tried.attempt = attempt
    watcher.observe(tried, Made(result, started_us, started_us))


async def test_an_endpoint_that_is_well_costs_nothing(watcher: EndpointWatcher, states: NotedStates) -> None:
    """Only the first success after a failure is reported."""
    for result in (OK, OK, DOWN, OK, OK):
        see(watcher, result)
    await watcher.drain()
    assert [one.seen for _, one in states.seen] == [Seen.FAILED, Seen.SUCCEEDED]


async def test_a_retry_that_succeeds_is_reported(watcher: EndpointWatcher, states: NotedStates) -> None:
    """Another process saw the failure: otherwise the endpoint would be taken for failing."""
    see(watcher, OK, attempt=2)
    await watcher.drain()
    assert [one.seen for _, one in states.seen] == [Seen.SUCCEEDED]


async def test_failures_that_wait_are_reported_together(watcher: EndpointWatcher, states: NotedStates) -> None:
    """With how many they are, and the endpoint's revision."""
    for started_us in (9, 7, 8):
        see(watcher, DOWN, started_us)
    await watcher.drain()
    assert states.seen == [(KEY, Observation(Seen.FAILED, started_us=7, count=3, revision=3))]


async def test_faults_of_ours_are_not_reported(watcher: EndpointWatcher, states: NotedStates) -> None:
    """They say nothing about the endpoint."""
    see(watcher, SendResult(Verdict.TRANSIENT, "", Reason.INTERNAL_ERROR))
    see(watcher, SendResult(Verdict.PERMANENT, "", Reason.ADDRESS_NOT_ALLOWED))
    await watcher.drain()
    assert states.seen == []


async def test_operational_events_and_wishes_are_told_apart(watcher: EndpointWatcher, states: NotedStates) -> None:
    """The breaker treats them in their own ways."""
    throttled = SendResult(Verdict.THROTTLED, "", Reason.ENDPOINT_THROTTLED, retry_after_s=60)
    see(watcher, throttled, event_type="endpoint.down")
    await watcher.drain()
    [(_, seen)] = states.seen
    assert (seen.wish_s, seen.is_operational) == (60, True)


async def test_410_is_noted(watcher: EndpointWatcher, states: NotedStates) -> None:
    """The endpoint of this revision is to be disabled."""
    see(watcher, DOWN)
    see(watcher, SendResult(Verdict.PERMANENT, "webhook", Reason.ENDPOINT_ANSWERED_GONE))
    await watcher.drain()
    assert states.disabled == [(KEY, "gone", 3)]


async def test_without_the_database_nothing_stays_behind(watcher: EndpointWatcher, states: NotedStates) -> None:
    """The next failure is reported as usual."""
    states.is_away = True
    see(watcher, DOWN)
    await watcher.drain()
    states.is_away = False
    see(watcher, DOWN)
    await watcher.drain()
    assert len(states.seen) == 1


async def test_a_success_after_a_failure_of_a_row_is_reported(watcher: EndpointWatcher, states: NotedStates) -> None:
    """A delivery that the endpoint never takes must not open the breaker of one that takes all others."""
    watcher.note_failure(KEY)
    see(watcher, OK)
    await watcher.drain()
    assert [one.seen for _, one in states.seen] == [Seen.SUCCEEDED]
