"""Which variables a template uses, and which of them are missing."""

from typing import Any

import pytest

from services.render.frames import Missing
from services.render.handlebars import Culture, compile_template
from services.render.helpers import HELPERS
from services.render.variables import VariableUsage


def usage(body: str, data: dict[str, Any], partials: dict[str, str] | None = None) -> VariableUsage:
    """Read a body."""
    made = VariableUsage(data, HELPERS, Culture())
    made.part("body", compile_template(body, escaping=True, partials=partials or {}, helpers=HELPERS))
    return made


@pytest.mark.parametrize(
    ("body", "data", "missing"),
    [
        pytest.param("{{a}} {{b}}", {"a": 1}, ["b"], id="plain"),
        pytest.param("{{a.b.c}}", {"a": {"b": {}}}, ["a.b.c"], id="deep"),
        pytest.param("{{a}}{{a}}", {}, ["a"], id="once"),
        pytest.param("{{a}}", {"a": None}, [], id="null-is-there"),
        pytest.param("{{a}}", {"a": ""}, [], id="empty-is-there"),
        pytest.param("{{#if a}}{{b}}{{/if}}", {"b": 1}, [], id="asking-is-no-need"),
        pytest.param("{{#if a}}{{b}}{{/if}}", {"a": 1}, ["b"], id="in-the-branch-taken"),
        pytest.param("{{#if a}}x{{else}}{{b}}{{/if}}", {"a": 1}, [], id="not-in-the-other"),
        pytest.param("{{#unless a}}{{b}}{{/unless}}", {}, ["b"], id="unless"),
        pytest.param("{{#if (eq a 1)}}{{b}}{{else}}{{c}}{{/if}}", {"a": 1}, ["b"], id="helpers-decide"),
        pytest.param('{{default a "x"}}', {}, [], id="default"),
        pytest.param("{{uppercase a}}", {}, ["a"], id="argument"),
        pytest.param("{{#each items}}{{name}}{{/each}}", {"items": [{"name": 1}, {}]}, ["items.1.name"], id="each"),
        pytest.param("{{#each items}}{{../shop}}{{@index}}{{/each}}", {"items": [1]}, ["shop"], id="outside"),
        pytest.param("{{#each items as |i|}}{{i.x}}{{/each}}", {"items": [{}]}, ["items.0.x"], id="block-parameter"),
        pytest.param("{{#each items}}{{name}}{{/each}}", {}, ["items"], id="no-list"),
        pytest.param("{{#each items}}{{name}}{{else}}none{{/each}}", {}, [], id="no-list-answered"),
        pytest.param("{{#with order}}{{total}}{{/with}}", {"order": {}}, ["order.total"], id="with-empty"),
        pytest.param("{{#order}}{{total}}{{/order}}", {"order": {"id": 1}}, ["order.total"], id="section"),
        pytest.param("{{@root.a}}{{this.b}}", {"a": 1}, ["b"], id="root-and-this"),
        pytest.param("{{> p}}", {"a": 1}, ["b"], id="partial"),
        pytest.param("{{> p a=1 b=2}}", {}, [], id="partial-with-options"),
    ],
)
def test_missing(body: str, data: dict[str, Any], missing: list[str]) -> None:
    """Only what a rendering with these data would write, usage through or hand to a helper."""
    found = usage(body, data, {"p": "{{a}}{{b}}"}).missing()
    assert [one.name for one in found] == missing


@pytest.mark.parametrize(
    ("body", "unused"),
    [
        pytest.param("{{a}}", ["b"], id="plain"),
        pytest.param("{{#if c}}{{a}}{{else}}{{b}}{{/if}}", [], id="both-branches"),
        pytest.param("{{#each c}}{{../a}}{{@root.b}}{{/each}}", [], id="in-an-empty-loop"),
        pytest.param("{{#each c}}{{a}}{{/each}}", ["a", "b"], id="of-an-element"),
        pytest.param("{{json this}}", [], id="all"),
        pytest.param("{{> p}}", ["b"], id="partial"),
    ],
)
def test_unused(body: str, unused: list[str]) -> None:
    """A name that no part mentions, whether or not a rendering comes by."""
    assert usage(body, {"a": 1, "b": 2}, {"p": "{{a}}"}).unused(["a", "b"]) == unused


def test_places() -> None:
    """Each miss names its part and line."""
    found = usage("one\n{{a}}\n{{> p}}", {}, {"p": "\n\n{{b}}"}).missing()
    assert found == [Missing("a", "body", 2), Missing("b", "partials.p", 3)]


def test_recursion_ends() -> None:
    """A partial that calls itself over nothing is not followed for ever."""
    found = usage("{{> p}}", {}, {"p": "{{a}}{{#if a}}{{else}}{{> p}}{{> p}}{{/if}}"}).missing()
    assert [one.name for one in found] == ["a"]
