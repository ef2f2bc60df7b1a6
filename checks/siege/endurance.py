"""A long run: `python -m checks.siege.endurance --rate 1400 --minutes 15`. Status 1 if an id is missing or duplicate.

Prints memory of each process, the broker's disk and the latency of accepts each minute; at the end every id, the
latency end to end of each minute, and what the purge left.
"""

import argparse
import asyncio

from checks.siege.scene import MIB, Choices, end_as_after_ctrl_c, mib, scene
from checks.siege.sustained import sustained

# Above the ten minutes for which the broker remembers, and the janitor's own pause.
_PURGED_S = 1_500.0


async def _main(arguments: argparse.Namespace) -> int:
    end_as_after_ctrl_c()
    choices = Choices(scale=1.0, rate=arguments.rate, minutes=arguments.minutes)
    async with scene(choices, {}, unlimited=arguments.unlimited) as ground, sustained(ground) as load:
        rate = arguments.rate or round(await load.held_rate() * 2 / 3)
        print(f"{rate:,.0f} events/s for {arguments.minutes:g} minutes; memory and disk in MiB\n", flush=True)
        await load.run(rate, arguments.minutes, _say)
        total = await load.total()
        print(f"\nevery id: {total}")
        for number, minute in enumerate(load.minutes, 1):
            p50, p95 = minute.batch.end_to_end_ms()
            print(f"minute {number}: end to end p50 {p50:.0f}, p95 {p95:.0f} ms")
        print(f"{load.bytes_per_event():,.0f} bytes an event on the broker's disk before any purge")
        if not total.clean:
            ground.faults.append(str(total))
        if not arguments.no_purge:
            seconds, disk = await load.purged(_PURGED_S)
            left, nats = (disk - load.disk_before) / MIB, mib(ground.taken("nats"))
            print(f"purged {seconds:.0f} s later: {left:,.1f} MiB more on disk than before; NATS {nats}")
        if kills := ground.watch.oom_kills():
            ground.faults.append(f"killed for want of memory: {kills}")
        if ends := ground.watch.ends():
            ground.faults.append(f"{ends} processes ended and were started again")
        print("\n".join(f"FAILED: {fault}" for fault in ground.faults) or "passed")
        return 1 if ground.faults else 0


def _say(text: str) -> None:
    print(text, flush=True)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m checks.siege.endurance", description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=0, help="events/s (two thirds of what the machine holds)")
    parser.add_argument("--minutes", type=float, default=15, help="how long (15)")
    parser.add_argument("--no-purge", action="store_true", help="do not wait for the broker's purge")
    parser.add_argument("--unlimited", action="store_true", help="without the compose file's memory limits")
    raise SystemExit(asyncio.run(_main(parser.parse_args())))


if __name__ == "__main__":
    main()
