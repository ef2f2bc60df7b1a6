"""The report of a run as text."""

from collections.abc import Iterator

from bench import figures
from bench.figures import Baselines, Latency, Load, Run, Stored
from bench.usage import MIB

# What the project promises on two cores; beside the figure, never a reason to fail.
ACCEPTS_GOAL = 3000
THROUGHPUT_GOAL = 1500
LATENCY_P95_GOAL_MS = 25
STATEMENTS_GOAL = 0.1
MEMORY_GOAL_MIB = 600
# What the bare chain moved per second where the goals were set: a machine of another pace has its own share of them.
CHAIN_WHERE_SET = 2260


def render(run: Run) -> str:
    """Return the report."""
    lines = [*_head(run)]
    base = run.baselines
    if base is not None:
        lines += _baselines(base)
    if run.accepts is not None:
        lines += _accepts(run.accepts, base)
    if run.latency is not None:
        lines += _latency(run.latency, base)
    if run.throughput is not None:
        lines += _throughput(run, run.throughput, base)
    if run.loads():
        lines += [*_cost(run, base), *_ids(run)]
    lines += _memory(run)
    return "\n".join(lines)


def _head(run: Run) -> Iterator[str]:
    machine = run.machine
    yield f"Clarion bench, {run.at}{', quick' if run.quick else ''}"
    yield (
        f"{machine.cores} cores, {machine.memory_bytes / 1024**3:.0f} GiB, Python {machine.python},"
        f" PostgreSQL {machine.postgres}, NATS {machine.nats}; everything on this machine, generator included"
    )
    if machine.load_before > machine.cores * 0.25:
        yield f"NOTE: other work was running (load average {machine.load_before:.1f} at the start): expect less."


def _title(text: str) -> list[str]:
    return ["", text, "-" * len(text)]


def _baselines(base: Baselines) -> Iterator[str]:
    yield from _title("Baselines of this run")
    yield f"  bare aiohttp, JSON in and out      {base.aiohttp.rate:>9,.0f} /s   {base.aiohttp.cpu_us:6.0f} us CPU each"
    flood = base.chain.flood
    yield f"  bare chain, HTTP to recorded row   {flood.recorded_rate:>9,.0f} /s   {flood.python_cpu_us:6.0f} us Python"
    batches = f"atomic batches of {base.batches.batch}"
    for text, stored in (
        ("one at a time", base.in_turn),
        ("single publishes", base.singles),
        (batches, base.batches),
    ):
        yield f"  JetStream, {text:<22}  {stored.rate:>9,.0f} /s   {_window(stored)}"
    yield f"  disk, 4 KiB with fdatasync         {base.disk:>9,.0f} /s   one after the other"


def _window(stored: Stored) -> str:
    unit = "batches" if stored.batch > 1 else "messages"
    return f"at most {stored.window} {unit} under way" if stored.window > 1 else f"{1000 / stored.rate:.2f} ms each"


def _accepts(load: Load, base: Baselines | None) -> Iterator[str]:
    yield from _title(f"Durable accepts: closed loop, {load.connections} connections, {load.seconds:.0f} s")
    goal = _goal(load.accepted_rate >= ACCEPTS_GOAL, f"at least {ACCEPTS_GOAL:,}")
    yield f"  accepted  {load.accepted_rate:>9,.0f} /s   {goal}"
    if base is not None:
        least = ACCEPTS_GOAL * _pace(base)
        yield f"            {_share(base)} {_goal(load.accepted_rate >= least, f'at least {least:,.0f}')}"
    yield f"            {_ratios(load.accepted_rate, base)}"
    yield f"  answered in {latency_text(load.accept)}"
    yield f"  {load.delivered_rate:,.0f} /s were also recorded meanwhile; the rest took {load.drained_s:.1f} s more"


def _latency(load: Load, base: Baselines | None) -> Iterator[str]:
    yield from _title(f"Latency at {load.offered:,.0f}/s: open loop, {load.seconds:.0f} s, from the moment due")
    yield f"  HTTP answer      {latency_text(load.accept)}"
    goal = _goal(load.end_to_end.p95 <= LATENCY_P95_GOAL_MS, f"p95 at most {LATENCY_P95_GOAL_MS}")
    yield f"  recorded SMS     {latency_text(load.end_to_end)}   {goal}"
    if base is not None:
        bare = base.aiohttp.latency
        yield f"  bare aiohttp     {latency_text(bare)}   at {base.aiohttp.latency_rate:,.0f}/s"
        yield f"  bare chain       {latency_text(base.chain.gentle.end_to_end)}   until the recorded row"
        yield f"  ours / bare      {_over(load.accept, bare)} for the answer, of aiohttp alone"
        yield f"  ours / chain     {_over(load.end_to_end, base.chain.gentle.end_to_end)} end to end"
        most = LATENCY_P95_GOAL_MS / _pace(base)
        yield f"  {_share(base)} {_goal(load.end_to_end.p95 <= most, f'p95 at most {most:.0f}')}"
    yield f"  the generator sent at most {load.late_p99_ms:.2f} ms late (p99); that is in the figures"


def _over(ours: Latency, bare: Latency) -> str:
    pairs = ((ours.p50, bare.p50), (ours.p95, bare.p95), (ours.p99, bare.p99))
    return " / ".join(f"{a / b:.1f}" if b else "-" for a, b in pairs)


def _throughput(run: Run, load: Load, base: Baselines | None) -> Iterator[str]:
    yield from _title(f"From HTTP to the recorded SMS: {load.offered:,.0f}/s offered for {load.seconds:.0f} s")
    goal = _goal(load.held and load.offered >= THROUGHPUT_GOAL, f"at least {THROUGHPUT_GOAL:,} held")
    yield f"  accepted  {load.accepted_rate:>9,.1f} /s"
    yield f"  recorded  {load.delivered_rate:>9,.1f} /s   {'held' if load.held else 'NOT HELD'}; {goal}"
    yield f"            {_ratios(load.delivered_rate, base)}"
    yield (
        f"  at the end {load.backlog:,} under way, recorded within {load.drained_s:.2f} s;"
        f" {load.ledger_backlog:,} not yet in the ledger"
    )
    yield f"  HTTP answer      {latency_text(load.accept)}"
    yield f"  recorded SMS     {latency_text(load.end_to_end)}"
    best = run.highest()
    if run.search:
        yield "  search for the highest rate held (offered: accepted, recorded, p95 end to end):"
        for one in run.search:
            yield (
                f"    {one.offered:>7,.0f}/s: {one.accepted_rate:>7,.0f} {one.delivered_rate:>7,.0f}"
                f" {one.end_to_end.p95:>9,.1f} ms   {'held' if one.held else 'not held'}"
            )
        yield (
            f"  highest held: {best.delivered_rate:,.0f} /s   {_ratios(best.delivered_rate, base)}"
            if best
            else ("  highest held: none of those tried")
        )
    if base is not None:
        least = THROUGHPUT_GOAL * _pace(base)
        is_met = best is not None and best.delivered_rate >= least
        yield f"  {_share(base)} {_goal(is_met, f'at least {least:,.0f} held')}"


def _cost(run: Run, base: Baselines | None) -> Iterator[str]:
    loads = [(name, one) for name, one in _named(run) if one.count.accepted]
    yield from _title("Cost of one event, from HTTP until recorded and in the ledger")
    yield "  " + " " * 24 + "".join(f"{name:>14}" for name, _ in loads)
    names = sorted(
        {name for _, one in loads for name in one.cpu_us}, key=lambda name: -loads[-1][1].cpu_us.get(name, 0)
    )
    for name in names:
        yield f"  {name + ', us CPU':<24}" + "".join(f"{one.cpu_us.get(name, 0):>14,.0f}" for _, one in loads)
    totals = [sum(one.cpu_us.values()) for _, one in loads]
    yield f"  {'all, us CPU':<24}" + "".join(f"{total:>14,.0f}" for total in totals)
    if base is not None and base.aiohttp.cpu_us:
        yield f"  {'  / bare aiohttp':<24}" + "".join(f"{total / base.aiohttp.cpu_us:>14.1f}" for total in totals)
    yield f"  {'generator, us CPU':<24}" + "".join(f"{one.generator_cpu_us:>14,.0f}" for _, one in loads)
    yield f"  {'other work, cores':<24}" + "".join(f"{one.others_cores:>14.2f}" for _, one in loads)
    yield f"  {'idle, cores':<24}" + "".join(f"{one.idle_cores:>14.2f}" for _, one in loads)
    yield f"  {'SQL statements':<24}" + "".join(f"{one.statements_per_delivery:>14.3f}" for _, one in loads)
    if run.throughput is not None:
        each = run.throughput.statements_per_delivery
        yield f"  SQL per delivery under load: {_goal(each <= STATEMENTS_GOAL, f'at most {STATEMENTS_GOAL}')}"


def _ids(run: Run) -> Iterator[str]:
    yield from _title("Every id")
    columns = ("sent", "accepted", "refused", "unanswered", "found", "missing", "duplicates", "unasked", "mixed_up")
    yield "  " + " " * 12 + "".join(f"{name.replace('_', ' '):>11}" for name in columns)
    for name, one in _named(run):
        yield f"  {name:<12}" + "".join(f"{getattr(one.count, column):>11,}" for column in columns)


def _named(run: Run) -> Iterator[tuple[str, Load]]:
    for name in ("accepts", "latency", "throughput"):
        if (one := getattr(run, name)) is not None:
            yield name, one
    for one in run.search:
        yield f"{one.offered:,.0f}/s", one


def _memory(run: Run) -> Iterator[str]:
    memory = run.memory
    if memory is None:
        return
    yield from _title("Memory: PSS, MiB")
    yield f"  {'':<14}{'at rest':>10}{'after load':>12}"
    for name in sorted(memory.at_rest, key=lambda name: -memory.at_rest[name]):
        yield f"  {name:<14}{memory.at_rest[name] / MIB:>10.1f}{memory.after_load.get(name, 0) / MIB:>12.1f}"
    rest, after = (sum(part.values()) / MIB for part in (memory.at_rest, memory.after_load))
    goal = _goal(rest <= MEMORY_GOAL_MIB, f"at most {MEMORY_GOAL_MIB}")
    yield f"  {'whole stack':<14}{rest:>10.1f}{after:>12.1f}   {goal}"
    if run.baselines is not None and (bare := run.baselines.aiohttp.pss / MIB):
        yield f"  {'/ bare aiohttp':<14}{rest / bare:>10.1f}{after / bare:>12.1f}   ({bare:.1f} MiB)"


def latency_text(latency: figures.Latency) -> str:
    """Return the percentiles on one line."""
    return f"p50 {latency.p50:7.1f}  p95 {latency.p95:7.1f}  p99 {latency.p99:7.1f}  most {latency.most:7.1f} ms"


def _ratios(rate: float, base: Baselines | None) -> str:
    if base is None:
        return ""
    return (
        f"{rate / base.aiohttp.rate:.2f} x bare aiohttp, {rate / base.chain.flood.recorded_rate:.2f} x the bare chain,"
        f" {rate / base.singles.rate:.2f} x JetStream singles,"
        f" {rate / base.batches.rate:.2f} x JetStream batches"
    )


def _pace(base: Baselines) -> float:
    return base.chain.flood.recorded_rate / CHAIN_WHERE_SET


def _share(base: Baselines) -> str:
    return f"at this machine's pace ({_pace(base):.2f}, by the bare chain):"


def _goal(met: bool, text: str) -> str:  # noqa: FBT001 - reads well where it is called
    return f"[goal {text}: {'met' if met else 'NOT met'}]"
