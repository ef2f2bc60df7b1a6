"""The options of the command line."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

PARTS = ("baselines", "memory", "accepts", "latency", "throughput")


@dataclass(frozen=True)
class Options:
    """The parts to run, and the length of each load in seconds. Rates are events/s."""

    quick: bool
    parts: frozenset[str]
    rate: float
    throughput_s: float
    latency_rate: float
    latency_s: float
    accepts_s: float
    connections: int
    baseline_s: float
    probe_s: float
    probes: int


def parse(arguments: Sequence[str]) -> Options:
    """Return the options. Print an explanation and exit if they make no sense."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure a Clarion stack of its own beside baselines of the same run."
    )
    parser.add_argument("--quick", action="store_true", help="about a minute: short loads, for a first look")
    parser.add_argument("--only", action="append", choices=PARTS, help="this part alone; may be given several times")
    parser.add_argument("--rate", type=_positive, default=1500.0, help="events/s to hold (default: 1500)")
    parser.add_argument("--seconds", type=_positive, help="how long to hold it (default: 30, quick: 8)")
    parser.add_argument("--latency-rate", type=_positive, default=200.0, help="events/s for the latency (default: 200)")
    parser.add_argument("--connections", type=_count, default=256, help="of the saturating load (default: 256)")
    given = parser.parse_args(arguments)
    quick = given.quick
    return Options(
        quick=quick,
        parts=frozenset(given.only or PARTS),
        rate=given.rate,
        throughput_s=given.seconds or (8.0 if quick else 30.0),
        latency_rate=given.latency_rate,
        latency_s=6.0 if quick else 20.0,
        accepts_s=4.0 if quick else 10.0,
        connections=given.connections,
        baseline_s=2.0 if quick else 5.0,
        probe_s=4.0 if quick else 10.0,
        probes=2 if quick else 5,
    )


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1e6:
        raise argparse.ArgumentTypeError("must be more than 0")
    return value


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 1000:
        raise argparse.ArgumentTypeError("must be from 1 to 1000")
    return value
