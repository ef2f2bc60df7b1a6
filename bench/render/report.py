"""The report as text."""

from collections.abc import Iterator, Sequence

from bench.render.measure import BATCH, LIMITS, MIB, Blast, Cache, Compile, Rate, Rates


def text(rates: Sequence[Rates], compiles: Sequence[Compile], cache: Cache, blasts: Sequence[Blast]) -> str:
    """Return the report."""
    lines = [*_rates(rates), "", *_compiles(compiles), "", *_cache(cache), "", *_blasts(blasts)]
    return "\n".join(lines)


def _rates(all_rates: Sequence[Rates]) -> Iterator[str]:
    yield "Templates per second, and the processor time of one, in all processes"
    yield f"{'':<40}{'/s':>10}{'us CPU':>10}{'CPU / bare':>12}"
    for one in all_rates:
        bare = "pybars3 + mjml-python" if one.workload.startswith("MJML") else "pybars3"
        yield f"{one.workload}"
        yield _rate(f"bare {bare}, in process", one.bare, one.bare)
        yield _rate("Clarion's compiler in its place", one.handlebars, one.bare)
        yield _rate("all that a worker does, in process", one.whole, one.bare)
        yield _rate("through a worker, one by one", one.single, one.bare)
        yield _rate(f"through a worker, {BATCH} at once", one.batched, one.bare)


def _rate(name: str, rate: Rate, bare: Rate) -> str:
    return f"  {name:<38}{rate.per_second:>10,.0f}{rate.cpu_us:>10,.1f}{rate.cpu_us / bare.cpu_us:>11.2f}x"


def _compiles(compiles: Sequence[Compile]) -> Iterator[str]:
    yield "Compiling, ms of processor time"
    yield f"{'':<40}{'Clarion':>10}{'pybars3':>10}{'ours / theirs':>15}"
    for one in compiles:
        yield f"  {one.template:<38}{one.ours_ms:>10.2f}{one.pybars_ms:>10.2f}{one.ours_ms / one.pybars_ms:>14.3f}x"


def _cache(cache: Cache) -> Iterator[str]:
    yield "A worker's cache of compiled versions"
    yield f"  version known          {cache.hit_us:>8,.0f} us an item"
    yield f"  version not known      {cache.miss_us:>8,.0f} us an item ({cache.miss_us / cache.hit_us:.1f}x)"
    yield f"  of {cache.versions:,} versions, one after the other, {cache.kept:,} are kept"
    yield f"  the process grew by {cache.held / MIB:.1f} MiB"


def _blasts(blasts: Sequence[Blast]) -> Iterator[str]:
    limits = f"{LIMITS.cpu_s} s of processor time, {LIMITS.output // 1024} Ki characters, {LIMITS.memory // MIB} MiB"
    yield f"Template bombs, each between two harmless items; limits: {limits}"
    yield f"{'':<42}{'ms':>8}{'MiB more':>10}  stopped as"
    for one in blasts:
        notes = "" if one.expected else "  NOT EXPECTED"
        notes += "" if one.spared else "  NEIGHBOURS LOST"
        yield f"  {one.bomb:<40}{one.ms:>8,.0f}{one.grown / MIB:>10.1f}  {one.outcome}{notes}"
