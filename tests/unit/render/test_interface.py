"""pybars3's interface on both engines: context, helpers, partials, and errors of one kind."""

from typing import Any

import pytest

from services.render import engines
from services.render.engines import CLARION, PYBARS3
from services.render.handlebars import OutputTooLargeError, TemplateFaultError
from services.render.interface import Compiler


@pytest.fixture(params=[CLARION, PYBARS3])
def compiler(request: pytest.FixtureRequest) -> Compiler:
    """A compiler of each engine."""
    return Compiler(engines.load(request.param, compile_s=5))


def _shout(this: Any, text: str, end: str = "!") -> str:
    return f"{text.upper()}{end} {this['n']}"


def test_helpers_get_this_their_arguments_and_options(compiler: Compiler) -> None:
    """As in pybars3, and nothing else; what they write is escaped."""
    template = compiler.compile("{{shout name}}; {{#each rows}}{{shout ../name end='<'}} {{/each}}")
    data = {"n": 1, "name": "ada", "rows": [{"n": 2}, {"n": 3}]}
    assert template(data, helpers={"shout": _shout}) == "ADA! 1; ADA&lt; 2 ADA&lt; 3 "


def test_a_helper_opens_a_block(compiler: Compiler) -> None:
    """What it returns says which half is written."""
    template = compiler.compile("{{#odd n}}odd{{else}}even{{/odd}}")
    helpers = {"odd": lambda _this, number: number % 2 == 1}
    assert [template({"n": number}, helpers=helpers) for number in (1, 2)] == ["odd", "even"]


def test_partials_are_templates(compiler: Compiler) -> None:
    """With a context and values of their own; other ones may be given to the next call."""
    template = compiler.compile("{{> row item title='of'}}")
    rows = [compiler.compile(text) for text in ("{{name}} {{title}}", "{{title}} {{name}}")]
    assert [template({"item": {"name": "Pen"}}, partials={"row": row}) for row in rows] == ["Pen of", "of Pen"]


def test_data_come_before_helpers(compiler: Compiler) -> None:
    """A name without arguments is data, also as a block."""
    template = compiler.compile("{{shout}} {{#shout}}{{x}}{{/shout}}")
    assert template({"shout": [{"x": 1.0}, {"x": True}]}, helpers={"shout": _shout}).endswith("] 1true")


@pytest.mark.parametrize("source", ["{{#if x}}", "{{x", "{{/if}}", "{{shout x", "{{> (x}}"])
def test_what_is_no_handlebars_is_refused_when_it_is_compiled(compiler: Compiler, source: str) -> None:
    """With its place."""
    with pytest.raises(TemplateFaultError) as refused:
        compiler.compile(source)
    assert refused.value.line == 1


@pytest.mark.parametrize("source", ["{{shout x}}", "{{> row}}", "{{#if x y}}{{/if}}"])
def test_what_is_missing_is_refused_when_it_is_called(compiler: Compiler, source: str) -> None:
    """A helper, a partial, another number of arguments."""
    with pytest.raises(TemplateFaultError):
        compiler.compile(source)({"x": 1})


def test_output_is_bounded(compiler: Compiler) -> None:
    """Whatever the data."""
    with pytest.raises(OutputTooLargeError):
        compiler.compile("{{#each x}}{{../y}}{{/each}}")({"x": [1] * 2000, "y": "y" * 1000})
