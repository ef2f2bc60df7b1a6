"""Measures and prints a report. `--quick` is shorter. Needs no stack. Status 1 if a bomb was not stopped."""

import argparse
import asyncio
import sys
from typing import Any

from bench import output
from bench.render import measure, report
from bench.render.bombs import BOMBS
from bench.render.workloads import LARGE, WORKLOADS

_VERSIONS = 3000


async def _run(*, quick: bool) -> dict[str, Any]:
    seconds = 0.5 if quick else 3.0
    async with measure.running_pool() as pool:
        rates = [await measure.rates(pool, workload, seconds) for workload in WORKLOADS]
    sources = [(workload.name, workload.source) for workload in WORKLOADS]
    compiles = [measure.compiling(name, source, seconds) for name, source in [*sources, ("8 KB, 750 tags", LARGE)]]
    cache = measure.caching(WORKLOADS[1], _VERSIONS)
    blasts = [await measure.blast(bomb) for bomb in BOMBS]
    return {"rates": rates, "compiles": compiles, "cache": cache, "blasts": blasts}


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(prog="python -m bench.render", description="Measure rendering.")
    parser.add_argument("--quick", action="store_true", help="shorter measurements")
    figures = asyncio.run(_run(quick=parser.parse_args().quick))
    print(report.text(**figures))
    path = output.keep(figures, output.now(), name="render")
    print(f"\nAll figures: {path}")
    sys.exit(any(not (blast.expected and blast.spared) for blast in figures["blasts"]))


if __name__ == "__main__":
    main()
