"""The measurements: rates, compiling, the cache, bombs."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import pybars
from mjml import mjml2html

from bench.render.bombs import Bomb
from bench.render.workloads import Workload
from services.render import content
from services.render.frames import NEEDS_SOURCE, OK, RENDER, SMS, Task, TaskResult, TemplateSource, WorkerLimits
from services.render.handlebars import CompiledTemplate, Output
from services.render.jobs import Job
from services.render.pool import WorkerPool
from services.render.worker import TaskRunner

MIB = 1024**2
# As the service's settings are by default.
LIMITS = WorkerLimits(cpu_s=0.5, output=512 * 1024, memory=96 * MIB)
BATCH = 256
_SAMPLE_S = 0.005
_LONGEST_S = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")


class Rate(msgspec.Struct, frozen=True):
    """Templates per second, and processor time per template in all processes, in microseconds."""

    per_second: float
    cpu_us: float


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """A workload in five ways.

    bare: pybars3, with mjml-python for MJML. handlebars: our compiler in its place, and nothing else. whole: all that
    a worker does with an item, in process.
    """

    workload: str
    bare: Rate
    handlebars: Rate
    whole: Rate
    single: Rate
    batched: Rate


class Compile(msgspec.Struct, frozen=True):
    """Milliseconds of processor time to compile."""

    template: str
    ours_ms: float
    pybars_ms: float


class Cache(msgspec.Struct, frozen=True, kw_only=True):
    """Microseconds of processor time for a template that is cached in the worker, and for one that is not.

    kept: how many of the versions it still knows at the end. held: bytes the process grew by meanwhile.
    """

    hit_us: float
    miss_us: float
    versions: int
    kept: int
    held: int


class Blast(msgspec.Struct, frozen=True):
    """The result of a bomb. grown: the largest growth of the worker in bytes.

    spared: the harmless items before and behind it were rendered.
    """

    bomb: str
    outcome: str
    expected: bool
    ms: float
    grown: int
    spared: bool


@asynccontextmanager
async def running_pool(limits: WorkerLimits = LIMITS) -> AsyncIterator[WorkerPool]:
    """One worker, as the service runs it."""
    pool = WorkerPool(limits, workers=1, on_restart=lambda _: None)
    task = asyncio.create_task(pool.serve())
    await pool.ready()
    try:
        yield pool
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def rates(pool: WorkerPool, workload: Workload, seconds: float) -> Rates:
    """Measure a workload in each way for this many seconds."""
    compiled = content.compile_source(workload.source)
    variables = json.dumps(workload.data).encode()

    def whole() -> None:
        content.render(compiled, workload.data, limit=LIMITS.output, deadline=time.process_time() + 60)

    async def jobs(count: int) -> None:
        made = [Job(workload.source, version_id=workload.name, variables=variables) for _ in range(count)]
        answers = await pool.run(made, 60.0)
        if any(answer is None or answer.outcome != OK for answer in answers):
            raise RuntimeError(f"{workload.name} was not rendered: {answers[0]}")

    return Rates(
        workload=workload.name,
        bare=_rate(_bare(workload), seconds),
        handlebars=_rate(_ours(workload), seconds),
        whole=_rate(whole, seconds),
        single=await _pool_rate(pool, lambda: jobs(1), 1, seconds),
        batched=await _pool_rate(pool, lambda: jobs(BATCH), BATCH, seconds),
    )


def _bare(workload: Workload) -> Callable[[], object]:
    """The same with pybars3 and mjml-python alone: no limits, no text part, no check of nesting."""
    compiler = pybars.Compiler()
    subject, body = compiler.compile(workload.source.subject), compiler.compile(workload.source.body)
    if workload.source.channel == SMS:
        return lambda: str(body(workload.data))
    if workload.is_mjml:
        return lambda: (str(subject(workload.data)), mjml2html(str(body(workload.data))))
    return lambda: (str(subject(workload.data)), str(body(workload.data)))


def _ours(workload: Workload) -> Callable[[], object]:
    """As _bare, with our compiler."""
    compiled = content.compile_source(workload.source)

    def run(template: CompiledTemplate) -> str:
        return template.render(workload.data, Output(LIMITS.output, time.process_time() + 60))

    if workload.source.channel == SMS:
        return lambda: run(compiled.body)
    if workload.is_mjml:
        return lambda: (run(compiled.subject), mjml2html(run(compiled.body)))
    return lambda: (run(compiled.subject), run(compiled.body))


def _rate(run: Callable[[], object], seconds: float) -> Rate:
    run()
    count = 0
    began, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() - began < seconds:
        for _ in range(5):
            run()
        count += 5
    return Rate(count / (time.perf_counter() - began), (time.process_time() - cpu) / count * 1e6)


async def _pool_rate(pool: WorkerPool, run: Callable[[], Awaitable[None]], size: int, seconds: float) -> Rate:
    await run()
    count = 0
    began, cpu = time.perf_counter(), time.process_time() + _cpu(pool)
    while time.perf_counter() - began < seconds:
        await run()
        count += size
    took = time.perf_counter() - began
    return Rate(count / took, (time.process_time() + _cpu(pool) - cpu) / count * 1e6)


def compiling(name: str, source: TemplateSource, seconds: float) -> Compile:
    """Measure how long each compiler takes."""
    ours = _rate(lambda: content.compile_source(source), seconds)
    theirs = _rate(lambda: (pybars.Compiler().compile(source.subject), pybars.Compiler().compile(source.body)), seconds)
    return Compile(name, ours.cpu_us / 1000, theirs.cpu_us / 1000)


def caching(workload: Workload, versions: int) -> Cache:
    """Render many versions of a template in turn, and measure the cache of the worker."""
    renderer = TaskRunner(LIMITS)
    variables = json.dumps(workload.data).encode()

    def answer(number: int, source: TemplateSource | None) -> TaskResult:
        return renderer.answer(Task(RENDER, f"v{number}", source, variables))

    answer(0, workload.source)
    hit = _mean(lambda: answer(0, None), versions)
    before = _held(os.getpid())
    numbers = iter(range(1, versions + 1))
    miss = _mean(lambda: answer(next(numbers), workload.source), versions)
    after = _held(os.getpid())
    kept = sum(answer(number, None).outcome != NEEDS_SOURCE for number in range(versions + 1))
    return Cache(
        hit_us=hit,
        miss_us=miss,
        versions=versions + 1,
        kept=kept,
        held=after - before,
    )


def _mean(run: Callable[[], object], times: int) -> float:
    """Return the processor time per run in microseconds. Many runs are measured together: clocks may be coarse."""
    began = time.process_time()
    for _ in range(times):
        run()
    return (time.process_time() - began) / times * 1e6


async def blast(bomb: Bomb) -> Blast:
    """Render a bomb in its own worker, between two harmless templates."""
    async with running_pool() as pool:
        await pool.run([_harmless()], _LONGEST_S)
        at_rest = _held(*pool.pids)
        watching = asyncio.create_task(_highest(pool))
        began = time.perf_counter()
        bad = Job(bomb.source, version_id="bad", variables=bomb.variables)
        before, answer, after = await pool.run([_harmless(), bad, _harmless()], _LONGEST_S)
        ms = (time.perf_counter() - began) * 1000
        watching.cancel()
        grown = max(0, await watching - at_rest)
    outcome = "no answer" if answer is None else answer.outcome
    spared = all(one is not None and one.content.text == "Hi Ada" for one in (before, after))
    return Blast(bomb.name, outcome, outcome in bomb.outcomes, ms, grown, spared)


def _harmless() -> Job:
    return Job(TemplateSource(SMS, "", "Hi {{name}}"), version_id="good", variables=b'{"name":"Ada"}')


async def _highest(pool: WorkerPool) -> int:
    """Watch the workers until cancelled. Return the largest memory of one."""
    highest = 0
    try:
        while True:
            highest = max([highest, *(_status(pid, "VmHWM") for pid in pool.pids)])
            await asyncio.sleep(_SAMPLE_S)
    except asyncio.CancelledError:
        return highest


def _held(*pids: int) -> int:
    return sum(_status(pid, "VmRSS") for pid in pids)


def _status(pid: int, field: str) -> int:
    """Return a memory field of a process in bytes, 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":")), 0)


def _cpu(pool: WorkerPool) -> float:
    stats = [Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split() for pid in pool.pids]
    return sum(int(stat[11]) + int(stat[12]) for stat in stats) / _TICKS
