"""`make siege`: runs each attack on its own stack and measures an uninvolved tenant. Status 1 on a failure."""

import argparse
import asyncio
import os
import sys

from bench.helper import HelperError
from checks.siege import limits, table
from checks.siege.attacks import ATTACKS
from checks.siege.scene import Choices, UnavailableError, end_as_after_ctrl_c
from checks.siege.siege import Attack, Result, besiege
from checks.waiting import CheckError
from stack.faults import StackError


async def _main(arguments: argparse.Namespace) -> int:
    end_as_after_ctrl_c()
    choices = Choices(scale=arguments.scale, rate=arguments.rate, minutes=arguments.minutes)
    chosen = [attack for attack in ATTACKS if not arguments.only or attack.name in arguments.only]
    groups = None if arguments.unlimited else limits.open_groups()
    if groups is None:
        print("NO MEMORY LIMITS: there are no memory cgroups here, or no right to make one (run it as root).")
    else:
        groups.close()
    results: list[Result] = []
    failed = skipped = 0
    for attack in chosen:
        print(f"… {attack.name}: {attack.title}", flush=True)
        try:
            results.append(result := await besiege(attack, choices, unlimited=arguments.unlimited))
        except UnavailableError as error:
            skipped += 1
            print(f"- {attack.name} WAS NOT RUN: {error}", flush=True)
        except (StackError, CheckError, HelperError, TimeoutError, OSError) as error:
            failed += 1
            print(f"✗ {attack.name}: {error or type(error).__name__}", flush=True)
        else:
            failed += bool(result.faults)
            print(table.lines(result), flush=True)
    if results:
        print(f"\n{table.table(results)}\n")
    passed = len(chosen) - failed - skipped
    print(f"{passed} passed, {failed} failed{f', {skipped} not run' if skipped else ''}")
    return 1 if failed or not passed else 0


def _arguments(attacks: tuple[Attack, ...]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m checks.siege", description=__doc__.splitlines()[0])
    parser.add_argument("only", nargs="*", choices=[*(attack.name for attack in attacks), []], help="these alone")
    parser.add_argument("--scale", type=float, default=_number("SCALE", 0.1), help="share of the full sizes (0.1)")
    parser.add_argument("--rate", type=float, default=_number("RATE", 0), help="a2: events/s (half of what is held)")
    parser.add_argument("--minutes", type=float, default=_number("MINUTES", 0), help="a2: how long (10 x scale)")
    parser.add_argument("--unlimited", action="store_true", help="without the compose file's memory limits")
    return parser.parse_args()


def _number(name: str, default: float) -> float:
    return float(os.environ.get(name) or default)


def main() -> None:
    """Run the siege."""
    if sys.platform != "linux":
        raise SystemExit("make siege: needs Linux, where the kernel tells and limits the memory of each process.")
    try:
        status = asyncio.run(_main(_arguments(ATTACKS)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("make siege: stopped", file=sys.stderr)
        status = 130
    raise SystemExit(status)


if __name__ == "__main__":
    main()
