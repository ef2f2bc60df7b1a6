"""How much of the Handlebars specification the render service writes as it says, and what of it is left, and why."""

import csv
import json
from pathlib import Path
from typing import Any

import pybars
import pytest

from services.render.frames import EMAIL, OK, TaskResult, TemplateSource
from services.render.jobs import Job
from services.render.pool import WorkerPool
from tests.conformance.handlebars.conftest import FIGURES
from tests.conformance.handlebars.specification import FILES, Case, cases

_WANTED = 200
_BUDGET_S = 60


def left() -> dict[tuple[str, str], str]:
    """What is known not to pass: (file, case) and the reason."""
    with Path(__file__).with_name("left.tsv").open(encoding="utf-8") as lines:
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


def passes_in_pybars(case: Case) -> bool:
    """The same of pybars3 as it is."""
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
async def test_file(pool: WorkerPool, file: str, record_property: Any) -> None:
    """Every case of a file passes, but for those that left.tsv names; and those do not."""
    specified = cases(file)
    assert len({case.name for case in specified}) == FILES[file]
    answers = await pool.run([job(case) for case in specified], _BUDGET_S)
    results = [(case, passes(case, answer)) for case, answer in zip(specified, answers, strict=True)]
    ours = sum(passed for _, passed in results)
    theirs = sum(map(passes_in_pybars, specified))
    record_property(FIGURES, f"{file}\t{len(specified)}\t{ours}\t{theirs}")
    failed = {(file, case.name) for case, passed in results if not passed}
    assert failed == {key for key in left() if key[0] == file}


def test_enough_passes() -> None:
    """Of 223 cases at least 200 pass, and each that is left has its reason."""
    known = left()
    assert sum(FILES.values()) == 223
    assert sum(FILES.values()) - len(known) >= _WANTED
    assert all(known.values())
