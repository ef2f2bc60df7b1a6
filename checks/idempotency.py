"""A hundred concurrent calls for one event, over all gateways and ingest processes, before and after a kill of all."""

import asyncio
import secrets
from functools import partial

import aiohttp

from checks.client import Answer, Client, connect, order
from checks.report import Report
from checks.waiting import expect, until
from stack.client import Running

CALLS = 100
_SERVICES = ("ingest", "router", "render", "senders", "realtime", "gateway")
_DELIVERED_S = 30.0
_BACK_S = 30.0


class Hundred:
    """One event that is triggered a hundred times at once, repeatedly, with a key or only by its content."""

    def __init__(self, client: Client, *, keyed: bool = True) -> None:
        self._client = client
        self._keyed = keyed
        self._key = f"H-{secrets.token_hex(4)}"
        self._user = f"user-{self._key}"
        self._event = order(self._key, self._user)
        self._event_id = ""

    async def call(self) -> str:
        """Send the calls. All responses must be the same 200."""
        answers = await asyncio.gather(*(self._one() for _ in range(CALLS)))
        seen = {(answer.status, str(answer.body), answer.event_id) for answer in answers}
        expect(len(seen) == 1, f"the answers differ: {sorted(seen)[:4]}")
        expect(answers[0].status == 200, f"they were answered {answers[0].status}: {answers[0].body}")
        event_id = answers[0].event_id
        expect(self._event_id in ("", event_id), f"it was {self._event_id}, now it is {event_id}")
        self._event_id = event_id
        return f"{len(answers)} answers, 1 event: {event_id}"

    async def is_one(self) -> str:
        """Check that there is one event with one delivery per channel, once a later event is finished."""
        later = await self._client.tenant.accept(order(f"{self._key}-{secrets.token_hex(2)}", self._user))
        operator = self._client.operator
        for event_id in (self._event_id, later):
            await until(partial(operator.finished, event_id), "the event's end", deadline=_DELIVERED_S)
        found = await operator.must("GET", f"/events?recipient={self._user}")
        ids = [event["id"] for event in found["data"]]
        expect(ids.count(self._event_id) == 1, f"the ledger has {ids}")
        channels = sorted(message["channel"] for message in await operator.outbox(self._event_id))
        expect(channels == ["EMAIL", "SMS"], f"the outbox has {channels}")
        kept = [kept["title"] for kept in await self._client.tenant.whole_inbox(self._user)]
        expect(kept.count(f"Order {self._key} confirmed") == 1, f"the inbox has {kept}")
        return f"1 event, {channels.count('EMAIL')} e-mail, {channels.count('SMS')} SMS, 1 notification"

    async def _one(self) -> Answer:
        headers = {"X-Idempotency-Key": self._key} if self._keyed else None
        return await self._client.tenant.trigger(self._event, headers=headers)


async def kill_all(running: Running, client: Client) -> str:
    """Kill NATS and all our processes at once, and wait until they are back."""
    names = [name for name in running.state.processes if name.split("-")[0] in _SERVICES or name == "nats"]
    starts = {name: running.kill(name) for name in names}
    for name, before in starts.items():
        await running.wait_restarted(name, before, deadline=_BACK_S)

    await until(lambda: is_healthy(running, client), "the health of all", deadline=_BACK_S)
    return ", ".join(names)


async def is_healthy(running: Running, client: Client) -> bool:
    """Whether all gateways say that everything is well."""
    try:
        answers = [await client.operator.health() for _ in running.state.urls]
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False
    return all(answer.status == 200 for answer in answers)


async def run(running: Running, report: Report) -> None:
    """Run the check, and repeat it after everything was killed."""
    state = running.state
    ingests = sum(name.split("-")[0] == "ingest" and "metrics" not in name for name in state.processes)
    over = f"over {len(state.urls)} gateways and {ingests} ingest processes"
    async with connect(state, connections=2 * CALLS) as client:
        kinds = {"one key": Hundred(client), "one content": Hundred(client, keyed=False)}
        for name, hundred in kinds.items():
            await report.check(f"{CALLS} calls at once with {name} {over}: one answer", hundred.call)
            await report.check("one event, one delivery per channel", hundred.is_one)
        await report.check("kill -9 of NATS and every service", lambda: kill_all(running, client))
        for name, hundred in kinds.items():
            await report.check(f"{CALLS} calls again with {name}: the same answer", hundred.call)
            await report.check("still one event, one delivery per channel", hundred.is_one)
