"""One event stays one: the same call again, a hundred at once, and after everything was killed."""

from pathlib import Path

import msgspec
import pytest

from checks.client import Client, connect, order
from checks.idempotency import Hundred, kill_all
from checks.waiting import until
from stack.client import Running
from tests.e2e.logs import secrets_in_logs

pytestmark = pytest.mark.slow


async def _channels(client: Client, event_id: str) -> list[str]:
    """Return the channels on which a finished event was delivered, once for each time."""
    await until(lambda: client.operator.finished(event_id), "the event's end", deadline=20)
    return sorted(message["channel"] for message in await client.operator.outbox(event_id))


async def test_the_same_call_twice_is_one_event(mortal_stack: Running) -> None:
    """By its content, over two gateways, whatever the order of its keys: the same answer, one delivery a channel."""
    async with connect(mortal_stack.state) as client:
        event = order("T-1", "twice")
        first = await client.tenant.trigger(event)
        turned = msgspec.json.encode(
            {**dict(reversed(event.items())), "payload": dict(reversed(event["payload"].items()))}
        )
        again = await client.tenant.trigger(raw=turned)
        assert (first.status, first.body) == (again.status, again.body)
        assert first.status == 200
        assert first.event_id == again.event_id
        later = await client.tenant.accept(order("T-2", "twice"))
        assert later != first.event_id
        assert await _channels(client, later) == ["EMAIL", "SMS"]
        assert await _channels(client, first.event_id) == ["EMAIL", "SMS"]
        titles = [kept["title"] for kept in await client.tenant.whole_inbox("twice")]
        assert sorted(titles) == ["Order T-1 confirmed", "Order T-2 confirmed"]


async def test_a_hundred_at_once_are_one_before_and_after_everything_was_killed(
    mortal_stack: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    """By key and by content, over two gateways and four ingest processes; then again after kill -9 of all of them."""
    state = mortal_stack.state
    assert len(state.urls) == 2
    assert "ingest-4" in state.processes
    async with connect(state, connections=200) as client:
        kinds = [Hundred(client), Hundred(client, keyed=False)]
        said = [f"{await hundred.call()}; {await hundred.is_one()}" for hundred in kinds]
        killed = await kill_all(mortal_stack, client)
        assert {"nats", "gateway", "gateway-2", *(f"ingest-{n}" for n in (2, 3, 4))} <= set(killed.split(", "))
        said.append(f"killed: {killed}")
        said += [f"{await hundred.call()}; {await hundred.is_one()}" for hundred in kinds]
    with capsys.disabled():
        print("", *said, sep="\n  ", end="", flush=True)


async def test_the_key_counts_not_the_content(mortal_stack: Running) -> None:
    """Another content under a used key is the first event; another key is another event; case matters."""
    async with connect(mortal_stack.state) as client:
        first = await client.tenant.accept(order("K-1", "keys"), headers={"X-Idempotency-Key": "key"})
        again = await client.tenant.accept(order("K-2", "keys"), headers={"X-Idempotency-Key": "key"})
        other = await client.tenant.accept(order("K-1", "keys"), headers={"X-Idempotency-Key": "Key"})
        assert first == again
        assert first != other
        assert await _channels(client, first) == ["EMAIL", "SMS"]
        assert await _channels(client, other) == ["EMAIL", "SMS"]


def test_no_secret_is_in_any_log(mortal_stack: Running) -> None:
    """Not even where everything died and reconnected."""
    assert secrets_in_logs(mortal_stack) == []
    assert Path(mortal_stack.data, "log", "ingest-2.log").stat().st_size > 0
