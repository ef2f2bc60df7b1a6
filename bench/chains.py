"""Runs the bare chain of bench.chain with the same generator, while the stack is idle."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import msgspec

from bench import chain, figures, helper, load, tenant, usage
from bench.figures import Chain, ChainLoad
from checks.ports import free_port
from stack.client import Running

_START_S = 30.0
_GRACE_S = 60.0
_WARM_RATE, _WARM_S = 100.0, 1.0
_ROWS = f"""
SELECT unique_id, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 AS at FROM {chain.TABLE} /* bench */
"""


async def measure(stack: Running, *, seconds: float, connections: int, latency_rate: float) -> Chain:
    """Return its latency at a low rate and its rate in a closed loop."""
    order = chain.Order(
        nats=stack.variables["CLARION_NATS_URL"],
        postgres=stack.variables["CLARION_POSTGRES_URL"],
        accept=f"127.0.0.1:{free_port()}",
    )
    await chain.prepare(order)
    try:
        async with _running(order) as (port, pids):
            await _load(order, port, pids, rate=_WARM_RATE, seconds=_WARM_S, connections=connections)
            return Chain(
                gentle=await _load(order, port, pids, rate=latency_rate, seconds=seconds, connections=connections),
                flood=await _load(order, port, pids, rate=0, seconds=seconds, connections=connections),
            )
    finally:
        await chain.remove(order)


@asynccontextmanager
async def _running(order: chain.Order) -> AsyncIterator[tuple[int, dict[str, int]]]:
    """Start the four processes; yield the HTTP port and the processes' ids."""
    processes: dict[str, asyncio.subprocess.Process] = {}
    try:
        for role in chain.ROLES:
            processes[role], said = await _start(role, order)
        yield int(said), {role: process.pid for role, process in processes.items()}
    finally:
        for process in processes.values():
            await helper.end(process)


async def _start(role: str, order: chain.Order) -> tuple[asyncio.subprocess.Process, bytes]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.chain", role, stdin=pipe, stdout=pipe, cwd=helper.ROOT, start_new_session=True
    )
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("asked for pipes")
    process.stdin.write(msgspec.msgpack.encode(order))
    process.stdin.close()
    async with asyncio.timeout(_START_S):
        said = await process.stdout.readline()
    if not said:
        raise helper.HelperError(f"bench.chain {role} did not start.")
    return process, said


async def _load(
    order: chain.Order, port: int, pids: dict[str, int], *, rate: float, seconds: float, connections: int
) -> ChainLoad:
    """Offer rate events/s (0: closed loop) and wait until all are recorded."""
    sent = tenant.bare_order(port, rate=rate, seconds=seconds, connections=connections)
    before = usage.cpu(pids)
    answer = await helper.ask("bench.load", sent, load.Answer, deadline=seconds + _GRACE_S)
    recorded = await _recorded(order, sum(status == 200 for status in answer.status))
    used = sum(usage.difference(usage.cpu(pids), before).values())
    at = [recorded.get(load.unique_id(sent.run, number), 0.0) for number in range(len(answer.due))]
    done = [(due, moment) for due, moment in zip(answer.due, at, strict=True) if moment]
    return ChainLoad(
        offered=rate,
        recorded_rate=sum(moment <= answer.ended for _, moment in done) / (answer.ended - answer.started),
        accept=figures.latency([b - a for a, b in zip(answer.due, answer.answered, strict=True) if b]),
        end_to_end=figures.latency([moment - due for due, moment in done]),
        python_cpu_us=used * 1e6 / max(1, len(done)),
    )


async def _recorded(order: chain.Order, wanted: int) -> dict[str, float]:
    """Return the time of each recorded id, then empty the table. Raises HelperError if some are missing."""
    sql = await asyncpg.connect(order.postgres)
    try:
        async with asyncio.timeout(_GRACE_S):
            while await sql.fetchval(f"SELECT count(*) FROM {chain.TABLE} /* bench */") < wanted:  # noqa: ASYNC110 - PostgreSQL does not say when
                await asyncio.sleep(0.1)
        rows = await sql.fetch(_ROWS)
        await sql.execute(f"TRUNCATE {chain.TABLE}")
        return {row["unique_id"]: row["at"] for row in rows}
    except TimeoutError:
        raise helper.HelperError("The bare chain lost events.") from None
    finally:
        await sql.close()
