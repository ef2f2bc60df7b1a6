"""Which branches of a template none of its samples reaches."""

from typing import Any

import pytest

from services.render.branches import MAX_BRANCHES, unreached
from services.render.frames import Branch
from services.render.handlebars import Culture, compile_template
from services.render.helpers import HELPERS
from services.render.variables import VariableUsage


def branches(body: str, data: dict[str, Any], partials: dict[str, str] | None = None) -> list[Branch]:
    """Return what a preview with these data reports."""
    usage = VariableUsage(data, HELPERS, Culture())
    usage.part("body", compile_template(body, escaping=True, partials=partials or {}, helpers=HELPERS))
    return usage.branches()


@pytest.mark.parametrize(
    ("body", "samples", "expected"),
    [
        pytest.param("{{#if a}}x{{else}}y{{/if}}", [{"a": 1}], ["#if a else"], id="else"),
        pytest.param("{{#if a}}x{{else}}y{{/if}}", [{}], ["#if a then"], id="then"),
        pytest.param("{{#if a}}x{{else}}y{{/if}}", [{}, {"a": 1}], [], id="two-samples"),
        pytest.param("{{#if a}}x{{/if}}", [{"a": 1}], [], id="no-else"),
        pytest.param("{{#if a}}{{#if b}}x{{/if}}{{/if}}", [{}], ["#if a then"], id="not-the-inner-one"),
        pytest.param("{{#if a}}{{#if b}}x{{/if}}{{/if}}", [{"a": 1}], ["#if b then"], id="the-inner-one"),
        pytest.param("{{#unless a}}x{{else}}y{{/unless}}", [{}], ["#unless a else"], id="unless"),
        pytest.param('{{#eq a "b"}}x{{else}}y{{/eq}}', [{}], ['#eq a "b" then'], id="helper"),
        pytest.param("{{#if (gt a 1)}}x{{/if}}", [{"a": 1}], ["#if (gt a 1) then"], id="argument"),
        pytest.param("{{#each a}}x{{else}}y{{/each}}", [{"a": [1]}], ["#each a else"], id="each"),
        pytest.param("{{#each a}}x{{else}}y{{/each}}", [{"a": []}], ["#each a then"], id="empty-list"),
        pytest.param("{{#each a}}{{#if b}}x{{else}}y{{/if}}{{/each}}", [{"a": [{"b": 1}, {}]}], [], id="elements"),
        pytest.param("{{#each a}}{{#if @last}}x{{else}}y{{/if}}{{/each}}", [{"a": [1]}], [], id="not-known"),
        pytest.param("{{#a}}x{{else}}y{{/a}}", [{"a": True}], ["#a else"], id="section"),
        pytest.param("{{#with a}}x{{else}}y{{/with}}", [{}], ["#with a then"], id="with"),
        pytest.param("{{#if a}}x{{else if b}}y{{else}}z{{/if}}", [{"a": 1}, {"b": 1}], ["#if b else"], id="else-if"),
        pytest.param("{{^a}}x{{else}}y{{/a}}", [{"a": 1}], ["#a else"], id="inverted"),
        pytest.param("{{> p}}", [{}], ["#if c then"], id="partial"),
    ],
)
def test_unreached(body: str, samples: list[dict[str, Any]], expected: list[str]) -> None:
    """Of the blocks that at least one sample reaches."""
    found = unreached(branches(body, data, {"p": "{{#if c}}x{{/if}}"}) for data in samples)
    assert [f"{one.block} {'else' if one.is_else else 'then'}" for one in found] == expected


def test_places() -> None:
    """Part, line and column of the block."""
    (found,) = unreached([branches("\n {{> p}}", {}, {"p": "\n  {{#if c}}x{{/if}}"})])
    assert (found.field, found.line, found.column) == ("partials.p", 2, 3)


def test_a_report_has_a_limit() -> None:
    """However many blocks there are; a long tag is cut."""
    assert len(branches("{{#if a}}x{{/if}}" * (MAX_BRANCHES + 5), {})) == MAX_BRANCHES
    (found,) = branches("{{#if " + "a" * 200 + "}}x{{/if}}", {})
    assert len(found.block) == 80


def test_a_template_that_is_too_long_has_none() -> None:
    """What was not read could be reached."""

    def nested(depth: int) -> str:
        return "{{#with @root}}{{#each a}}" * depth + "{{#if b}}x{{/if}}" + "{{/each}}{{/with}}" * depth

    assert len(branches(nested(2), {"a": [1] * 20})) == 5
    assert branches(nested(4), {"a": [1] * 20}) == []
