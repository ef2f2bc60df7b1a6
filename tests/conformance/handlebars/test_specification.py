"""How much of the Handlebars specification each engine writes as it says, and what of it is left, and why.

The cases run through pybars3's interface on both engines, and through a real worker as an e-mail's body.
"""

import csv
import json
from pathlib import Path
from typing import Any

import pybars
import pytest

from services.render import engines
from services.render.engines import CLARION, PYBARS3
from services.render.frames import EMAIL, OK, TaskResult, TemplateSource
from services.render.handlebars import TemplateFaultError
from services.render.interface import Compiler
from services.render.jobs import Job
from services.render.pool import WorkerPool
from tests.conformance.handlebars.conftest import FIGURES
from tests.conformance.handlebars.specification import FILES, Case, cases

# How many of the 223 cases each engine has to pass.
_WANTED = {CLARION: 216, PYBARS3: 152}
_BUDGET_S = 60


def left(engine: str) -> dict[tuple[str, str], str]:
    """What is known not to pass with an engine: (file, case) and the reason."""
    with Path(__file__).with_name(f"left_{engine}.tsv").open(encoding="utf-8") as lines:
        return {(row["file"], row["case"]): row["reason"] for row in csv.DictReader(lines, delimiter="\t")}


def job(case: Case) -> Job:
    """An e-mail with the case's template as its body: HTML, escaped for HTML."""
    # An undefined context is an event without variables.
    variables = b"" if case.data is None else json.dumps(case.data).encode()
    return Job(TemplateSource(EMAIL, "", case.template, partials=case.partials), variables=variables)


def passes(case: Case, answer: TaskResult | None) -> bool:
    """Tell whether the service wrote what it should, or refused what it should."""
    assert answer is not None
    if case.expected is None:
        return answer.outcome == "template_error"
    return answer.outcome == OK and answer.content.html == case.expected


def passes_by_interface(case: Case, engine: str) -> bool:
    """The same through pybars3's interface, where data may be any value."""
    compiler = Compiler(engines.load(engine, compile_s=5))
    try:
        partials = {name: compiler.compile(text) for name, text in case.partials.items()}
        written = compiler.compile(case.template)(case.data, partials=partials)
    except TemplateFaultError:
        return case.expected is None
    return written == case.expected


def passes_in_pybars(case: Case) -> bool:
    """The same of pybars3 as it is published."""
    try:
        written = _in_pybars(case)
    except Exception:  # whatever it raises, it refuses
        return case.expected is None
    return written == case.expected


def _in_pybars(case: Case) -> str:
    compiler = pybars.Compiler()
    partials: dict[str, Any] = {name: compiler.compile(text) for name, text in case.partials.items()}
    return str(compiler.compile(case.template)(case.data, partials=partials))


@pytest.mark.parametrize("file", FILES)
async def test_file(pools: dict[str, WorkerPool], file: str, record_property: Any) -> None:
    """Every case of a file passes with each engine's worker, but for those of its list; and those do not."""
    specified = cases(file)
    assert len({case.name for case in specified}) == FILES[file]
    figures = []
    for engine, pool in pools.items():
        answers = await pool.run([job(case) for case in specified], _BUDGET_S)
        failed = {
            (file, case.name) for case, answer in zip(specified, answers, strict=True) if not passes(case, answer)
        }
        assert failed == {key for key in left(engine) if key[0] == file}
        figures.append(len(specified) - len(failed))
    stock = sum(map(passes_in_pybars, specified))
    record_property(FIGURES, "\t".join(map(str, (file, len(specified), *figures, stock))))


@pytest.mark.parametrize("engine", [CLARION, PYBARS3])
@pytest.mark.parametrize("file", FILES)
def test_file_by_interface(file: str, engine: str) -> None:
    """What a worker writes, pybars3's interface writes; data that no event can have are no matter there."""
    failed = {(file, case.name) for case in cases(file) if not passes_by_interface(case, engine)}
    assert failed <= {key for key in left(engine) if key[0] == file}


@pytest.mark.parametrize("engine", [CLARION, PYBARS3])
def test_enough_passes(engine: str) -> None:
    """Each case that is left has its reason."""
    known = left(engine)
    assert sum(FILES.values()) == 223
    assert sum(FILES.values()) - len(known) == _WANTED[engine]
    assert all(known.values())
