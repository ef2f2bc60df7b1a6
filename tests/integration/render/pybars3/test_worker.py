"""The engine pybars3 in the render service's real workers: what is sent, previewed and checked, and what bombs do."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from services.render.engines import CLARION, PYBARS3
from services.render.frames import CHECK, EMAIL, OK, PREVIEW, RENDER, SMS, TaskResult, TemplateSource
from services.render.jobs import Job
from services.render.pool import WorkerPool
from services.render.render import TemplateRenderer
from tests.integration.render.conftest import LIMITS, running_pool

_LIMITS = replace(LIMITS, engine=PYBARS3, compile_s=1.5)
_DATA = (
    b'{"name":"Ada & Tom","vip":true,"eq":"data","total":1234.5,"locale":"de","when":"2026-11-29T18:05:00Z",'
    b'"items":[{"name":"Pen","price":1.0},{"name":"<Ink>","price":12.25}],"note":null}'
)
_MAIL = TemplateSource(
    EMAIL,
    "Order of {{name}}: {{formatCurrency total 'EUR'}}",
    "<mj-section><mj-column>\n"
    "{{#if vip}}<mj-text>{{eq}} {{formatDate when 'long'}}</mj-text>{{else}}<mj-text>guest</mj-text>{{/if}}\n"
    "{{#each items}}<mj-text>{{@index}} {{> row title=../name}}</mj-text>{{/each}}\n"
    "<mj-text>{{#unless note}}none{{/unless}} {{missing}}</mj-text></mj-column></mj-section>",
    preheader="{{items.length}} {{pluralize items.length 'thing' 'things'}}",
    layout="<mjml><mj-body>{{{content}}}</mj-body></mjml>",
    partials={"row": "{{name}} {{price}} of {{title}}"},
    locale="de",
)
_SIZE_KIB = 250


@pytest.fixture
async def pybars3_pool() -> AsyncIterator[WorkerPool]:
    """One worker that renders with pybars3."""
    async with running_pool(limits=_LIMITS) as started:
        yield started


async def _answer(pool: WorkerPool, job: Job) -> TaskResult:
    (answer,) = await pool.run([job], 60)
    assert answer is not None
    return answer


async def test_a_mail_is_the_same_with_both_engines(pybars3_pool: WorkerPool, pool: WorkerPool) -> None:
    """MJML, layout, partial, helpers, locale, data before helpers: production, and preview with its report."""
    for kind in (RENDER, PREVIEW):
        theirs, ours = [
            await _answer(chosen, Job(_MAIL, version_id="" if kind else "v", kind=kind, variables=_DATA))
            for chosen in (pybars3_pool, pool)
        ]
        assert (theirs.outcome, theirs.detail) == (OK, "")
        assert theirs.content == ours.content
        assert theirs.report == ours.report
    assert "1 &lt;Ink&gt; 12.25 of Ada &amp; Tom" in theirs.content.html
    assert theirs.content.subject == "Order of Ada & Tom: 1.234,50 €"
    assert theirs.content.preheader == "2 things"
    assert theirs.report is not None
    assert [missing.name for missing in theirs.report.missing] == ["missing"]


async def test_a_template_that_pybars3_cannot_read_is_refused_with_its_place(pybars3_pool: WorkerPool) -> None:
    """When it is saved; a version that was saved under the other engine fails with the same text."""
    source = replace(_MAIL, partials={"row": "{{#each items as |item|}}\n{{/each}}"})
    checked = await _answer(pybars3_pool, Job(source, kind=CHECK))
    (fault,) = {(fault.field, fault.line, fault.column) for fault in checked.faults}
    assert fault == ("partials.row", 1, 1)
    assert "knows no `as |name|`" in checked.faults[0].message
    rendered = await _answer(pybars3_pool, Job(source, version_id="v", variables=_DATA))
    assert rendered.outcome == "template_error"
    assert "knows no `as |name|`" in rendered.detail


async def test_renderer_reports_the_fault(pybars3_pool: WorkerPool) -> None:
    """The service hands it to who saves the template."""

    class NoSources:
        async def find(self, _ids: object) -> dict[str, TemplateSource]:
            return {}

    (fault,) = await TemplateRenderer(pybars3_pool, NoSources()).check(TemplateSource(SMS, "", "{{else}} {{> x}}"), 10)
    assert (fault.field, fault.line) == ("body", 1)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("\n" + ("{{#a}}" + " " * 30) * 8 + "x" + "{{/a}}" * 8, "more than 1.5 s of processor time"),
        ("{{s}} " * 16_000, "more than 1.5 s of processor time"),
        ("<p>text</p>\n" * (_SIZE_KIB * 1024 // 12), "more than 1.5 s of processor time|more memory than a worker has"),
    ],
    ids=["a pattern that tries for ever", "many tags", "a long text"],
)
async def test_a_compile_bomb_is_its_authors_fault(pybars3_pool: WorkerPool, body: str, told: str) -> None:
    """It says what passed the limit; its worker lives and renders the next item."""
    workers = pybars3_pool.pids
    checked = await _answer(pybars3_pool, Job(TemplateSource(EMAIL, "s", body), kind=CHECK))
    assert checked.outcome == "template_error"
    assert any(part in checked.faults[0].message for part in told.split("|"))
    good = await _answer(
        pybars3_pool, Job(TemplateSource(SMS, "", "Hi {{name}}"), version_id="good", variables=b'{"name":"Ada"}')
    )
    assert good.content.text == "Hi Ada"
    assert pybars3_pool.pids == workers


async def test_a_render_bomb_is_stopped_as_with_the_other_engine(pybars3_pool: WorkerPool) -> None:
    """By processor time and by output."""
    data = b'{"l":[' + b",".join([b"1"] * 300) + b"]}"
    empty = TemplateSource(SMS, "", "{{#each @root.l}}" * 4 + "{{/each}}" * 4)
    assert (await _answer(pybars3_pool, Job(empty, variables=data))).outcome == "render_timeout"
    full = TemplateSource(SMS, "", "{{#each @root.l}}" * 2 + "xxxxxxxxxx" + "{{/each}}" * 2)
    assert (await _answer(pybars3_pool, Job(full, variables=data))).outcome == "output_too_large"


async def test_compiling_is_no_part_of_an_items_rendering(pybars3_pool: WorkerPool) -> None:
    """A version may take longer to compile than an item may take to render."""
    source = TemplateSource(EMAIL, "s", "<p>{{name}}</p>" * 400)
    before = _processor_s(pybars3_pool)
    answer = await _answer(pybars3_pool, Job(source, version_id="large", variables=b'{"name":"Ada"}'))
    assert answer.outcome == OK
    assert answer.content.html.count("Ada") == 400
    assert _processor_s(pybars3_pool) - before > _LIMITS.cpu_s


@pytest.mark.parametrize(("engine", "loaded"), [(CLARION, "False"), (PYBARS3, "True")])
def test_pybars3_is_loaded_only_where_it_is_chosen(engine: str, loaded: str) -> None:
    """Nobody else pays for it."""
    program = (
        "import sys; from services.render import engines, worker; from services.render.frames import *;"
        f"engine = engines.load({engine!r}, compile_s=1);"
        "limits = WorkerLimits(1, 1000, 0);"
        "task = Task(RENDER, '', TemplateSource(SMS, '', 'Hi {{name}}'), b'{}');"
        "print(worker.TaskRunner(limits, engine).answer(task).outcome);"
        "print('pybars' in sys.modules, 'pymeta' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[4], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [OK, loaded, loaded]


def _processor_s(pool: WorkerPool) -> float:
    """Seconds of processor time of a pool's only worker."""
    (pid,) = pool.pids
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
