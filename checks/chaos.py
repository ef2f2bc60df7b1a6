"""Kills each part with kill -9 in a burst of events and counts what is lost: `python -m checks.chaos`.

A stack of its own in a temporary folder, so a running one is left alone.
"""

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from checks import idempotency, outage
from checks.ports import free_port
from checks.report import Report
from checks.strike import DUPLICATES_BOUND, TARGETS, Striker, striker
from checks.waiting import expect
from stack import client as stack_client
from stack.client import Running
from stack.faults import StackError
from stack.local import Options

Work = Callable[[Running], Awaitable[None]]

# So many accepted events must be undelivered when the blow falls.
UNDELIVERED = 500


async def check_target(strikes: Striker, target: str, events: int, undelivered: int) -> str:
    """Strike one target. Raises CheckError where anything is missing; returns the figures."""
    outcome = await strikes.strike(target, events, undelivered)
    expect(not outcome.missing and not outcome.doubled_events, str(outcome))
    expect(outcome.duplicate_sms <= DUPLICATES_BOUND, str(outcome))
    return str(outcome)


async def run(running: Running, report: Report, targets: list[str], events: int) -> None:
    """Strike the targets one after the other."""
    async with striker(running) as strikes:
        for target in targets:

            async def strike(name: str = target) -> str:
                return await check_target(strikes, name, events, min(UNDELIVERED, events // 3))

            await report.check(f"kill -9 {target}", strike)


async def _outage(running: Running, report: Report, arguments: argparse.Namespace) -> None:
    async def work() -> str:
        load = outage.Load(arguments.rate, arguments.away, arguments.frozen)
        return await outage.check(running, load, within_s=arguments.delivered_within)

    await report.check(f"postgres {'frozen' if arguments.frozen else 'away'} under load", work)


async def _main(arguments: argparse.Namespace) -> int:
    report = Report()
    targets = ([arguments.only] if arguments.only else list(TARGETS)) * arguments.rounds
    if arguments.only not in {"idempotency", "outage"}:
        await _with_stack(report, {}, lambda running: run(running, report, targets, arguments.events))
    if arguments.only in {None, "outage"}:
        await _with_stack(report, {}, lambda running: _outage(running, report, arguments))
    if arguments.only == "idempotency" or arguments.also == "idempotency":
        replicas = {"gateway": 2, "ingest": 4}
        await _with_stack(report, replicas, lambda running: idempotency.run(running, report))
    return report.end()


async def _with_stack(report: Report, replicas: Mapping[str, int], work: Work) -> None:
    """Start a stack for the length of some work; its folder stays where something failed."""
    folder = Path(tempfile.mkdtemp(prefix="clarion-chaos-"))
    print(f"starting a stack in {folder}", flush=True)
    failed = report.failed
    async with stack_client.run(Options(data=folder, port=free_port(), replicas=replicas)) as running:
        await work(running)
    if report.failed > failed:
        print(f"the logs are in {folder}/log", flush=True)
    else:
        shutil.rmtree(folder, ignore_errors=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m checks.chaos", description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=(*TARGETS, "idempotency", "outage"), help="this one alone")
    parser.add_argument("--also", choices=("idempotency",), help="a hundred calls of one event, before and after kills")
    parser.add_argument("--events", type=int, default=int(os.environ.get("EVENTS", "2000")), help="in a burst (2000)")
    parser.add_argument("--rounds", type=int, default=1, help="how often each (1)")
    parser.add_argument("--away", type=float, default=outage.AWAY_S, help="seconds that PostgreSQL is away (60)")
    parser.add_argument("--rate", type=float, default=outage.RATE, help="events a second meanwhile (50)")
    parser.add_argument("--frozen", action="store_true", help="PostgreSQL hangs, in place of being killed")
    parser.add_argument("--delivered-within", type=float, default=outage.WITHIN_S, help="seconds of its return (5)")
    return parser.parse_args()


def main() -> None:
    """Run the chaos; status 1 where something is lost."""
    try:
        status = asyncio.run(_main(_arguments()))
    except StackError as error:
        print(f"make chaos: {error}", file=sys.stderr)
        status = 1
    raise SystemExit(status)


if __name__ == "__main__":
    main()
