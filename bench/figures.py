"""The figures of one load and of a whole run, for the report and the JSON file."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from bench import load
from bench.sink import Count
from bench.statements import Statement

# A rate is held if no more than this is under way when the load ends, seconds' worth of events.
HELD_BACKLOG_S = 1.0
_HELD_ACCEPTED = 0.99


class Latency(msgspec.Struct, frozen=True):
    """Milliseconds, from the moment an event was due."""

    p50: float
    p95: float
    p99: float
    most: float


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one load. Rates are per second, and count until the end of the load."""

    # Offered per second; 0: closed loop.
    offered: float
    seconds: float
    connections: int
    count: Count
    accepted_rate: float
    delivered_rate: float
    # Accepted and not recorded when the load ended, and how long it took until all was.
    backlog: int
    drained_s: float
    # Events the ledger had not read when the load ended.
    ledger_backlog: int
    accept: Latency
    end_to_end: Latency
    statuses: dict[str, int]
    # The generator's own part: how late it sent (99th percentile), its processor time for each request.
    late_p99_ms: float
    generator_cpu_us: float
    # Cores' worth of processor time, while the load lasted: taken by anything but stack and generator; and unused.
    others_cores: float
    idle_cores: float
    # Processor microseconds for each accepted event, by process, until all was recorded.
    cpu_us: dict[str, float]
    statements_per_delivery: float
    statements: list[Statement]

    @property
    def held(self) -> bool:
        """Whether the stack kept up: nothing waited longer than HELD_BACKLOG_S, and every id was found."""
        room = self.accepted_rate * HELD_BACKLOG_S
        in_time = self.accepted_rate * self.seconds >= _HELD_ACCEPTED * self.count.sent
        return in_time and self.backlog <= room and self.ledger_backlog <= room and self.count.clean


class Drained(msgspec.Struct, frozen=True, kw_only=True):
    """Figures that were measured around a load."""

    count: Count
    # First recorded, by the event's number, Unix seconds; 0: never.
    recorded: list[float]
    ledger_backlog: int
    cpu: dict[str, float]
    # While the load lasted.
    others_cores: float
    idle_cores: float
    statements: list[Statement]


class Bare(msgspec.Struct, frozen=True, kw_only=True):
    """Bare aiohttp under the same generator. pss: bytes."""

    rate: float
    cpu_us: float
    latency_rate: float
    latency: Latency
    pss: int


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """Raw JetStream: messages stored per second, each on disk before its acknowledgement."""

    rate: float
    batch: int
    window: int
    client_cpu_us: float


class ChainLoad(msgspec.Struct, frozen=True, kw_only=True):
    """The bare chain under one load. python_cpu_us: of its four processes, per event."""

    # Offered per second; 0: closed loop.
    offered: float
    recorded_rate: float
    accept: Latency
    end_to_end: Latency
    python_cpu_us: float


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """The bare chain of bench.chain: only HTTP, gRPC, two streams and a row."""

    gentle: ChainLoad
    flood: ChainLoad


class Baselines(msgspec.Struct, frozen=True, kw_only=True):
    """The parts alone, in the same run. disk: sequential writes of 4 KiB with fdatasync per second."""

    aiohttp: Bare
    chain: Chain
    in_turn: Stored
    singles: Stored
    batches: Stored
    disk: float


class Memory(msgspec.Struct, frozen=True):
    """PSS in bytes by process."""

    at_rest: dict[str, int]
    after_load: dict[str, int]


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The machine of the run."""

    cores: int
    memory_bytes: int
    load_before: float
    python: str
    postgres: str
    nats: str


class Run(msgspec.Struct, kw_only=True):
    """All figures. Parts that were not measured are None."""

    at: str
    quick: bool
    machine: Machine
    baselines: Baselines | None = None
    accepts: Load | None = None
    latency: Load | None = None
    throughput: Load | None = None
    search: list[Load] = msgspec.field(default_factory=list)
    memory: Memory | None = None

    def loads(self) -> list[Load]:
        """All loads of the run."""
        return [one for one in (self.accepts, self.latency, self.throughput, *self.search) if one is not None]

    def highest(self) -> Load | None:
        """The load with the highest delivered rate among those held."""
        loads = [one for one in (self.throughput, *self.search) if one is not None and one.held]
        return max(loads, key=lambda one: one.delivered_rate, default=None)


def latency(seconds: Sequence[float]) -> Latency:
    """Return the percentiles, 0 if nothing was measured."""
    ordered = sorted(seconds)
    return Latency(*(percentile(ordered, share) * 1000 for share in (0.5, 0.95, 0.99, 1.0)))


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest value that this share of the sorted values does not exceed, 0 without values."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def load_figures(order: load.Order, answer: load.Answer, drained: Drained) -> Load:
    """Return the figures of a load."""
    seconds = answer.ended - answer.started
    rows = list(zip(answer.due, answer.answered, answer.status, drained.recorded, strict=True))
    accepted = [(due, answered, at) for due, answered, status, at in rows if load.is_accepted(status)]
    in_time = sum(answered <= answer.ended for _, answered, _ in accepted)
    delivered = sum(0 < at <= answer.ended for _, _, at in accepted)
    late = sorted(sent - due for sent, due in zip(answer.sent, answer.due, strict=True) if sent)
    each = max(1, drained.count.accepted)
    return Load(
        offered=order.rate,
        seconds=seconds,
        connections=order.connections,
        count=drained.count,
        accepted_rate=in_time / seconds,
        delivered_rate=delivered / seconds,
        backlog=in_time - delivered,
        drained_s=max(0.0, max(drained.recorded, default=0.0) - answer.ended),
        ledger_backlog=drained.ledger_backlog,
        accept=latency([answered - due for due, answered, _ in accepted]),
        end_to_end=latency([at - due for due, _, at in accepted if at]),
        statuses={str(status): number for status, number in sorted(Counter(answer.status).items())},
        late_p99_ms=percentile(late, 0.99) * 1000,
        generator_cpu_us=answer.cpu_seconds * 1e6 / max(1, len(answer.due)),
        others_cores=drained.others_cores,
        idle_cores=drained.idle_cores,
        cpu_us=_each(drained.cpu, each),
        statements_per_delivery=sum(one.calls for one in drained.statements) / each,
        statements=drained.statements[:20],
    )


def _each(cpu: Mapping[str, float], events: int) -> dict[str, float]:
    return {name: seconds * 1e6 / events for name, seconds in cpu.items()}
