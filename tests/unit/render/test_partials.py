"""Partials: what they see, what is refused, and where they end. What they write: tests/conformance/handlebars."""

import math
import time
from typing import Any

import pytest

from services.render.handlebars import (
    Output,
    OutputTooLargeError,
    RenderTimeoutError,
    TemplateFaultError,
    compile_template,
)
from tests.counting import count_calls


def render(
    source: str,
    partials: dict[str, str],
    data: dict[str, Any] | None = None,
    *,
    limit: int = 10_000,
    seconds: float = math.inf,
) -> str:
    """The text of source with partials over data."""
    template = compile_template(source, escaping=True, partials=partials)
    return template.render(data or {}, Output(limit, time.process_time() + seconds))


@pytest.mark.parametrize(
    ("source", "partials", "expected"),
    [
        ("{{> p}}", {"p": "{{x}}{{../x}}{{@root.x}}"}, "&lt;&lt;"),
        ("{{#each l}}{{> p}}{{/each}}", {"p": "{{@index}}{{this}}{{../x}}{{@last}} "}, "0afalse 1btrue "),
        ("{{#with o as |n|}}{{> p}}{{/with}}", {"p": "{{n.y}}{{y}}"}, "1"),
        ("{{> p o}}", {"p": "{{y}}{{x}}"}, "1"),
        ("{{> p o x=2 z=(lookup l 0)}}", {"p": "{{y}}{{x}}{{z}}"}, "12a"),
        ("{{> p x=2}}{{x}}", {"p": "{{x}}{{o.y}}"}, "21&lt;"),
        ("{{> p l x=2}}", {"p": "{{x}}{{.}}"}, "2[object Object]"),
        ("{{> (lookup this 'which')}}", {"p": "P", "q": "Q", "r": "{{> nosuch}}"}, None),
        ("{{> (lookup this 'which')}}", {"p": "P", "q": "Q"}, "Q"),
        ("{{> (lookup this 'nothing')}}", {"p": "P"}, None),
        ("{{> p}}", {"p": "{{> @partial-block}}"}, None),
        ("{{#> p}}a{{/p}}", {"p": "{{@partial-block}}{{#if @partial-block}}b{{/if}}"}, "trueb"),
        ("{{@partial-block}}", {}, ""),
        ("{{#> [a b]}}1{{/[a b]}}{{#> 'a b'}}2{{/'a b'}}", {}, "12"),
        ("  {{> p}}\n.", {"p": "a\n\nb{{l}}\n"}, "  a\n  \n  ba,b\n."),
        ("  {{#> p}}\n  a\n  {{/p}}\n.", {"p": "<\n{{> @partial-block}}\n>\n"}, "<\n  a\n>\n."),
        (" {{#*inline 'a'}}\nx\n {{/inline}}\n{{> a}}", {}, "x\n"),
        ("{{#each l}}{{#*inline 'a'}}{{this}}{{/inline}}{{> a}}{{/each}}", {}, "ab"),
        ("{{#*inline 'a'}}{{../x}}{{/inline}}{{#with o}}{{> a}}{{/with}}", {}, "&lt;"),
        ("{{#if x}}{{#*inline 'a'}}1{{/inline}}{{> a}}{{/if}}{{> a}}", {"a": "2"}, "12"),
    ],
)
def test_what_partials_see(source: str, partials: dict[str, str], expected: str | None) -> None:
    """Their own text sees its data and loop, not the names and parents of who calls; None: refused."""
    data = {"x": "<", "l": ["a", "b"], "o": {"y": 1}, "which": "q"}
    if expected is None:
        with pytest.raises(TemplateFaultError):
            render(source, partials, data)
    else:
        assert render(source, partials, data) == expected


@pytest.mark.parametrize(
    ("source", "partials", "where", "message"),
    [
        ("a\n {{> nosuch}}", {}, ("", 2, 2), "there is no partial 'nosuch'"),
        ("{{> p}}", {"p": "\n\n {{#if}}"}, ("p", 3, 2), "not closed"),
        ("{{> p}}", {"p": "{{> q}}", "q": "x\n{{nosuch 1}}"}, ("q", 2, 1), "'nosuch' is not a helper"),
        ("{{> p}}", {"p": "x{{> nosuch}}"}, ("p", 1, 2), "there is no partial 'nosuch'"),
        ("{{#> p}}{{> nosuch}}{{/p}}", {}, ("", 1, 9), "there is no partial 'nosuch'"),
    ],
)
def test_faults_name_their_place(
    source: str, partials: dict[str, str], where: tuple[str, int, int], message: str
) -> None:
    """Partial, line and column, before any data."""
    with pytest.raises(TemplateFaultError) as refused:
        compile_template(source, escaping=True, partials=partials)
    fault = refused.value
    assert (fault.partial, fault.line, fault.column) == where
    assert message in fault.message


def test_a_partial_that_nobody_calls_is_not_compiled() -> None:
    """What is wrong with it is no fault of this template; unless data may name it."""
    assert render("x", {"p": "{{"}) == "x"
    with pytest.raises(TemplateFaultError):
        render("{{> (lookup this 'x')}}", {"p": "{{"})


def test_trees_of_the_partials_called() -> None:
    """They are told, for whoever looks at a template without running it."""
    template = compile_template("{{> p}}", escaping=True, partials={"p": "{{> q}}", "q": "", "r": ""})
    assert sorted(template.partials) == ["p", "q"]


def test_recursion_follows_the_data_to_a_depth() -> None:
    """A tree of comments is fine; a partial that calls itself for ever is refused, and so is deeper data."""
    partial = {"node": "{{v}}{{#each children}}({{> node}}){{/each}}"}
    tree = {"v": 1, "children": [{"v": 2}, {"v": 3, "children": [{"v": 4}]}]}
    assert render("{{> node}}", partial, tree) == "1(2)(3(4))"
    with pytest.raises(TemplateFaultError, match="more than 64 deep"):
        render("{{> p}}", {"p": "{{> p}}"})
    with pytest.raises(TemplateFaultError, match="more than 64 deep"):
        render("{{#*inline 'a'}}{{> a}}{{/inline}}{{> a}}", {})


def test_depth_is_counted_per_branch() -> None:
    """A thousand calls one after the other are no depth."""
    assert render("{{#each l}}{{> p}}{{/each}}", {"p": "."}, {"l": [0] * 1000}) == "." * 1000


def _doubling(levels: int, end: str) -> dict[str, str]:
    return {f"p{level}": f"{{{{> p{level + 1}}}}}" * 2 for level in range(levels)} | {f"p{levels}": end}


def test_exponential_partials_end_at_the_deadline() -> None:
    """Forty partials, each calling the next one twice, and writing nothing: at a deadline that is past, a few calls."""

    def explode() -> None:
        with pytest.raises(RenderTimeoutError):
            render("{{> p0}}", _doubling(40, ""), seconds=-1)

    count_calls(explode, at_most=100_000)


def test_exponential_partials_end_at_the_output() -> None:
    """The same with a letter each."""
    with pytest.raises(OutputTooLargeError):
        render("{{> p0}}", _doubling(40, "x"), seconds=60)


def test_indents_do_not_multiply_unseen() -> None:
    """A wide indent before many lines is counted before it is made."""
    with pytest.raises(OutputTooLargeError):
        render(" " * 100_000 + "{{> p}}", {"p": "\n" * 100_000}, limit=200_000)
    assert render("  {{> p}}", {"p": "a\nb"}, limit=7) == "  a\n  b"
    with pytest.raises(OutputTooLargeError):
        render("  {{> p}}", {"p": "a\nb"}, limit=6)


def test_tags_are_counted_with_partials() -> None:
    """20,000 together; a partial called twice counts once."""
    assert render("{{> p}}{{> p}}", {"p": "{{x}}" * 19_998}) == ""
    with pytest.raises(TemplateFaultError, match="more than 20000 tags"):
        render("{{> p}}", {"p": "{{x}}" * 20_000})


def test_inline_partials_in_each_other_are_compiled_once() -> None:
    """60 levels of partial blocks with inline partials inside are no 2**60."""
    source = ""
    for level in range(30):
        source = f"{{{{#> a{level}}}}}{{{{#*inline 'b'}}}}{source}{{{{/inline}}}}x{{{{/a{level}}}}}"
    assert render(source, {}) == "x"
    count_calls(lambda: render(source, {}), at_most=100_000)
