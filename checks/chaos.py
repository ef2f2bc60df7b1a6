"""Kills each process with `kill -9` in a burst of events and counts losses: `python -m checks.chaos`.

A stack of its own in a temporary folder, so a running one is left alone.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence

import aiohttp

from checks import broker, idempotency
from checks.absence import absence
from checks.catcher import EGRESS_TO_LOOPBACK
from checks.own_stack import own_stack
from checks.recovery import Recoveries
from checks.report import Report
from checks.strike import EVERYTHING, TARGETS, Striker, striker
from checks.waiting import CheckError, expect
from stack.client import Running
from stack.faults import StackError

Work = Callable[[Running], Awaitable[None]]

# So many accepted events must be undelivered when the blow falls.
UNDELIVERED = 500
# PostgreSQL is away for so long, and everything that waited is delivered so soon after its return, seconds; after a
# longer absence more waits, and takes as much longer.
AWAY_S, AWAY_RECOVERED_S = 60.0, 5.0
# Beyond the time for which the broker remembers ids, seconds.
_BEYOND_S = 15.0
AWAY, BEYOND = "postgres-away", "beyond-memory"
# Killed around the longer absence: those whose work may be repeated.
_KILLED_AROUND = ("router", "senders")


class Chaos:
    """The checks on one running stack."""

    def __init__(self, running: Running, report: Report, recoveries: Recoveries) -> None:
        self._running = running
        self._report = report
        self._recoveries = recoveries

    async def strike(self, targets: list[str], events: int) -> None:
        """Kill the targets one after the other."""
        async with striker(self._running) as strikes:
            for target in targets:

                async def strike(name: str = target) -> str:
                    return await self._strike(strikes, name, events, min(UNDELIVERED, events // 3))

                await self._report.check(f"kill -9 {target}", strike)

    async def away(self, seconds: float, kills: Sequence[str] = ()) -> None:
        """Stop PostgreSQL for a while, and kill these processes as it goes, halfway, and when it is back."""

        async def check() -> str:
            outcome = await absence(self._running, seconds, kills)
            back = outcome.away.back - outcome.away.gone - seconds
            self._recoveries.add(f"postgres away for {seconds:.0f} s", back, outcome.first_s, outcome.all_s)
            clean = not (outcome.missing or outcome.repeated or outcome.dead_letters or outcome.other_events)
            expect(clean and outcome.all_s <= AWAY_RECOVERED_S * max(1.0, seconds / AWAY_S), str(outcome))
            return str(outcome)

        also = f", kill -9 {' and '.join(kills)} around it" if kills else ""
        await self._report.check(f"PostgreSQL away for {seconds:.0f} s{also}", check)

    async def beyond_memory(self) -> None:
        """Stop PostgreSQL for longer than the broker remembers message ids."""
        async with aiohttp.ClientSession() as session:
            remembered = max((await broker.read(session, self._running)).windows.values())
        await self.away(remembered + _BEYOND_S, _KILLED_AROUND)

    async def _strike(self, strikes: Striker, target: str, events: int, undelivered: int) -> str:
        """Kill one target. Return the figures. Raises CheckError if anything is missing."""
        outcome = await strikes.strike(target, events, undelivered)
        self._recoveries.add(target, outcome.healthy_s, outcome.first_delivery_s, outcome.all_delivered_s)
        expect(not outcome.missing and not outcome.doubled_events, str(outcome))
        expect(outcome.duplicate_sms <= outcome.duplicates_bound, str(outcome))
        return str(outcome)


async def _main(arguments: argparse.Namespace) -> int:
    report, recoveries = Report(), Recoveries()
    parts = [arguments.only] if arguments.only else [*TARGETS, EVERYTHING, AWAY, BEYOND]
    targets = [part for part in parts if part in {*TARGETS, EVERYTHING}] * arguments.rounds

    async def strikes_and_absence(running: Running) -> None:
        chaos = Chaos(running, report, recoveries)
        await chaos.strike(targets, arguments.events)
        if AWAY in parts:
            await chaos.away(arguments.away)

    if targets or AWAY in parts:
        await _with_stack(report, {}, strikes_and_absence)
    if BEYOND in parts:
        await _with_stack(report, {}, lambda running: Chaos(running, report, recoveries).beyond_memory())
    if arguments.only == "idempotency" or arguments.also == "idempotency":
        replicas = {"gateway": 2, "ingest": 4}
        await _with_stack(report, replicas, lambda running: idempotency.run(running, report))
    if recoveries:
        print(f"\n{recoveries}\n")
    return report.end()


async def _with_stack(report: Report, replicas: Mapping[str, int], work: Work) -> None:
    """Start a stack, do some work, and stop it."""
    async with own_stack(report, "chaos", replicas=replicas, environment=EGRESS_TO_LOOPBACK) as running:
        await work(running)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m checks.chaos", description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=(*TARGETS, EVERYTHING, AWAY, BEYOND, "idempotency"), help="this one alone")
    parser.add_argument("--also", choices=("idempotency",), help="a hundred calls of one event, before and after kills")
    parser.add_argument("--events", type=int, default=int(os.environ.get("EVENTS", "2000")), help="in a burst (2000)")
    parser.add_argument("--rounds", type=int, default=1, help="how often each (1)")
    parser.add_argument("--away", type=float, default=AWAY_S, help="seconds that PostgreSQL is away (60)")
    return parser.parse_args()


def main() -> None:
    """Run the checks. Exit with status 1 if something is lost."""
    try:
        status = asyncio.run(_main(_arguments()))
    except (StackError, CheckError) as error:
        print(f"make chaos: {error}", file=sys.stderr)
        status = 1
    raise SystemExit(status)


if __name__ == "__main__":
    main()
