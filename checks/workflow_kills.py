"""Kills each service while workflow runs are at each of their steps: `python -m checks.workflow_kills`.

A workflow of six steps with two delays and a condition is started again and again, so that at each kill some runs are
at every step. Prints where they were, and how many messages were repeated. A stack of its own.
"""

import argparse
import asyncio
import secrets
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import asyncpg
import msgspec

from checks.client import Client, Tenant, connect
from checks.idempotency import is_healthy
from checks.own_stack import own_stack
from checks.report import Report
from checks.services import Services, services
from checks.waiting import CheckError, expect, until
from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from clarion.router.v1 import workflows_pb2
from runtime.errors import ClarionError
from stack.client import Running
from stack.faults import StackError

TARGETS = ("router", "ingest", "render", "senders", "realtime", "gateway", "nats", "postgres")
EVENT_TYPE = "check.steps"
DELAY_S = 2
# So many events in a second, and for how long; the kill is when the first ones have ended.
_RATE, _SECONDS = 25, 8.0
_KILL_AFTER_S = 3 * DELAY_S
_BACK_S, _FINISHED_S = 60.0, 180.0
PLACES = ("not begun", "first look", "first delay", "second look", "second delay", "third look", "ended")

_WHERE = """
SELECT r.event_id, w.position::text AS position, w.output IS NOT NULL OR w.wake_at <= now() + interval '29 s'
    AND w.wake_at > now() + interval '3 s' AS is_busy, w.finished_at IS NOT NULL AS is_ended
FROM router.runs r LEFT JOIN router.workflow_runs w ON w.run_id = r.id
WHERE r.tenant_id = $1
"""
_SENT = """
SELECT d.event_id, d.step, d.status, count(*) AS ids
FROM ingest.deliveries d JOIN ingest.events e ON e.id = d.event_id
WHERE e.tenant_id = $1
GROUP BY d.event_id, d.step, d.status
"""
_OUTBOX = "SELECT count(*) AS rows, count(DISTINCT delivery_id) AS ids FROM senders.outbox WHERE tenant_id = $1"


def document() -> dict[str, Any]:
    """Return the workflow."""

    def send(id_: str, channel: str) -> dict[str, Any]:
        return {"id": id_, "kind": "send", "channel": channel, "template": {"key": EVENT_TYPE}}

    return {
        "steps": [
            send("first", "EMAIL"),
            {"id": "pause", "kind": "delay", "for_s": DELAY_S},
            {
                "id": "was_sent",
                "kind": "condition",
                "rule": {"==": [{"var": "steps.first.status"}, "sent"]},
                "then": [send("second", "SMS")],
                "else": [send("other", "SMS")],
            },
            {"id": "rest", "kind": "delay", "for_s": DELAY_S},
            send("last", "EMAIL"),
        ]
    }


@dataclass
class Struck:
    """One kill. places: how many runs were where. repeated: messages that the sandbox got twice, of so many."""

    target: str
    events: Sequence[str] = ()
    places: Counter[str] = field(default_factory=Counter)
    back_s: float = 0.0
    repeated: int = 0
    messages: int = 0

    def __str__(self) -> str:
        cells = [str(self.places[place]) for place in PLACES]
        figures = [f"{self.back_s:.1f}", str(len(self.events)), str(self.messages), str(self.repeated)]
        return f"| {' | '.join([self.target, *cells, *figures])} |"


class Kills:
    """One tenant with the workflow, and what is killed under it."""

    def __init__(self, running: Running, client: Client, tenant: Tenant, calls: Services) -> None:
        self._running = running
        self._client = client
        self._tenant = tenant
        self._calls = calls
        self._earlier: set[str] = set()
        self._outbox = self._repeated = 0

    async def strike(self, target: str, *, seconds: float = _SECONDS) -> Struck:
        """Start runs, kill a service under them, and compare what became of them. Raises CheckError."""
        struck = Struck(target)
        starting = asyncio.create_task(self._start(int(seconds * _RATE)))
        await asyncio.sleep(min(_KILL_AFTER_S, seconds))
        struck.places = await self._where()
        names = [name for name in self._running.state.processes if name.split("-")[0] == target]
        starts = {name: self._running.kill(name) for name in names}
        began = time.monotonic()
        for name, before in starts.items():
            await self._running.wait_restarted(name, before, deadline=_BACK_S)
        await until(lambda: is_healthy(self._running, self._client), "the health of all", deadline=_BACK_S)
        struck.back_s = time.monotonic() - began
        struck.events = await starting
        await until(lambda: self._complete(struck.events), "the end of every run", deadline=_FINISHED_S, every=0.5)
        await self._compare(struck)
        return struck

    async def _start(self, number: int) -> Sequence[str]:
        """Start runs, so many in a second; return their events."""
        tasks = []
        for at in range(number):
            tasks.append(asyncio.create_task(self._accept(_event(f"{at}"))))
            await asyncio.sleep(1 / _RATE)
        return list(await asyncio.gather(*tasks))

    async def _accept(self, event: ingest_pb2.NewEvent) -> str:
        """Start a run, however often that must be tried: its key makes it one event."""

        async def accepted() -> str:
            try:
                (event_id,) = await self._calls.accept(self._tenant.id, [event])
            except ClarionError as error:
                raise CheckError(error.detail) from error
            return event_id

        return await until(accepted, "an accepted event", deadline=_BACK_S, every=0.2)

    async def _where(self) -> Counter[str]:
        rows = [row for row in await self._query(_WHERE) if str(row["event_id"]) not in self._earlier]
        return Counter(map(_place, rows))

    async def _complete(self, events: Sequence[str]) -> bool:
        """Whether each step of each event's run was sent."""
        wanted = set(events)
        sent = Counter(str(row["event_id"]) for row in await self._query(_SENT) if row["status"] == _SENT_STATUS)
        left = [id_ for id_ in wanted if sent[id_] < 3]
        expect(not left, f"{len(left)} of {len(wanted)} have not sent three messages, such as {left[:2]}")
        return True

    async def _compare(self, struck: Struck) -> None:
        """Compare deliveries with steps: one id for each step."""
        wanted = set(struck.events)
        expect(len(wanted) == len(struck.events), "two events have the same id")
        by_event: dict[str, list[str]] = {id_: [] for id_ in wanted}
        for row in await self._query(_SENT):
            if str(row["event_id"]) in wanted:
                by_event[str(row["event_id"])] += [row["step"]] * row["ids"]
        allowed = (["first", "last", "second"], ["first", "last", "other"])
        wrong = {id_: steps for id_, steps in by_event.items() if sorted(steps) not in allowed}
        expect(not wrong, f"{len(wrong)} events have other deliveries, such as {list(wrong.items())[:2]}")
        (outbox,) = await self._query(_OUTBOX)
        struck.messages = outbox["ids"] - self._outbox
        struck.repeated = outbox["rows"] - outbox["ids"] - self._repeated
        self._outbox, self._repeated = outbox["ids"], outbox["rows"] - outbox["ids"]
        self._earlier |= wanted

    async def _query(self, query: str) -> Sequence[asyncpg.Record]:
        try:
            connection = await asyncpg.connect(self._running.variables["CLARION_POSTGRES_URL"], timeout=5)
        except (OSError, asyncpg.PostgresError) as error:
            raise CheckError(f"PostgreSQL does not answer: {error}") from error
        try:
            return await connection.fetch(query, self._tenant.id)
        finally:
            await connection.close()


_SENT_STATUS = 4


def _place(row: asyncpg.Record) -> str:
    """Return where a run is; see PLACES."""
    if row["position"] is None:
        return "not begun"
    if row["is_ended"]:
        return "ended"
    at = {token["step"] for token in msgspec.json.decode(_bytes(row["position"])).get("at", ())}
    if "rest" in at:
        return "third look" if row["is_busy"] else "second delay"
    if "pause" in at:
        return "second look" if row["is_busy"] else "first delay"
    return "first look"


def _bytes(text: str) -> bytes:
    """Return the bytes of a bytea as text shows them."""
    return bytes.fromhex(text.removeprefix("\\x"))


def _event(name: str) -> ingest_pb2.NewEvent:
    person = event_pb2.Recipient(user_id=f"u{name}", email=f"u{name}@example.com", phone="+254712345678")
    return ingest_pb2.NewEvent(
        event_type=EVENT_TYPE,
        audience=[event_pb2.Target(contact=event_pb2.Contact(recipient=person))],
        variables=b'{"name":"%b"}' % name.encode(),
        dedupe=ingest_pb2.Dedupe(kind=ingest_pb2.DEDUPE_KIND_KEY, key=secrets.token_hex(8)),
        workflows=ingest_pb2.WorkflowChoice(by_type=ingest_pb2.ByType()),
    )


async def create_tenant(client: Client, calls: Services) -> Tenant:
    """Create a tenant with the workflow."""
    tenant = await client.operator.create_tenant(
        f"Steps {secrets.token_hex(2)}", providers={"SMS": ("sandbox", {}), "EMAIL": ("sandbox", {})}
    )
    await client.operator.create_template(tenant, EVENT_TYPE, "SMS", "Step for {{name}}")
    body = "<mjml><mj-body><mj-section><mj-column><mj-text>{{name}}</mj-text></mj-column></mj-section></mj-body></mjml>"
    await client.operator.create_template(tenant, EVENT_TYPE, "EMAIL", body, subject="Step")
    workflow = workflows_pb2.Workflow(
        tenant_id=tenant.id,
        name="Six steps",
        event_type=EVENT_TYPE,
        active=True,
        document=msgspec.json.encode(document()),
    )
    await calls.create_workflow(workflow)
    return tenant


async def _main(targets: Sequence[str]) -> int:
    report = Report()
    async with (
        own_stack(report, "steps", replicas={"router": 2}) as running,
        connect(running.state) as client,
        services(running) as calls,
    ):
        kills = Kills(running, client, await create_tenant(client, calls), calls)
        rows: list[Struck] = []

        async def strike(target: str) -> str:
            rows.append(await kills.strike(target))
            return f"{rows[-1].messages} messages of {len(rows[-1].events)} events, {rows[-1].repeated} repeated"

        for target in targets:
            await report.check(f"kill -9 of {target}: each step once", partial(strike, target))
        head = ["killed", *PLACES, "back after s", "events", "messages", "repeated"]
        print(f"\nruns at the kill\n| {' | '.join(head)} |\n|{'---|' * len(head)}", flush=True)
        print("\n".join(map(str, rows)), flush=True)
    return report.end()


def main() -> None:
    """Run the checks. Exit with status 1 if a step is lost, or has two deliveries."""
    parser = argparse.ArgumentParser(prog="python -m checks.workflow_kills", description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=TARGETS, action="append", help="kill this service; may be repeated")
    arguments = parser.parse_args()
    try:
        status = asyncio.run(_main(arguments.only or TARGETS))
    except (StackError, CheckError, ClarionError) as error:
        print(f"checks.workflow_kills: {error}", file=sys.stderr)
        status = 1
    raise SystemExit(status)


if __name__ == "__main__":
    main()
