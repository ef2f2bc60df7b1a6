"""Hostile templates and dying workers: each is one item's result, and nobody else's."""

import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from services.render.frames import TaskResult, TemplateSource
from services.render.jobs import Job
from services.render.pool import WorkerPool
from tests.integration.render.conftest import LIMITS, running_pool
from tests.waiting import eventually

SMS = TemplateSource(2, "", "Hi {{name}}")
BIG = b'{"a":[' + b",".join([b"1"] * 3000) + b"]}"
CRASHING = TemplateSource(1, "s", "<mjml><mj-body>{{{x}}}</mj-body></mjml>")
DEEP = b'{"x":"' + b"<b>" * 20_000 + b"</b>" * 20_000 + b'"}'


def sms(name: str = "Ada") -> Job:
    """A harmless item."""
    return Job(SMS, version_id="good", variables=f'{{"name":"{name}"}}'.encode())


def job(body: str, variables: bytes = b"{}", version_id: str = "bad") -> Job:
    """An SMS item with this body."""
    return Job(TemplateSource(2, "", body), version_id=version_id, variables=variables)


async def run(pool: WorkerPool, jobs: Sequence[Job], budget: float = 60.0) -> list[TaskResult]:
    """Run them; every one must be answered."""
    answers = await pool.run(jobs, budget)
    assert None not in answers
    return [answer for answer in answers if answer is not None]


def outcomes(answers: Sequence[TaskResult]) -> list[str]:
    """Only the outcomes."""
    return [answer.outcome for answer in answers]


async def test_renders_in_order(pool: WorkerPool) -> None:
    """Answers stand where their jobs stood, over many frames."""
    answers = await run(pool, [sms(str(number)) for number in range(300)])
    assert [answer.content.text for answer in answers] == [f"Hi {number}" for number in range(300)]


async def test_what_helpers_need_is_loaded_in_a_worker(pool: WorkerPool) -> None:
    """Confined as it is it finds Unicode's rules and each language's, and keeps the order of keys."""
    body = (
        "{{truncate s 6 end=''}}|{{formatDate d 'EEE O'}}|{{formatCurrency 0.125 'KES'}}|{{#each m}}{{@key}}{{/each}}"
    )
    flag = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
    variables = f'{{"s":"Go {flag} now","d":"2027-01-01","m":{{"b":1,"2":2,"a":3}}}}'.encode()
    asked = Job(TemplateSource(2, "", body), version_id="helped", variables=variables, fallback=b'{"locale":"zh-AU"}')
    (answer,) = await run(pool, [asked])
    assert (answer.outcome, answer.content.text) == ("ok", "Go|\u9031\u4e94 GMT|KES 0.13|2ba")


async def test_segfault_is_alone(reckless_pool: WorkerPool) -> None:
    """One item among twenty really crashes the converter: nineteen are rendered."""
    jobs = [sms() for _ in range(20)]
    jobs[7] = Job(CRASHING, version_id="deep", variables=DEEP)
    answers = await run(reckless_pool, jobs)
    assert answers[7].outcome == "render_crashed"
    assert "SIGSEGV" in answers[7].detail
    assert outcomes(answers[:7] + answers[8:]) == ["ok"] * 19


async def test_depth_is_put_right_before_it_crashes(pool: WorkerPool) -> None:
    """The same item costs no worker where the depth check stands, and is rendered."""
    before = pool.pids
    (answer,) = await run(pool, [Job(CRASHING, version_id="deep", variables=DEEP)])
    assert answer.outcome == "ok"
    assert answer.content.html.count("<b>") == 256
    assert pool.pids == before


async def test_endless_loop_times_out(pool: WorkerPool) -> None:
    """Nested loops over a long list, 27 billion rounds, end by the pool's limit; their neighbours are rendered."""
    loop = "{{#each a}}{{#each ../a}}{{#each ../../a}}{{/each}}{{/each}}{{/each}}"
    answers = await run(pool, [sms(), job(loop, BIG), sms(), job(loop, BIG), sms()])
    assert outcomes(answers) == ["ok", "render_timeout", "ok", "render_timeout", "ok"]


async def test_neighbours_of_a_slow_template_are_rendered(pool: WorkerPool) -> None:
    """Once a version took its time away it is suspect, and everybody else's items are rendered (test_job_queue.py)."""
    loop = "{{#each a}}{{#each ../a}}{{#each ../../a}}{{/each}}{{/each}}{{/each}}"
    slow, quick = await asyncio.gather(
        pool.run([job(loop, BIG) for _ in range(40)], 30), run(pool, [sms() for _ in range(20)])
    )
    assert outcomes(quick) == ["ok"] * 20
    assert {answer.outcome for answer in slow if answer} == {"render_timeout"}
    assert pool.is_suspect("bad")


async def test_a_heavy_items_siblings_are_rendered(pool: WorkerPool) -> None:
    """Other events of its template wait behind everybody else, and are rendered where nobody else is there."""
    body = "{{#each a}}{{#each ../a}}{{#each ../../a}}{{/each}}{{/each}}{{/each}}Hi {{name}}"
    assert outcomes(await run(pool, [job(body, BIG)])) == ["render_timeout"]
    await pool.run([job(body, BIG) for _ in range(20)], 0.5)  # leaves some behind that nobody waits for
    for name in ("Ada", "Grace"):
        (answer,) = await run(pool, [job(body, b'{"name":"%s"}' % name.encode())], 30)
        assert answer.content.text == f"Hi {name}"


async def test_suspects_do_not_hold_their_batch(pool: WorkerPool) -> None:
    """A few of many heavy items have their turn; the others are let go long before the budget's end."""
    loop = "{{#each a}}{{#each ../a}}{{#each ../../a}}{{/each}}{{/each}}{{/each}}"
    answers = await pool.run([job(loop, BIG) for _ in range(100)], 30)
    answered = [answer.outcome for answer in answers if answer]
    assert set(answered) == {"render_timeout"}
    assert 2 <= len(answered) < 50
    assert outcomes(await run(pool, [sms()])) == ["ok"]


async def test_suspects_have_turns_where_others_never_cease(pool: WorkerPool) -> None:
    """A queue that is never empty before them keeps them waiting, not for ever."""
    body = "{{#each a}}{{#each ../a}}{{#each ../../a}}{{/each}}{{/each}}{{/each}}Hi"
    assert outcomes(await run(pool, [job(body, BIG)])) == ["render_timeout"]

    async def others() -> None:
        while True:
            await run(pool, [sms() for _ in range(200)])

    crowd = [asyncio.create_task(others()) for _ in range(4)]
    try:
        await eventually(lambda: pool.waiting > 200)
        for _ in range(2):
            assert outcomes(await run(pool, [job(body)], 30)) == ["ok"]
    finally:
        for task in crowd:
            task.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)


async def test_memory_bomb(pool: WorkerPool) -> None:
    """A list of lists of texts grows until the worker's limit, not until the machine's."""
    nested = "{{#each a}}{{#each ../a}}{{#each ../../a}}{{../../../b}}{{/each}}{{/each}}{{/each}}"
    variables = (
        b'{"a":[' + b",".join([b"0"] * 3000) + b'],"b":' + b"[" * 3 + b'"' + b"x" * 200_000 + b'"' + b"]" * 3 + b"}"
    )
    answers = await run(pool, [sms(), job(nested, variables), sms()])
    assert outcomes(answers) == ["ok", "output_too_large", "ok"]


async def test_variables_beyond_memory() -> None:
    """Data that take more memory than a worker has are that item's failure, before they take its time."""
    variables = b'{"a":[' + b",".join([b"{}"] * 1_500_000) + b"]}"
    async with running_pool(limits=replace(LIMITS, cpu_s=5)) as pool:
        answers = await run(pool, [sms(), job("{{a.length}}", variables), sms()])
    assert outcomes(answers) == ["ok", "render_memory", "ok"]


async def test_output_bomb(pool: WorkerPool) -> None:
    """Output ends at its limit."""
    answers = await run(pool, [sms(), job("{{#each a}}{{#each ../a}}xxxxxxxx{{/each}}{{/each}}", BIG), sms()])
    assert outcomes(answers) == ["ok", "output_too_large", "ok"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
async def test_worker_killed_in_a_batch(pool: WorkerPool, number: signal.Signals) -> None:
    """A worker that is killed from outside costs no item: all are rendered by the next one."""
    (pid,) = pool.pids
    work = "{{#each a}}{{#each ../a}}{{/each}}{{/each}}"
    variables = b'{"a":[' + b",".join([b"1"] * 100) + b"]}"

    async def kill() -> None:
        await eventually(lambda: pool.waiting == 0)  # the last frame is under way
        os.kill(pid, number)

    answers, _ = await asyncio.gather(run(pool, [job(work, variables, "steady") for _ in range(100)]), kill())
    assert outcomes(answers) == ["ok"] * 100
    await eventually(lambda: pool.pids and pool.pids != [pid])


async def test_killed_when_idle(pool: WorkerPool) -> None:
    """A worker that dies between batches is replaced."""
    (pid,) = pool.pids
    os.kill(pid, signal.SIGKILL)
    assert outcomes(await run(pool, [sms()])) == ["ok"]


async def test_stopped_worker_is_ended(pool: WorkerPool) -> None:
    """A worker that hangs (here: is stopped) is killed, and its work done by another."""
    (pid,) = pool.pids
    os.kill(pid, signal.SIGSTOP)
    answers = await run(pool, [sms(), sms()])
    assert set(outcomes(answers)) == {"ok"}


async def test_several_workers() -> None:
    """Two workers share what waits."""
    async with running_pool(workers=2) as pool:
        await eventually(lambda: len(pool.pids) == 2)
        assert set(outcomes(await run(pool, [sms() for _ in range(500)]))) == {"ok"}


async def test_worker_ends_with_its_pipe() -> None:
    """No worker outlives its service."""
    async with running_pool() as pool:
        (pid,) = pool.pids
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def environment_of(pid: int) -> bytes:
    """What the kernel gave the process."""
    return Path(f"/proc/{pid}/environ").read_bytes()


async def test_worker_has_no_environment(pool: WorkerPool) -> None:
    """Secrets of the service's environment are not in the worker's."""
    assert environment_of(pool.pids[0]) == b""
