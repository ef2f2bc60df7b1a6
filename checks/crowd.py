"""Events for 100 described recipients, and for a group of 100,000: `python -m checks.crowd`.

Prints the memory of the processes, the bytes in the streams for each delivery, the time to the last delivery, and what
another tenant notices meanwhile; then a run is paused, resumed and canceled in the middle. A stack of its own.
"""

import argparse
import asyncio
import itertools
import os
import secrets
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import asyncpg
import msgspec

from bench.figures import percentile
from checks.client import Operator, Tenant, connect
from checks.growth import Growth, growth
from checks.own_stack import own_stack
from checks.report import Report
from checks.services import Services, services
from checks.siege import neighbour, records
from checks.siege.neighbour import Sent
from checks.siege.records import Records
from checks.waiting import CheckError, expect, until
from clarion.router.v1 import recipients_pb2, segments_pb2, workflows_pb2
from runtime.errors import ClarionError
from stack.client import Running
from stack.faults import StackError

MEMBERS = 100_000
ROUTERS = 2
EVENT_TYPE, GROUP = "check.crowd", "everyone"
# Starts a workflow that waits so long first, seconds.
LATER_TYPE, LATER_S = "check.crowd.later", 30
# Bytes of the bodies.
SMALL, LARGE = 200, 100_000
_DESCRIBED = 100
# Of the other tenant's load, a second; and how long it is watched alone, seconds.
_RATE, _ALONE_S = 10.0, 15.0
# How many members a second the slowest machine manages, and what any run may take, seconds.
_SLOWEST, _LEAST_S = 40.0, 120.0
# How long a page in hand may take when a run is paused, and how long it must not go on then, seconds.
_IN_HAND_S, _STILL_S = 5.0, 6.0
_UNFINISHED = 2_000_000
_ROWS = "SELECT count(*) AS rows FROM senders.outbox WHERE tenant_id = $1 AND event_id = $2"
_OUTBOX = """
SELECT count(*) AS rows, count(DISTINCT delivery_id) AS ids,
    coalesce(extract(epoch FROM max(recorded_at)), 0)::float8 AS last
FROM senders.outbox WHERE tenant_id = $1 AND event_id = $2
"""
_SHOWN = ("router", "router-2", "ingest", "senders", "nats", "postgres", "gateway")


class Crowd:
    """The checks, in order."""

    def __init__(self, running: Running, operator: Operator, tenant: Tenant, calls: Services, members: int) -> None:
        self._running = running
        self._operator = operator
        self._tenant = tenant
        self._calls = calls
        self.members = members
        self._audience: list[dict[str, Any]] = [{"group": GROUP}]
        self._deadline_s = _LEAST_S + members / _SLOWEST

    async def prepare(self) -> str:
        """Store the group."""
        began = time.monotonic()
        people = [
            recipients_pb2.StoredRecipient(
                recipient_id=f"u{number:06}", phone=f"+25471{2_000_000 + number}", tags=[GROUP]
            )
            for number in range(self.members)
        ]
        await self._calls.store_group(self._tenant.id, GROUP, people)
        return f"in {time.monotonic() - began:.0f} s"

    async def use_a_segment(self) -> None:
        """Send to a segment of them all from now on, by workflows."""
        rule = {"field": "tags", "op": "has_all", "value": [GROUP]}
        segment = segments_pb2.Segment(
            tenant_id=self._tenant.id, key=GROUP, name=GROUP, filter=msgspec.json.encode(rule)
        )
        self._audience = [{"segment_id": await self._calls.create_segment(segment)}]
        send = {"id": "news", "kind": "send", "channel": "SMS", "template": {"key": EVENT_TYPE}}
        wait = {"id": "wait", "kind": "delay", "for_s": LATER_S}
        for event_type, steps in ((EVENT_TYPE, [send]), (LATER_TYPE, [wait, send])):
            workflow = workflows_pb2.Workflow(
                tenant_id=self._tenant.id,
                name=event_type,
                event_type=event_type,
                active=True,
                document=msgspec.json.encode({"steps": steps}),
            )
            await self._calls.create_workflow(workflow)

    async def described(self) -> str:
        """Send an event to recipients whom it describes."""
        audience = [{"recipient": {"user_id": f"d{number}", "phone": "+254712345678"}} for number in range(_DESCRIBED)]
        async with growth(self._running) as grown:
            began = time.time()
            event_id = await self._send(audience, SMALL)
            took = await self._all_recorded(event_id, _DESCRIBED) - began
            await asyncio.sleep(2.0)  # the ledger's records
        print(f"\n{_DESCRIBED} described recipients\n\n{grown.stream_table(_DESCRIBED)}\n", flush=True)
        return f"last delivery after {took:.2f} s"

    async def group(self, body: int, event_type: str = EVENT_TYPE) -> str:
        """Send an event to the group, or the segment, and print what it took."""
        async with growth(self._running) as grown:
            began = time.time()
            event_id = await self._send(self._audience, body, event_type)
            await self._in_state(event_id, "done")
            planned = time.time() - began
            took = await self._all_recorded(event_id, self.members) - began
            await self._finished(event_id)
        self._print(body, grown)
        return f"all published after {planned:.1f} s, last delivery after {took:.1f} s"

    async def pause_and_cancel(self) -> str:
        """Pause, resume and cancel in the middle."""
        event_id = await self._send(self._audience, SMALL)
        await self._read(event_id, self.members // 5)
        await self._change(event_id, "pause")
        paused = await self._still(event_id)
        expect(paused["state"] == "paused" and paused["sends"] < self.members, f"{paused}")
        await self._change(event_id, "resume")
        await self._read(event_id, max(self.members // 2, paused["recipients"] + 1))
        before = (await self._outbox(event_id))["ids"]
        path = f"/tenants/{self._tenant.id}/events/{event_id}/cancel"
        canceled = (await self._operator.must("POST", path))["run"]
        expect(canceled["state"] == "canceled" and canceled["sends"] < self.members, f"{canceled}")
        await self._finished(event_id)
        after = await self._outbox(event_id)
        expect(after["rows"] == after["ids"], f"{after['rows'] - after['ids']} were sent twice")
        expect(after["ids"] <= canceled["sends"], f"{after['ids']} sent, {canceled['sends']} planned")
        return (
            f"paused at {paused['recipients']:,} recipients; canceled at {canceled['sends']:,} planned: {before:,}"
            f" were sent by then, {after['ids'] - before:,} in hand were sent, the rest was not"
        )

    async def _send(self, audience: list[dict[str, Any]], body: int, event_type: str = EVENT_TYPE) -> str:
        event = {"event_type": event_type, "audience": audience, "variables": {"title": "Lamps", "more": "x" * body}}
        accepted = await self._operator.must("POST", f"/tenants/{self._tenant.id}/events", json=event)
        return str(accepted["event_id"])

    async def _run(self, event_id: str) -> dict[str, Any]:
        answer = await self._operator.call("GET", f"/events/{event_id}/run")
        expect(answer.status == 200, f"the run was answered {answer.status}: {answer.body}")
        return dict(answer.body)

    async def _change(self, event_id: str, change: str) -> None:
        await self._operator.must("POST", f"/events/{event_id}/run/{change}")

    async def _in_state(self, event_id: str, state: str) -> None:
        async def is_in_state() -> bool:
            run = await self._run(event_id)
            expect(run["state"] == state, f"{run}")
            return True

        await until(is_in_state, f"state {state}", deadline=self._deadline_s, every=0.25)

    async def _read(self, event_id: str, recipients: int) -> None:
        """Wait until a run has read so many recipients."""

        async def has_read() -> bool:
            run = await self._run(event_id)
            expect(run["recipients"] >= recipients, f"{run}")
            return True

        await until(has_read, f"{recipients:,} recipients", deadline=self._deadline_s, every=0.05)

    async def _still(self, event_id: str) -> dict[str, Any]:
        """Return a paused run. Raises CheckError if it goes on."""
        await asyncio.sleep(_IN_HAND_S)
        before = await self._run(event_id)
        await asyncio.sleep(_STILL_S)
        after = await self._run(event_id)
        expect(before == after, f"it went on from {before} to {after}")
        return after

    async def _finished(self, event_id: str) -> None:
        """Wait until the ledger knows what became of every delivery."""
        deadline = self._deadline_s
        await until(lambda: self._operator.finished(event_id), "the event in the ledger", deadline=deadline, every=1.0)

    async def _all_recorded(self, event_id: str, count: int) -> float:
        """Wait until every message is recorded, each once; return when the last one was, Unix seconds."""

        async def all_recorded() -> bool:
            rows = (await self._query(_ROWS, event_id))["rows"]
            expect(rows >= count, f"{rows} of {count} recorded")
            return True

        await until(all_recorded, "every message", deadline=self._deadline_s, every=1.0)
        outbox = await self._outbox(event_id)
        expect(outbox["rows"] == outbox["ids"] == count, f"{outbox['rows']} rows, {outbox['ids']} deliveries")
        return float(outbox["last"])

    async def _outbox(self, event_id: str) -> asyncpg.Record:
        return await self._query(_OUTBOX, event_id)

    async def _query(self, query: str, event_id: str) -> asyncpg.Record:
        url = self._running.variables["CLARION_POSTGRES_URL"]
        connection = await asyncpg.connect(url, timeout=5, command_timeout=30)
        try:
            row = await connection.fetchrow(query, self._tenant.id, event_id)
        finally:
            await connection.close()
        if row is None:
            raise CheckError("no counts")
        return row

    def _print(self, body: int, grown: Growth) -> None:
        title = f"{self.members:,} recipients, a body of {body:,} bytes"
        print(f"\n{title}\n\n{grown.memory_table(_SHOWN)}\n\n{grown.stream_table(self.members)}\n", flush=True)


async def create_tenant(operator: Operator) -> Tenant:
    """Create the tenant of the group."""
    name = f"Crowd {secrets.token_hex(2)}"
    tenant = await operator.create_tenant(name, providers={"SMS": ("sandbox", {})})
    await operator.must("PATCH", f"/tenants/{tenant.id}", json={"max_unfinished_events": _UNFINISHED})
    await operator.create_template(tenant, EVENT_TYPE, "SMS", "News: {{title}}")
    return tenant


def phase(name: str, sent: list[Sent], found: Records, began: float, ended: float) -> str:
    """Return a table's row for the other tenant's events that were due between two times."""
    events = [one for one in sent if began <= one.due < ended]
    accepts = sorted(one.answered - one.due for one in events if one.status == 200)
    reached = sorted(found.first["SMS"][one.id] - one.due for one in events if one.id in found.first["SMS"])
    figures = [f"{percentile(times, share) * 1000:.0f}" for times in (accepts, reached) for share in (0.5, 0.95)]
    refused = sum(one.status != 200 for one in events)
    missing = len(accepts) - len(reached)
    return f"| {name} | {len(events)} | {' | '.join(figures)} | {refused} | {missing} |"


_PHASES = (
    "the other tenant, ms\n| | events | accept p50 | p95 | end to end p50 | p95 | refused | missing |\n"
    "|---|---|---|---|---|---|---|---|"
)


def _checks(crowd: Crowd, *, by_segment: bool) -> Sequence[tuple[str, Callable[[], Awaitable[str]]]]:
    if by_segment:
        return (
            ("segment, small body", partial(crowd.group, SMALL)),
            (f"segment, after {LATER_S} s", partial(crowd.group, SMALL, LATER_TYPE)),
            ("paused, resumed, canceled", crowd.pause_and_cancel),
        )
    return (
        (f"{_DESCRIBED} described", crowd.described),
        ("group, small body", partial(crowd.group, SMALL)),
        ("group, large body", partial(crowd.group, LARGE)),
        ("paused, resumed, canceled", crowd.pause_and_cancel),
    )


async def _main(arguments: argparse.Namespace) -> int:
    report = Report()
    async with (
        own_stack(report, "crowd", replicas={"router": ROUTERS}) as running,
        connect(running.state) as client,
        services(running) as calls,
    ):
        tenant = await create_tenant(client.operator)
        crowd = Crowd(running, client.operator, tenant, calls, max(1_000, int(MEMBERS * arguments.scale)))
        if not await report.check(f"{crowd.members:,} recipients are stored", crowd.prepare):
            return report.end()
        if arguments.segment:
            await crowd.use_a_segment()
        other = await neighbour.create(client.operator, f"Other {secrets.token_hex(2)}")
        order = neighbour.Order(
            url=running.url,
            tenant_id=other.id,
            api_key=other.api_key,
            run=f"c{secrets.token_hex(3)}-",
            rate=_RATE,
            channels=["SMS", "PUSH"],
        )
        times: list[tuple[str, float]] = []
        async with neighbour.neighbour(order) as steady:
            times.append(("alone", time.time()))
            await asyncio.sleep(_ALONE_S)
            for name, check in _checks(crowd, by_segment=arguments.segment):
                times.append((name, time.time()))
                await report.check(name, check)
            times.append(("", time.time()))
            sent = (await steady.end()).sent
        accepted = {one.id for one in sent if one.status == 200}
        found = await records.complete(running.variables["CLARION_POSTGRES_URL"], other.id, accepted, ["SMS"], 60.0)
        rows = [phase(name, sent, found, began, ended) for (name, began), (_, ended) in itertools.pairwise(times)]
        print("\n" + "\n".join([_PHASES, *rows]) + "\n", flush=True)

        async def lost_nothing() -> None:
            lost, repeated = found.missing(accepted, ["SMS"]), found.repeated()
            expect(not lost and not repeated, f"{lost} lost, {repeated} twice")

        await report.check("the other tenant lost nothing, and got nothing twice", lost_nothing)
    return report.end()


def main() -> None:
    """Run the checks. Exit with status 1 if one fails."""
    parser = argparse.ArgumentParser(prog="python -m checks.crowd", description=__doc__.splitlines()[0])
    scale = float(os.environ.get("SCALE", "1"))
    parser.add_argument("--scale", type=float, default=scale, help=f"times {MEMBERS:,} members (SCALE, else 1)")
    parser.add_argument("--segment", action="store_true", help="send to a segment, by stored workflows")
    try:
        status = asyncio.run(_main(parser.parse_args()))
    except (StackError, CheckError, ClarionError) as error:
        print(f"checks.crowd: {error}", file=sys.stderr)
        status = 1
    raise SystemExit(status)


if __name__ == "__main__":
    main()
