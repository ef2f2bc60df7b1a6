"""docs/handlebars.md: every example writes what the page says, and every helper has one."""

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from services.render import pybars3
from services.render.handlebars import Output, TemplateFaultError, compile_template
from services.render.handlebars.blocks import BLOCK_HELPERS
from services.render.helpers import HELPERS

_PAGE = (Path(__file__).parents[3] / "docs" / "handlebars.md").read_text(encoding="utf-8")
_DATA: dict[str, Any] = json.loads(_PAGE.split("```json\n", 1)[1].split("```", 1)[0])
_EXAMPLE = re.compile(r"^\| `(?P<template>.*)` \| `(?P<output>.*)` \|$", re.MULTILINE)
_EXAMPLES = [(found["template"].replace("\\|", "|"), found["output"]) for found in _EXAMPLE.finditer(_PAGE)]


@pytest.mark.parametrize(("template", "output"), _EXAMPLES)
def test_example(template: str, output: str) -> None:
    """The template writes what stands beside it."""
    compiled = compile_template(template, escaping=True, helpers=HELPERS)
    assert compiled.render(_DATA, Output(10_000, math.inf)) == output


@pytest.mark.parametrize(("template", "output"), _EXAMPLES)
def test_example_with_pybars3(template: str, output: str) -> None:
    """It writes the same, or is refused for what pybars3 lacks: nothing is written otherwise."""
    try:
        compiled = pybars3.compile_template(template, escaping=True, helpers=HELPERS)
        written = compiled.render(_DATA, Output(10_000, math.inf))
    except TemplateFaultError as fault:
        written = str(fault)
    assert written == output or written.startswith("line 1, column ")


@pytest.mark.parametrize("name", sorted(HELPERS.keys() | BLOCK_HELPERS.keys()))
def test_every_helper_is_described(name: str) -> None:
    """It has a heading, and an example that uses it."""
    section = _PAGE.split(f"\n### {name}\n", 1)[1].split("\n#", 1)[0]
    assert any(re.search(rf"[{{(#]{name}\b", found["template"]) for found in _EXAMPLE.finditer(section))


def test_no_other_helper_is_described() -> None:
    """What has a heading exists."""
    headings = set(re.findall(r"^### (\S+)$", _PAGE, re.MULTILINE))
    assert headings - {"Sections"} == HELPERS.keys() | BLOCK_HELPERS.keys()
