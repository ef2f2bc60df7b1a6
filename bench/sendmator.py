"""`python -m bench.sendmator`: answers of POST /events/send of Sendmator's API, whose events start a stored workflow.

Beside the bare chain of the same run. Status 1 if one is missing.
"""

import argparse
import asyncio
from typing import Any

import aiohttp
import msgspec

from bench import chains, ground, output, report
from bench.figures import Chain, Load
from bench.load import PLACEHOLDER
from bench.loads import Loader, Request, connected
from bench.output import Progress
from bench.sink import Outbox
from bench.tenant import EVENT_TYPE, SMS_TEMPLATE, post
from stack.client import Running

_CONNECTIONS = 256
_TIMEOUT = aiohttp.ClientTimeout(total=20)
# What the vendor's page promises of an answer at the measured rate, ms.
_PROMISED_MS = 50.0


class Figures(msgspec.Struct, kw_only=True):
    """All figures. chain: the bare chain of bench.chain."""

    at: str
    latency: Load
    chain: Chain


async def _create(stack: Running) -> tuple[str, Request]:
    """Create a tenant with a workflow of one SMS; return its id and what is posted for each event."""
    headers = {"Authorization": f"Bearer {stack.state.admin_token}"}
    async with aiohttp.ClientSession(stack.url, headers=headers, timeout=_TIMEOUT) as session:
        tenant = await post(session, "/tenants", {"name": "Bench", "max_unfinished_events": 1_000_000})
        path = f"/tenants/{tenant['id']}"
        key = await post(session, f"{path}/keys", {"name": "bench", "kind": "sendmator"})
        team = await post(session, f"{path}/environments", {"name": "Bench", "slug": "bench"})
        await post(session, "/providers", {"tenant_id": tenant["id"], "channel": "SMS", "kind": "sandbox"})
        template = {"tenant_id": tenant["id"], "event_type": EVENT_TYPE, "channel": "SMS", "body": SMS_TEMPLATE}
        await post(session, "/templates", {**template, "activate": True})
        step = {"id": "text", "kind": "send", "channel": "SMS", "template": {"key": EVENT_TYPE}}
        workflow = {"name": "Bench", "event_type": EVENT_TYPE, "active": True, "document": {"steps": [step]}}
        await post(session, f"{path}/workflows", workflow)
    body: dict[str, Any] = {
        "event_name": EVENT_TYPE,
        "user_info": {"contact_external_id": "bench-user", "phone": "+254712345678", "name": "Ada"},
        "source": {"type": "api"},
        "event_data": {"order_id": PLACEHOLDER},
        "variables": {"customerName": "Ada", "orderId": PLACEHOLDER, "total": "KES 4,200"},
    }
    keys = {"X-API-Key": key["api_key"], "X-Team-ID": team["id"]}
    return tenant["id"], Request("/api/v1/events/send", keys, msgspec.json.encode(body).decode())


async def _measure(stack: Running, rate: float, seconds: float, say: Progress) -> Figures:
    at = output.now()
    async with connected(stack) as (sql, broker):
        tenant_id, request = await _create(stack)
        loads = Loader(stack, request, Outbox(sql, tenant_id), sql, broker)
        await loads.prepare()
        say("warming up")
        await loads.run(rate=rate, seconds=2.0, connections=_CONNECTIONS)
        say(f"{rate:g}/s for {seconds:g} s")
        latency = await loads.run(rate=rate, seconds=seconds, connections=_CONNECTIONS)
    say("the bare chain")
    chain = await chains.measure(stack, seconds=5.0, connections=_CONNECTIONS, latency_rate=rate)
    return Figures(at=at, latency=latency, chain=chain)


def _text(found: Figures) -> str:
    load = found.latency
    met = "yes" if load.accept.p95 <= _PROMISED_MS else "NO"
    return "\n".join(
        (
            f"Clarion bench, Sendmator, {found.at}; {load.offered:g} events/s, each of which starts a workflow",
            f"answers {report.latency_text(load.accept)}; under {_PROMISED_MS:g} ms at p95: {met}",
            f"until the SMS is recorded {report.latency_text(load.end_to_end)}",
            f"{sum(load.cpu_us.values()):,.0f} us CPU and {load.statements_per_delivery:.3f} SQL statements each",
            f"missing {load.count.missing}, duplicates {load.count.duplicates}",
            f"bare chain of this run: {report.latency_text(found.chain.gentle.end_to_end)}",
        )
    )


def main() -> None:
    """Measure, print the figures, and store them as JSON in bench/results."""
    parser = argparse.ArgumentParser(prog="python -m bench.sendmator", description=__doc__)
    parser.add_argument("--rate", type=float, default=200.0, help="events/s (200)")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long (30)")
    chosen = parser.parse_args()
    say = Progress()
    with ground.stack(say) as stack:
        found = asyncio.run(_measure(stack, chosen.rate, chosen.seconds, say))
    output.keep(found, found.at, name="sendmator")
    print(_text(found))
    raise SystemExit(1 if found.latency.count.missing else 0)


if __name__ == "__main__":
    main()
