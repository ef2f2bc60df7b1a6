"""`python -m bench.webhooks`: from HTTP to signed webhooks, beside the bare chain. Status 1 if one is missing."""

import argparse
import asyncio
import os

import msgspec

from bench import chains, ground, output, report, search
from bench.figures import Chain, Load
from bench.loads import Loader, connected
from bench.output import Progress
from bench.webhooks import fanout, workspace
from bench.webhooks.fanout import FanOut
from bench.webhooks.sink import Receiver, receiver
from checks.growth import growth
from checks.ports import free_port
from stack.client import Running

_CONNECTIONS = 256
_PROBES = 5
_MANY, _VERY_MANY = 10, 1_000


class Figures(msgspec.Struct, kw_only=True):
    """All figures. chain: the bare chain of bench.chain. streams: a table of what the streams took."""

    at: str
    chain: Chain | None = None
    latency: Load | None = None
    held: list[Load] = []
    streams: str = ""
    ten: FanOut | None = None
    thousand: FanOut | None = None

    def highest(self) -> Load | None:
        """The load with the highest rate that was held."""
        return max((one for one in self.held if one.held), key=lambda one: one.delivered_rate, default=None)


_say = Progress()


async def _measure(stack: Running, port: int, chosen: argparse.Namespace) -> Figures:
    found = Figures(at=output.now())
    _say(f"workspaces with 1, {_MANY} and {_VERY_MANY:,} endpoints")
    one = await workspace.create(stack, "one", ["/one"], port)
    ten = await workspace.create(stack, "ten", [f"/ten/{number}" for number in range(_MANY)], port)
    thousand = await workspace.create(stack, "thousand", [f"/many/{n}" for n in range(_VERY_MANY)], port)
    async with receiver(one.secrets | ten.secrets | thousand.secrets, port) as endpoints:
        await _one(stack, one, endpoints, found, chosen)
        _say(f"fan-out {_MANY}: {chosen.fan_out_rate:g} events/s")
        found.ten = await fanout.measure(stack, ten, endpoints, rate=chosen.fan_out_rate, seconds=chosen.seconds / 3)
        _say(f"fan-out {_VERY_MANY:,}: one event a second")
        found.thousand = await fanout.measure(stack, thousand, endpoints, rate=1.0, seconds=5.0)
    if not chosen.quick:
        _say("the bare chain")
        found.chain = await chains.measure(stack, seconds=5.0, connections=_CONNECTIONS, latency_rate=200.0)
    return found


async def _one(
    stack: Running, of: workspace.Workspace, endpoints: Receiver, found: Figures, chosen: argparse.Namespace
) -> None:
    async with connected(stack) as (sql, broker):
        loads = Loader(stack, of.request(), endpoints, sql, broker)
        await loads.prepare()
        _say("warming up")
        await loads.run(rate=200.0, seconds=2.0, connections=_CONNECTIONS)
        _say("latency at 200/s")
        async with growth(stack) as grown:
            found.latency = await loads.run(rate=200.0, seconds=chosen.seconds / 3, connections=_CONNECTIONS)
        found.streams = grown.stream_table(found.latency.count.accepted)
        rate: float | None = chosen.rate
        while rate is not None and len(found.held) <= (1 if chosen.quick else _PROBES):
            _say(f"{rate:,.0f}/s for {chosen.seconds:g} s")
            found.held.append(await loads.run(rate=rate, seconds=chosen.seconds, connections=_CONNECTIONS))
            rate = search.next_rate([(load.offered, load.held) for load in found.held])


def _text(found: Figures) -> str:
    lines = [f"Clarion bench, webhooks, {found.at}; {os.cpu_count()} cores", ""]
    lines += [_load_text(load) for load in (found.latency, *found.held) if load is not None]
    best = found.highest()
    if best is not None:
        each = ", ".join(f"{name} {spent:.0f}" for name, spent in sorted(best.cpu_us.items(), key=lambda one: -one[1]))
        lines += ["", f"highest rate held: {best.delivered_rate:,.0f}/s; us CPU each: {each}"]
    if best is not None and found.chain is not None:
        flood = found.chain.flood.recorded_rate
        lines.append(f"bare chain of this run: {flood:,.0f}/s; ours / chain: {best.delivered_rate / flood:.2f}")
    lines += ["", found.streams, ""]
    lines += [_fan_out_text(fan_out) for fan_out in (found.ten, found.thousand) if fan_out is not None]
    return "\n".join(lines)


def _load_text(load: Load) -> str:
    return (
        f"fan-out 1, {load.offered:,.0f}/s: accepted {load.accepted_rate:,.0f}, delivered {load.delivered_rate:,.0f} /s"
        f"{'' if load.held else ', not held'}; end to end {report.latency_text(load.end_to_end)};"
        f" {sum(load.cpu_us.values()):,.0f} us CPU, {load.statements_per_delivery:.3f} SQL each; missing"
        f" {load.count.missing}, duplicates {load.count.duplicates}"
    )


def _fan_out_text(load: FanOut) -> str:
    return (
        f"fan-out {load.endpoints:,}: {load.accepted} events at {load.offered:g}/s, {load.deliveries:,} deliveries,"
        f" {load.rate:,.0f}/s; each {report.latency_text(load.each)}; last of an event"
        f" {report.latency_text(load.last)}; {load.cpu_us:,.0f} us CPU each; missing {load.missing}, duplicates"
        f" {load.duplicates}, invalid {load.invalid}"
    )


def main() -> None:
    """Measure, print the figures, and store them as JSON in bench/results."""
    parser = argparse.ArgumentParser(prog="python -m bench.webhooks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short loads and no baseline, for a first look")
    parser.add_argument("--rate", type=float, default=1500.0, help="events/s to hold first (1500)")
    parser.add_argument("--seconds", type=float, help="how long each rate is held (60, quick: 6)")
    parser.add_argument("--fan-out-rate", type=float, default=100.0, help="events/s to ten endpoints each (100)")
    chosen = parser.parse_args()
    chosen.seconds = chosen.seconds or (6.0 if chosen.quick else 60.0)
    port = free_port()
    with ground.stack(_say, {"CLARION_EGRESS_WEBHOOK_ALLOW": f"127.0.0.1:{port}"}) as stack:
        found = asyncio.run(_measure(stack, port, chosen))
    output.keep(found, found.at, name="webhooks")
    print(_text(found))
    loads = [one.count.missing for one in (found.latency, *found.held) if one is not None]
    missing = sum(loads) + sum(one.missing for one in (found.ten, found.thousand) if one is not None)
    raise SystemExit(1 if missing else 0)


if __name__ == "__main__":
    main()
