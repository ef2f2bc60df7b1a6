"""Handlebars: what a template writes, and where its faults are."""

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
from tests.counting import assert_linear, count_calls

PEOPLE = {"people": [{"name": "Ada"}, {"name": "Tom"}], "sep": "; "}
NESTED = {"a": {"b": {"c": "deep"}, "list": ["x", "y"]}, "top": "T", "n": 5, "m": {"x": 1, "y": 2}}


def render(
    source: str, data: dict[str, Any] | None = None, *, escaping: bool = False, limit: int = 10_000, seconds: float = 60
) -> str:
    """The text of source over data."""
    deadline = time.process_time() + seconds
    return compile_template(source, escaping=escaping).render({} if data is None else data, Output(limit, deadline))


def fault(source: str) -> TemplateFaultError:
    """What is wrong with source."""
    with pytest.raises(TemplateFaultError) as refused:
        compile_template(source, escaping=True)
    return refused.value


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("plain } and { text", "plain } and { text"),
        ("{{top}} {{ top }} {{this.top}} {{./top}}", "T T T T"),
        ("{{a.b.c}} {{a/b/c}} {{a.[b].c}} {{this.a.b.c}}", "deep deep deep deep"),
        ("{{a.list.0}} {{a.list.[1]}} {{a.list.length}} {{top.length}}", "x y 2 1"),
        ("{{.}}|{{#with top}}{{.}}{{this}}{{/with}}", "[object Object]|TT"),
        ("{{#with .}}{{top}}{{/with}}{{#with ./a}}{{b.c}}{{/with}}{{#if ./top}}1{{/if}}", "Tdeep1"),
        ("{{lookup . 'top'}}{{lookup ./a.list 0}}{{#each a.list}}{{lookup @root.m .}}{{/each}}", "Tx12"),
        ("{{@root.top}} {{#with a}}{{@root.top}}{{/with}}", "T T"),
        ("{{top}} }", "T }"),
        ("{{&top}}{{{top}}}{{{ top }}}", "TTT"),
    ],
)
def test_variables_and_paths(source: str, expected: str) -> None:
    """Names and paths find data."""
    assert render(source, NESTED) == expected


@pytest.mark.parametrize(
    "source",
    ["{{none}}", "{{a.none.c}}", "{{a.b.c.d}}", "{{a.list.9}}", "{{a.list.-1}}", "{{n.x}}", "{{../top}}", "{{@none}}"],
)
def test_missing_is_empty(source: str) -> None:
    """What is not there writes nothing."""
    assert render(f"<{source}>", NESTED) == "<>"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", "text"),
        ("", ""),
        (0, "0"),
        (-7, "-7"),
        (1.0, "1"),
        (-0.0, "0"),
        (2.5, "2.5"),
        (0.00001, "0.00001"),
        (1.25e-6, "0.00000125"),
        (-1.5e-7, "-1.5e-7"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (True, "true"),
        (False, "false"),
        (None, ""),
        ([1, [2, None], "x"], "1,2,,x"),
        ([], ""),
        ({"a": 1}, "[object Object]"),
        ("Zürich ☃ 🎉", "Zürich ☃ 🎉"),
    ],
)
def test_json_values(value: object, expected: str) -> None:
    """Each kind of JSON value is written as JavaScript would."""
    assert render("{{x}}", {"x": value}) == expected


@pytest.mark.parametrize("escaping", [True, False])
@pytest.mark.parametrize(
    "source", ["{{x}}", "{{{x}}}", "{{&x}}", "{{lookup this 'x'}}", "{{~{x}~}}", "{{#with x}}{{.}}{{/with}}"]
)
def test_escaping(source: str, *, escaping: bool) -> None:
    """HTML is escaped where asked for, and never in a triple stash; the template's own text never."""
    raw = "<a href=\"x\" b='y'>&`="
    escaped = "&lt;a href&#x3D;&quot;x&quot; b&#x3D;&#x27;y&#x27;&gt;&amp;&#x60;&#x3D;"
    plain = not escaping or source in {"{{{x}}}", "{{&x}}", "{{~{x}~}}"}
    assert render(f"<b>{source}", {"x": raw}, escaping=escaping) == "<b>" + (raw if plain else escaped)


@pytest.mark.parametrize(
    "path",
    [
        *("n.real", "s.upper", "n.__class__", "s.__class__.__mro__", "x.__init__", "x.keys", "x.items", "xs.append"),
        *(
            "__class__",
            "__globals__",
            "this.__class__",
            "@root.__class__",
            "@index.__class__",
            "true.real",
            "xs.__len__",
        ),
        *("x.constructor", "x.__proto__", "s.[__class__]", "x.get", "self", "scope", "b.denominator"),
    ],
)
def test_attributes_do_not_exist(path: str) -> None:
    """Only data is reached, never an attribute or method of a value."""
    data = {"n": 5, "s": "text", "x": {"a": 1}, "xs": [1], "b": True}
    assert render(f"<{{{{{path}}}}}>", data) == "<>"
    name, _, key = path.rpartition(".")
    assert render(f"<{{{{lookup {name or 'this'} '{key}'}}}}>", data) == "<>"


@pytest.mark.parametrize(
    "name", ["if", "each", "with", "unless", "lookup", "log", "helperMissing", "true", "null", "12", "else2"]
)
def test_names_without_arguments_are_data(name: str) -> None:
    """No variable's name is reserved."""
    assert render(f"{{{{{name}}}}}", {name: "data"}) == "data"
    assert render(f"{{{{#{name}}}}}{{{{v}}}}{{{{/{name}}}}}", {name: {"v": "inside"}}) == "inside"


@pytest.mark.parametrize("key", ["a b", "a.b", "é-ü", "a{{b", "@x", "a/b", ""])
def test_segment_literals(key: str) -> None:
    """Any key can be written in brackets."""
    assert render(f"{{{{[{key}]}}}}{{{{o.[{key}]}}}}", {key: "1", "o": {key: "2"}}) == "12"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{lookup a 'b'}}", "[object Object]"),
        ("{{lookup a.list 1}}{{lookup a.list (lookup zero 'z')}}", "yx"),
        ("{{lookup (lookup (lookup this 'a') 'b') \"c\"}}", "deep"),
        ("{{lookup none 'x'}}{{lookup a none}}{{lookup a.list 7}}{{lookup a.list -1}}", ""),
        ("{{lookup zero.z 'x'}}{{lookup '' 0}}{{lookup 'ab' 1}}{{lookup 'ab' 2}}{{lookup 'ab' 'length'}}", "0b2"),
        ("{{#each a.list}}{{lookup ../names @index}} {{/each}}", "one two "),
        (r"{{lookup quoted 'it\'s'}}{{lookup quoted '}}'}}", "12"),
    ],
)
def test_lookup(source: str, expected: str) -> None:
    """A key that is itself a value; calls nest."""
    data = {**NESTED, "zero": {"z": 0}, "names": ["one", "two"], "quoted": {"it's": 1, "}}": 2}}
    assert render(source, data) == expected


@pytest.mark.parametrize(
    ("value", "taken", "taken_with_zero"),
    [
        (True, True, True),
        (False, False, False),
        (None, False, False),
        (0, False, True),
        (0.0, False, True),
        (-1, True, True),
        ("", False, False),
        ("0", True, True),
        ([], False, False),
        ([None], True, True),
        ({}, True, True),
    ],
)
def test_truth(value: object, *, taken: bool, taken_with_zero: bool) -> None:
    """If and unless take sides as in JavaScript, except for empty lists; includeZero lets 0 in."""
    data = {"v": value}
    assert render("{{#if v}}1{{else}}0{{/if}}", data) == str(int(taken))
    assert render("{{#unless v}}1{{else}}0{{/unless}}", data) == str(int(not taken))
    assert render("{{^if v}}1{{else}}0{{/if}}", data) == str(int(not taken))
    assert render("{{#if v includeZero=true}}1{{^}}0{{/if}}", data) == str(int(taken_with_zero))
    assert render("{{#if v includeZero=false}}1{{^}}0{{/if}}", data) == str(int(taken))


@pytest.mark.parametrize(("data", "expected"), [({"a": 1}, "A"), ({"b": 1}, "B"), ({"c": [7]}, "7"), ({}, "D")])
def test_else_chain(data: dict[str, Any], expected: str) -> None:
    """The first branch that is taken wins; each may be another helper."""
    source = "{{#if a}}A{{else if b}}B{{else each c}}{{this}}{{else}}D{{/if}}"
    assert render(source, data) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{#each people}}{{@index}}{{name}} {{/each}}", "0Ada 1Tom "),
        ("{{#each people}}{{name}}{{#unless @last}}{{../sep}}{{/unless}}{{/each}}", "Ada; Tom"),
        ("{{#each people}}{{@first}}{{@last}} {{/each}}", "truefalse falsetrue "),
        ("{{#each map}}{{@key}}={{this}}{{@index}}{{@first}}{{@last}} {{/each}}", "k=10truefalse l=21falsetrue "),
        ("{{#each none}}x{{else}}nobody{{/each}}", "nobody"),
        ("{{#each empty}}x{{else}}nobody{{/each}}", "nobody"),
        ("{{#each emptymap}}x{{else}}nobody{{/each}}", "nobody"),
        ("{{#each sep}}x{{else}}no list{{/each}}", "no list"),
        ("{{^each empty}}nobody{{/each}}", "nobody"),
        ("{{#each rows}}{{#each this}}{{@../index}}{{@index}}{{this}} {{/each}}{{/each}}", "00a 01b 10c "),
        ("{{#each rows}}{{#each .}}{{@index}}{{/each}}|{{@index}} {{/each}}", "01|0 0|1 "),
        ("{{#each people}}{{#with ../map}}{{k}}{{../name}}{{../../sep}}{{/with}}{{/each}}", "1Ada; 1Tom; "),
        ("{{#each people}}{{#if name}}{{../sep}}{{/if}}{{/each}}", "; ; "),
        ("{{#each nulls}}<{{this}}{{x}}>{{/each}}", "<><1>"),
        ("{{@index}}{{#each people}}{{/each}}{{@index}}", ""),
    ],
)
def test_each(source: str, expected: str) -> None:
    """Loops over lists and objects know their place, and what is around them."""
    more = {"map": {"k": 1, "l": 2}, "empty": [], "emptymap": {}, "rows": [["a", "b"], ["c"]], "nulls": [None, 1]}
    assert render(source, {**PEOPLE, **more, "nulls": [None, {"x": 1, "this": ""}]}) == expected


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["Subtotal", "Shipping", "Total"], ["Subtotal", "Shipping", "Total"]),
        (["b", "a", ""], ["b", "a", ""]),
        (["10", "2", "1"], ["1", "2", "10"]),
        (["b", "10", "a", "2", "0"], ["0", "2", "10", "b", "a"]),
        (["01", "1", "-1", "1.5", "1e1", "+0", " 1"], ["1", "01", "-1", "1.5", "1e1", "+0", " 1"]),
        (["4294967295", "4294967294", "99999999999", "b"], ["4294967294", "4294967295", "99999999999", "b"]),
        (["\u0662", "\u00b2", "1"], ["1", "\u0662", "\u00b2"]),
    ],
)
def test_keys_come_as_in_javascript(keys: list[str], expected: list[str]) -> None:
    """Array indexes first, ascending, then the others as they were sent; first and last are told by that order."""
    data = {"map": {key: f"<{key}>" for key in keys}}
    written = render(
        "{{#each map}}{{@index}}{{@key}}{{this}}{{#if @first}}^{{/if}}{{#if @last}}${{/if}}\n{{/each}}", data
    )
    lines = [f"{index}{key}<{key}>" for index, key in enumerate(expected)]
    lines[0] += "^"
    lines[-1] += "$"
    assert written.splitlines() == lines
    assert render("{{#each map as |value key|}}{{key}}\n{{/each}}", data).split("\n")[:-1] == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{#with a.b}}{{c}}{{/with}}", "deep"),
        ("{{#with a}}{{#with b}}{{c}}{{../list.0}}{{../../top}}{{/with}}{{/with}}", "deepxT"),
        ("{{#with none}}x{{else}}nothing{{/with}}", "nothing"),
        ("{{#with zero}}<{{this}}>{{else}}nothing{{/with}}", "<0>"),
        ("{{#with no}}x{{else}}nothing{{/with}}", "nothing"),
        ("{{#with a}}{{top}}{{/with}}", ""),
        (
            "{{#with a}}{{#with this}}{{../top}}{{#with @root.a as |b|}}{{b.b.c}}{{../top}}{{/with}}{{/with}}{{/with}}",
            "TdeepT",
        ),
        ("{{#with a as |b|}}{{#with . as |d|}}{{b.b.c}}{{d.b.c}}{{../top}}{{/with}}{{/with}}", "deepdeepT"),
        ("{{#a}}{{#.}}{{../top}}{{/.}}{{/a}}", "T"),
    ],
)
def test_with(source: str, expected: str) -> None:
    """A value becomes what names refer to; names do not reach outside by themselves."""
    assert render(source, {**NESTED, "zero": 0, "no": False}) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{#each people as |p|}}{{p.name}}{{top}}{{/each}}", "AdaTom"),
        ("{{#each people as |p i|}}{{i}}{{p.name}} {{/each}}", "0Ada 1Tom "),
        ("{{#each map as |v k|}}{{k}}={{v}} {{/each}}", "k=1 l=2 "),
        ("{{#with map as |m|}}{{m.k}}{{#with m as |m|}}{{m.l}}{{/with}}{{/with}}", "12"),
        (
            "{{#each people as |p|}}{{#each ../people as |q|}}{{p.name}}{{q.name}} {{/each}}{{/each}}",
            "AdaAda AdaTom TomAda TomTom ",
        ),
        ("{{#each people as |name|}}{{#if name}}{{./name}}{{this.name}}{{/if}}{{/each}}", "AdaAdaTomTom"),
        ("{{#each none as |p|}}x{{else}}{{p}}{{/each}}", "outer"),
        ("{{#with map as |p|}}{{/with}}{{p}}", "outer"),
    ],
)
def test_block_parameters(source: str, expected: str) -> None:
    """Names of ``as |…|`` hold inside their block, before data of the same name."""
    assert render(source, {**PEOPLE, "map": {"k": 1, "l": 2}, "p": "outer"}) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([{"v": 1}, {"v": 2}], "10 21 "),
        ({"v": 1}, "1 "),
        (True, "9 "),
        (False, "no"),
        (None, "no"),
        ([], "no"),
        (0, " "),
    ],
)
def test_sections(value: object, expected: str) -> None:
    """A block without arguments loops over a list, enters any other value, and has an inverse."""
    data = {"x": value, "v": 9}
    assert render("{{#x}}{{v}}{{@index}} {{else}}no{{/x}}", data) == expected
    assert render("{{^x}}no{{else}}{{v}}{{@index}} {{/x}}", data) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a{{! note }}b", "ab"),
        ("a{{!-- {{x}} }} --}}b", "ab"),
        ("a {{!~}} b", "a b"),
        ("a {{~! note ~}} b", "ab"),
        ("a {{~!-- note --~}} b", "ab"),
        ("a\n  {{! alone }}\nb", "a\nb"),
    ],
)
def test_comments(source: str, expected: str) -> None:
    """Comments write nothing, and go with their line where they are alone on it."""
    assert render(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a {{~top~}} b", "aTb"),
        ("a {{top~}}\n\t b", "a Tb"),
        ("a \n {{~top}} b", "aT b"),
        ("a {{~{top}~}} b", "aTb"),
        ("a {{~#if top~}} x {{~else~}} y {{~/if~}} b", "axb"),
        ("1\n  {{#if top}}  \n  x\n  {{else}}\n  y\n  {{/if}}\n2", "1\n  x\n2"),
        ("1\r\n{{#if top}}\r\nx\r\n{{/if}}\r\n2", "1\r\nx\r\n2"),
        ("{{#if top}}\nx\n{{/if}}", "x\n"),
        ("1\n  {{top}}\n2", "1\n  T\n2"),
        ("1\n  {{#if top}}x{{/if}}\n2", "1\n  x\n2"),
        ("1\n z {{#if top}}\nx\n{{/if}} z\n2", "1\n z \nx\n z\n2"),
    ],
)
def test_whitespace(source: str, expected: str) -> None:
    """``~`` takes white space on its side; a block's tag alone on a line takes the line."""
    assert render(source, {"top": "T"}) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (r"\{{top}} {{top}}", "{{top}} T"),
        (r"\\{{top}}", "\\T"),
        (r"a\b {{top}}\n", r"a\b T\n"),
        (r"\{{#if}} {{top}} \{{/if}}", "{{#if}} T {{/if}}"),
    ],
)
def test_literal_braces(source: str, expected: str) -> None:
    """A backslash makes braces text, two make a backslash."""
    assert render(source, {"top": "T"}) == expected


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        ("{{x", 1, "not closed"),
        ("a\n\n{{x\ny", 3, "not closed"),
        ("a\n{{#if x}}\nb", 2, "{{#if}} is not closed"),
        ("{{#if x}}\n{{else}}\n{{/with}}", 3, "{{/with}} closes {{#if}} of line 1"),
        ("a\n{{/if}}", 2, "belongs to no block"),
        ("a\n{{else}}", 2, "belongs to no block"),
        ("{{#if x}}\n{{else}}\n{{else}}{{/if}}", 3, "second else"),
        ("\n{{#if}}{{else if}}{{/if x}}", 2, "unexpected"),
        ("\n{{#if a b}}{{/if}}", 2, "one argument"),
        ("\n{{#if a x=1}}{{/if}}", 2, "does not know 'x'"),
        ("\n{{#nosuch a}}{{/nosuch}}", 2, "not a block helper"),
        ("{{x}}\n{{nosuch a}}", 2, "'nosuch' is not a helper"),
        ("\n{{if a}}", 2, "write {{#if}}"),
        ("\n{{lookup a}}", 2, "takes 2 arguments"),
        ("\n{{lookup a b x=1}}", 2, "does not know 'x'"),
        ("\n{{lookup a (nosuch b)}}", 2, "'nosuch' is not a helper"),
        ("\n{{lookup a (lookup b c}}", 2, "parenthesis"),
        ("\n{{(lookup a b)}}", 2, "a name is expected"),
        ("\n{{}}", 2, "a name is expected"),
        ("\n{{a..b}}", 2, "'a' is not a helper"),
        ("\n{{@}}", 2, "name is expected"),
        ("\n{{a b=1 c}}", 2, "after key=value"),
        ("\n{{#each a as |}}{{/each}}", 2, "names are expected"),
        ("\n{{#each a as |b c d|}}{{/each}}", 2, "gives 2 names"),
        ("\n{{#a as |b|}}{{/a}}", 2, "each and with"),
        ("\n{{x # y}}", 2, "unexpected"),
        ("\n{{x) y}}", 2, "unexpected"),
        ("\n{{'x}}", 2, "unexpected"),
        ("\n{{{x}}", 2, "ends with }}}"),
        ("\n{{x}~}}", 2, "only a tag opened by {{{"),
        ("\n{{x}}}", 2, "only a tag opened by {{{"),
        ("\n{{a/this}}", 2, "this stands first"),
        ("\n{{a/../b}}", 2, "a name is expected"),
        ("\n{{!-- x }}", 2, "comment is not closed"),
        ("\n{{> part}}", 2, "there is no partial 'part'"),
        ("\n{{> part a b}}", 2, "one context"),
        ("\n{{#> part}}{{/other}}", 2, "{{/other}} closes {{#> part}} of line 2"),
        ("\n{{#> part}}{{else}}{{/part}}", 2, "{{#> part}} has no else"),
        ("\n{{#> (lookup a 'b')}}{{/part}}", 2, "a fixed name"),
        ("\n{{#*inline x}}{{/inline}}", 2, '{{#*inline "name"}}'),
        ("\n{{#*other 'x'}}{{/other}}", 2, '{{#*inline "name"}}'),
        ("\n{{#*inline 'x'}}", 2, "{{#*inline}} is not closed"),
        ("\n{{* deco}}", 2, "decorators"),
        ("\n{{{{raw}}}}{{{{/raw}}}}", 2, "raw blocks"),
        ("{{!\n\n}}\n{{#if x}}\n\n{{/if}}\n{{> p}}", 7, "there is no partial"),
    ],
)
def test_faults(source: str, line: int, message: str) -> None:
    """What cannot be compiled is refused with its line."""
    found = fault(source)
    assert found.line == line
    assert message in found.message


@pytest.mark.parametrize(
    ("opening", "closing"),
    [("{{#if x}}", "{{/if}}"), ("{{#x}}", "{{/x}}"), ("{{#each x as |y|}}", "{{/each}}"), ("{{^x}}", "{{/x}}")],
)
def test_nesting_is_bounded(opening: str, closing: str) -> None:
    """64 blocks deep is compiled, more is refused."""
    assert render(opening * 64 + closing * 64) == ""
    assert "64 deep" in fault(opening * 65 + closing * 65).message


def test_chains_and_expressions_are_bounded() -> None:
    """An else chain nests; so do calls."""
    assert "64 deep" in fault("{{#if x}}" + "{{else if x}}" * 64 + "{{/if}}").message
    assert "too deep" in fault("{{lookup x " + "(lookup x " * 65 + "y" + ")" * 65 + "}}").message


def test_tags_are_bounded() -> None:
    """20,000 tags are compiled, one more is refused."""
    assert render("{{x}}" * 20_000, {"x": "y"}, limit=20_000) == "y" * 20_000
    assert "more than 20000 tags" in fault("{{x}}" * 20_001).message


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("{{#a}}" * 60_000, id="open"),
        pytest.param("{{#if a}}" + "{{else if a}}" * 60_000, id="else"),
        pytest.param("{{/a}}" * 60_000, id="close"),
        pytest.param("{{x " + "(" * 200_000, id="parentheses"),
        pytest.param("{{x " + "(a " * 60_000 + "}}", id="calls"),
        pytest.param('{{x "' + '\\"' * 100_000, id="string"),
        pytest.param("{{" + "a" * 200_000 + "(", id="name"),
        pytest.param("{{!" * 80_000, id="comment"),
        pytest.param("{{" + "a." * 100_000 + "}}", id="path"),
    ],
)
@pytest.mark.timeout(60)
def test_hostile_templates_are_refused_in_linear_time(source: str) -> None:
    """A quarter of a megabyte of nonsense is a fault; the work grows with its length."""
    assert fault(source).line == 1
    assert_linear(lambda size: fault(source[:size]))


@pytest.mark.parametrize("source", ["{{x}}", "{{lookup x %s}}", "{{x.%s}}", "{{%s}}"])
def test_numbers_of_any_length(source: str) -> None:
    """Digits by the thousand are nobody's index, and no crash."""
    assert render(f"<{source.replace('%s', '1' * 5000)}>", {"x": None}) == "<>"


def test_a_loop_ends_at_its_deadline() -> None:
    """Rounds that write nothing are counted too: at a deadline that is past, a few dozen of eight million are made."""
    source = "{{#each @root.x}}" * 3 + "{{/each}}" * 3

    def loop() -> None:
        with pytest.raises(RenderTimeoutError):
            render(source, {"x": list(range(200))}, seconds=-1)

    count_calls(loop, at_most=10_000)


@pytest.mark.parametrize("source", ["{{#each x}}12345{{/each}}", "{{#x}}{{@root.t}}{{/x}}", "{{{t}}}{{{t}}}"])
def test_output_is_bounded(source: str) -> None:
    """Output may be as long as allowed, not longer."""
    data = {"x": [1, 2], "t": "12345"}
    assert render(source, data, limit=10) == "1234512345"
    with pytest.raises(OutputTooLargeError):
        render(source, data, limit=9)


def test_escapes_count_as_output() -> None:
    """What is counted is what is written."""
    assert render("{{x}}", {"x": "<"}, escaping=True, limit=4) == "&lt;"
    with pytest.raises(OutputTooLargeError):
        render("{{x}}", {"x": "<"}, escaping=True, limit=3)


def test_deep_data() -> None:
    """Data nested beyond the stack is an error of that rendering alone."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(RecursionError):
        render("{{x}}", {"x": deep})


def test_templates_are_reusable() -> None:
    """One compiled template renders any data, and keeps nothing."""
    template = compile_template("{{#each x as |v i|}}{{i}}{{v}}{{/each}}{{y}}", escaping=False)
    outputs = [template.render(data, Output(100, math.inf)) for data in ({"x": ["a"]}, {"y": "b"}, {"x": ["a"]})]
    assert outputs == ["0a", "b", "0a"]
